/**
 * Tells whoever started us how far we are: systemd through $NOTIFY_SOCKET (sd_notify(3)), anyone else by
 * the line `ready` in the log.
 */
import type { Log } from "./log.ts";

export interface Notifier {
  ready(): void;
  reloading(): void;
  stopping(): void;
  /** One line for `systemctl status`; nothing without systemd. */
  status(text: string): void;
  /** Shows from now on that the event loop turns, where systemd waits for that; gives what ends it. */
  watch(): () => void;
}

export interface NotifierOptions {
  /** $NOTIFY_SOCKET. */
  readonly socket: string | undefined;
  /** The addon's: one datagram; throws. */
  readonly send: (address: string, message: string) => void;
  readonly log: Log;
  /** $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3)). */
  readonly watchdog?: { readonly interval: string | undefined; readonly pid: string | undefined };
  /** Microseconds of CLOCK_MONOTONIC; process.hrtime is that clock. */
  readonly monotonic?: () => bigint;
}

export function createNotifier(options: NotifierOptions): Notifier {
  const { socket, log } = options;
  const monotonic = options.monotonic ?? (() => process.hrtime.bigint() / 1000n);
  if (socket === undefined || socket === "") {
    const nothing = (): void => {};
    return {
      ready: () => log.info("ready"),
      ...{ reloading: nothing, stopping: nothing, status: nothing, watch: () => nothing },
    };
  }
  /** The same again is no news: the watchdog's beats come twice a second. */
  let complaint: string | undefined;
  const send = (message: string) => {
    try {
      options.send(socket, message);
      complaint = undefined;
    } catch (cause) {
      // The tunnels matter more than who is told of them.
      const error = String(cause);
      if (error !== complaint) log.warning("NOTIFY_SOCKET took no message", { socket, error });
      complaint = error;
    }
  };
  return {
    ready: () => send("READY=1"),
    // Type=notify-reload wants the time with it.
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${monotonic()}`),
    stopping: () => send("STOPPING=1"),
    status: (text) => send(`STATUS=${text.replace(/\s+/g, " ")}`),
    watch: () => {
      const limit = watchdogLimit(options.watchdog);
      if (limit === undefined) return () => {};
      const timer = setInterval(() => send("WATCHDOG=1"), limit / 2);
      return () => clearInterval(timer);
    },
  };
}

/** Milliseconds after which systemd takes us for dead; undefined: it doesn't look, or at another process. */
function watchdogLimit(watchdog: NotifierOptions["watchdog"]): number | undefined {
  const { interval, pid } = watchdog ?? {};
  if (interval === undefined || !/^[1-9][0-9]{0,15}$/.test(interval)) return undefined;
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  return Math.min(Number(interval) / 1000, 0x7fff_ffff);
}
