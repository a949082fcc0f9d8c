/** `ipipoud status --watch`: the status again and again, with rates. */
import { growAsUsual } from "../daemon/collect.ts";
import type { Status } from "../tunnel/status.ts";
import type { Terminal } from "./io.ts";
import { type Sample, type StatusRates, withRates } from "./rates.ts";
import { renderStatus } from "./status.ts";

export interface WatchOptions {
  /** Rejects where the daemon does not answer: that ends it. */
  readonly ask: () => Promise<Status>;
  /** Milliseconds from one to the next. */
  readonly interval: number;
  readonly show: (status: StatusRates, at: number) => void;
  /** Ends it, at once. */
  readonly stop: Promise<void>;
}

export async function watchStatus({ ask, interval, show, stop }: WatchOptions): Promise<void> {
  growAsUsual();
  const orStopped = endedBy(stop);
  let before: Sample | undefined;
  for (;;) {
    const status = await orStopped(ask());
    if (status === "stopped") return;
    const now = { status, at: Date.now() };
    show(withRates(now, before), now.at);
    before = now;
    if ((await pause(interval, orStopped)) === "stopped") return;
  }
}

type OrStopped = <T>(work: Promise<T>) => Promise<T | "stopped">;

/** Promise.race() would keep every answer for as long as `stop` has not come. */
function endedBy(stop: Promise<void>): OrStopped {
  let stopped = false;
  let end = (): void => {};
  void stop.then(() => {
    stopped = true;
    end();
  });
  return (work) =>
    new Promise((resolve, reject) => {
      end = () => resolve("stopped");
      if (stopped) end();
      work.then(resolve, reject);
    });
}

/** Leaves no timer behind that would keep the process. */
async function pause(interval: number, orStopped: OrStopped): Promise<"stopped" | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), interval);
  });
  const end = await orStopped(over);
  clearTimeout(timer);
  return end;
}

/** In a pipe: a block each time, under its time of day. */
export function renderBlock(status: StatusRates, at: number): string {
  return `${clock(at)}\n${renderStatus(status, at) || "no tunnels\n"}\n`;
}

/** What replaces what the terminal shows, as much of it as fits. Flickers less than clearing first. */
export function renderScreen(status: StatusRates, at: number, { rows }: Terminal): string {
  const lines = renderBlock(status, at).trimEnd().split("\n");
  const room = Math.max(2, rows - 1);
  const shown =
    lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines (name a tunnel)`];
  return `${HOME}${shown.map((line) => `${line}${ERASE_LINE}\n`).join("")}${ERASE_BELOW}`;
}

// ECMA-48: CUP, EL, ED.
const HOME = "\x1b[H";
const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
