/**
 * From the command line to an exit code. Commands are imported when they are called: `keygen` and
 * `status` start without the daemon's weight, and `--check` never loads the code that executes steps.
 */

import { isJournal } from "../daemon/log.ts";
import type { ControlRequest } from "../daemon/protocol.ts";
import type { Reloaded } from "../daemon/supervisor.ts";
import { version } from "../daemon/version.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { Status } from "../tunnel/status.ts";
import { type Command, defaultConfigPath, parseArguments } from "./arguments.ts";
import { complaintOf } from "./complain.ts";
import type { Io } from "./io.ts";
import type { StatusRates } from "./rates.ts";

/** Never rejects: what fails is told on stderr. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(parseArguments(args), io);
  } catch (error) {
    // The arguments themselves may be what is wrong, so ask them no more than this.
    const verbosity = args.some((arg) => /^(-v+|--verbose)$/.test(arg)) ? 1 : 0;
    const complaint = complaintOf(error, verbosity);
    // A daemon that can't start is found by `journalctl -p err`.
    const priority = isJournal(process.env, 2) ? "<3>" : "";
    io.err(complaint.lines.map((line) => `${priority}${line}\n`).join(""));
    return complaint.exitCode;
  }
}

async function dispatch(command: Command, io: Io): Promise<number> {
  const { verbosity } = command;
  switch (command.name) {
    case "run": {
      // Before anything that takes time: an early signal must neither kill us nor be lost.
      const signals = io.signals();
      const { runDaemon } = await import("../daemon/daemon.ts");
      return runDaemon({ configPaths: configPathsOf(command), verbosity, signals });
    }
    case "check": {
      const { check } = await import("./check.ts");
      const options = {
        configPaths: configPathsOf(command),
        verbosity,
        out: io.out,
        color: io.color,
      };
      return command.json
        ? orFailure(check({ ...options, json: true }), io)
        : check({ ...options, json: false });
    }
    case "status":
      await showStatus(command, io);
      return 0;
    case "explain": {
      const { explainAddress } = await import("./explain.ts");
      io.out(await explainAddress({ ...command, configPaths: configPathsOf(command) }));
      return 0;
    }
    case "reload": {
      const { confirmWithin } = command;
      const { changes } = (await ask(command, { command: "reload", confirmWithin })) as Reloaded;
      io.out(changes.length === 0 ? "nothing to change\n" : changes.map((l) => `${l}\n`).join(""));
      if (confirmWithin !== undefined) {
        io.out(`goes back in ${confirmWithin / 1000} s unless \`ipipoud confirm\` comes\n`);
      }
      return 0;
    }
    case "events": {
      const { renderEvent } = await import("./events.ts");
      const { followDaemon } = await import("./control-client.ts");
      const { controlPath } = await import("./control-path.ts");
      const stop = stopOf(io);
      const path = await controlPath(command);
      const show = (event: unknown): void =>
        io.out(`${command.json ? JSON.stringify(event) : renderEvent(event)}\n`);
      const end = await followDaemon({ command: "events" }, { path }, show, stop);
      if (end === "ended") throw new Failure(exitCode.runtime, `the ipipoud on ${path} has ended`);
      return 0;
    }
    case "cleanup": {
      const { cleanUp } = await import("./cleanup.ts");
      const removed = await cleanUp(command.configPaths);
      io.out(removed.length === 0 ? "nothing to remove\n" : removed.map((l) => `${l}\n`).join(""));
      return 0;
    }
    case "confirm":
      await ask(command, { command: "confirm" });
      return 0;
    case "reauth":
    case "forget":
      await ask(command, { command: command.name, ...command.target });
      return 0;
    case "keygen": {
      const { generateKey, keepPrivate } = await import("./keys.ts");
      keepPrivate(io.outIsPublicFile);
      io.out(`${generateKey()}\n`);
      return 0;
    }
    case "pubkey": {
      const { publicKeyOf } = await import("./keys.ts");
      io.out(`${await publicKeyOf(await io.read())}\n`);
      return 0;
    }
    case "import": {
      const { importOld } = await import("./import.ts");
      const { text, holdsSecret } = importOld(command);
      if (holdsSecret && io.outIsPublicFile) {
        io.err(
          "ipipoud: warning: others may read the file that these secrets are written to: `chmod 600` it, or set `umask 077` first\n",
        );
      }
      io.out(text);
      return 0;
    }
    case "schema": {
      const { jsonSchema } = await import("../config/schema.ts");
      io.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      return 0;
    }
    case "help": {
      const { helpText } = await import("./help.ts");
      io.out(helpText());
      return 0;
    }
    case "version":
      io.out(`ipipoud ${version()}\n`);
      return 0;
  }
}

/** Programs read standard output alone: what stops the dry run is told there, too. */
async function orFailure(checked: Promise<number>, io: Io): Promise<number> {
  try {
    return await checked;
  } catch (error) {
    const { checkFailure } = await import("./check-text.ts");
    const result = checkFailure(error);
    if (result === undefined) throw error;
    io.out(`${JSON.stringify(result)}\n`);
    return complaintOf(error, 0).exitCode;
  }
}

async function showStatus(command: Extract<Command, { name: "status" }>, io: Io): Promise<void> {
  const { renderStatus, selectTunnel } = await import("./status.ts");
  const { json, tunnel, watch: interval } = command;
  const { askDaemon } = await import("./control-client.ts");
  const { controlPath } = await import("./control-path.ts");
  const path = await controlPath(command);
  const look = async (): Promise<Status> =>
    selectTunnel((await askDaemon({ command: "status" }, { path })) as Status, tunnel);
  if (interval === undefined) {
    const status = await look();
    io.out(json ? `${JSON.stringify(status)}\n` : renderStatus(status, Date.now()));
    return;
  }
  const { renderBlock, renderScreen, watchStatus } = await import("./watch.ts");
  const show = (status: StatusRates, at: number): void => {
    const { terminal } = io;
    if (json) io.out(`${JSON.stringify(status)}\n`);
    else io.out(terminal ? renderScreen(status, at, terminal) : renderBlock(status, at));
  };
  await watchStatus({ ask: look, interval, show, stop: stopOf(io) });
}

/** Resolves when the user has had enough, or the terminal has gone. */
function stopOf(io: Io): Promise<void> {
  const signals = io.signals();
  return new Promise((resolve) => {
    signals.onStop(resolve);
    signals.onReload(resolve);
  });
}

async function ask(
  command: Pick<Command, "configPaths"> & { readonly control: string | undefined },
  request: ControlRequest,
): Promise<unknown> {
  const { askDaemon } = await import("./control-client.ts");
  const { controlPath } = await import("./control-path.ts");
  return askDaemon(request, { path: await controlPath(command) });
}

function configPathsOf(command: Command): string[] {
  return command.configPaths.length > 0 ? [...command.configPaths] : [defaultConfigPath];
}
