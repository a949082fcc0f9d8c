/** `ipipoud` itself: from its configuration files to an exit code. */
import { openSockets } from "../apply/sockets.ts";
import { loadConfiguration } from "../config/load.ts";
import type { Configuration } from "../config/model.ts";
import { loadAddon } from "../native/addon.ts";
import type { EventSink } from "../tunnel/events.ts";
import { loadSignatures } from "../wire/signatures.ts";
import { Belongings } from "./belongings.ts";
import { Broadcast } from "./broadcast.ts";
import { collectAfterStart } from "./collect.ts";
import { DirectoryMemory } from "./directories.ts";
import { asFailure } from "./failures.ts";
import { handlersOf } from "./handlers.ts";
import { Instance } from "./instance.ts";
import { createLog, isJournal, type Log } from "./log.ts";
import { EventCounts } from "./metrics/event-counts.ts";
import { Exporter } from "./metrics/exporter.ts";
import { Narrator } from "./narrator.ts";
import { createNotifier } from "./notify.ts";
import { demandPrivileges, giveUpOthers } from "./privileges.ts";
import { Supervisor } from "./supervisor.ts";
import { version } from "./version.ts";

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
  const load = (): Configuration => loadConfiguration(options.configPaths);
  const configuration = load();
  const settings = { log: configuration.log };
  const log = logOf(settings, options.verbosity);
  await demandPrivileges();
  const addon = loadAddon();
  const broadcast = new Broadcast();
  const belongings = new Belongings({
    handlers: handlersOf(() => supervisor),
    streams: { events: (push) => broadcast.subscribe(push) },
    log,
  });
  await belongings.lock(configuration);
  const narrator = new Narrator(log);
  const events = new EventCounts();
  const exporter = new Exporter({
    source: {
      measure: (mostPeers) => supervisor.ask((instance) => instance.measure(mostPeers)),
      facts: () => ({
        version: version(),
        events: events.all,
        lastReload: supervisor.lastReload,
      }),
    },
    log,
  });
  const notifier = createNotifier({
    socket: process.env["NOTIFY_SOCKET"],
    watchdog: { interval: process.env["WATCHDOG_USEC"], pid: process.env["WATCHDOG_PID"] },
    send: addon.notify,
    log,
  });
  const sockets = openSockets(addon);
  let supervisor: Supervisor;
  try {
    const signatures = await loadSignatures();
    const emit: EventSink = (event) => {
      narrator.tell(event);
      events.tell(event);
      broadcast.tell(event);
    };
    const directories = new DirectoryMemory();
    let giveUp: (error: unknown) => void = () => {};
    const ended = new Promise<void>((resolve, reject) => {
      giveUp = reject;
      options.signals.onStop(resolve);
    });
    supervisor = new Supervisor(configuration, {
      load,
      make: (next, former) =>
        new Instance({
          ...{ configuration: next, former, addon, sockets, signatures, emit, directories },
        }),
      take: async (next, current) => {
        const taken = await belongings.take(next, current);
        return {
          ...taken,
          commit: async () => {
            taken.commit();
            settings.log = next.log;
            return await exporter.follow(next.metrics);
          },
        };
      },
      emit,
      fatal: giveUp,
    });
    await belongings.listen(configuration);
    await supervisor.start();
    giveUpOthers(addon, configuration, log);
    // Its address may be one inside a tunnel.
    await exporter.follow(configuration.metrics);
    options.signals.onReauth(() => {
      // Refused only while it ends.
      supervisor.ask((instance) => instance.reauth()).catch(() => undefined);
    });
    options.signals.onReload(() => {
      notifier.reloading();
      supervisor
        .reload()
        .catch((error: unknown) => complainTo(log, error))
        .finally(() => notifier.ready());
    });
    const endWatch = notifier.watch();
    notifier.ready();
    collectAfterStart();
    await ended.finally(endWatch);
    notifier.stopping();
    await exporter.close();
    await supervisor.stop();
    return 0;
  } catch (error) {
    throw asFailure(error);
  } finally {
    await exporter.close();
    await belongings.close();
    narrator.close();
    sockets.close();
  }
}

/** One line for everything that is wrong. */
function complainTo(log: Log, error: unknown): void {
  const failure = asFailure(error);
  const message = failure instanceof Error ? failure.message : String(failure);
  for (const reason of message.split("\n")) log.error("not reloaded", { reason });
}

function logOf(settings: { readonly log: Configuration["log"] }, verbosity: number): Log {
  return createLog({
    get level() {
      return verbosity > 0 ? "debug" : settings.log.level;
    },
    get format() {
      return settings.log.format;
    },
    journal: isJournal(process.env, 2),
    write: (line) => void process.stderr.write(line),
  });
}
