/** `ipipoud` itself: from its configuration files to an exit code. */
import { openSockets } from "../apply/sockets.ts";
import { loadConfiguration } from "../config/load.ts";
import type { Configuration } from "../config/model.ts";
import { loadAddon } from "../native/addon.ts";
import { loadSignatures } from "../wire/signatures.ts";
import { type Control, serveControl } from "./control.ts";
import { asFailure } from "./failures.ts";
import { handlersOf } from "./handlers.ts";
import { Instance } from "./instance.ts";
import { lockTable } from "./lock.ts";
import { createLog, isJournal, type Log } from "./log.ts";
import { Narrator } from "./narrator.ts";
import { createNotifier } from "./notify.ts";
import { demandPrivileges } from "./privileges.ts";

export interface DaemonOptions {
  readonly configPaths: string[];
  readonly verbosity: number;
  readonly signals: {
    onStop(callback: () => void): void;
    onReload(callback: () => void): void;
    onReauth(callback: () => void): void;
  };
}

/** Runs until a signal ends it. Throws a {@link Failure} where it can't start. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const configuration = loadConfiguration(options.configPaths);
  const log = logOf(configuration, options.verbosity);
  await demandPrivileges();
  const addon = loadAddon();
  const lock = await lockTable(configuration.table);
  const narrator = new Narrator(log);
  const notifier = createNotifier({
    socket: process.env["NOTIFY_SOCKET"],
    send: addon.notify,
    log,
  });
  const sockets = openSockets(addon);
  let control: Control | undefined;
  try {
    const signatures = await loadSignatures();
    const instance = new Instance({
      configuration,
      addon,
      sockets,
      signatures,
      emit: (event) => narrator.tell(event),
    });
    const stopped = new Promise<void>((resolve) => options.signals.onStop(resolve));
    control = await serveControl({
      path: configuration.control,
      handlers: handlersOf(instance),
      log,
    });
    await instance.start();
    options.signals.onReauth(() => void instance.reauth());
    options.signals.onReload(() => log.warning("reload is not supported yet: restart instead"));
    notifier.ready();
    await stopped;
    notifier.stopping();
    await instance.stop(configuration.onStop === "remove");
    return 0;
  } catch (error) {
    throw asFailure(error);
  } finally {
    await control?.close();
    narrator.close();
    sockets.close();
    lock.release();
  }
}

function logOf(configuration: Configuration, verbosity: number): Log {
  const { level, format } = configuration.log;
  return createLog({
    level: verbosity > 0 ? "debug" : level,
    format,
    journal: isJournal(process.env, 2),
    write: (line) => void process.stderr.write(line),
  });
}
