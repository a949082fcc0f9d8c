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
}

export interface NotifierOptions {
  /** $NOTIFY_SOCKET. */
  readonly socket: string | undefined;
  /** The addon's: one datagram; throws. */
  readonly send: (address: string, message: string) => void;
  readonly log: Log;
  /** Microseconds of CLOCK_MONOTONIC; process.hrtime is that clock. */
  readonly monotonic?: () => bigint;
}

export function createNotifier(options: NotifierOptions): Notifier {
  const { socket, log } = options;
  const monotonic = options.monotonic ?? (() => process.hrtime.bigint() / 1000n);
  if (socket === undefined || socket === "") {
    return { ready: () => log.info("ready"), reloading() {}, stopping() {}, status() {} };
  }
  const send = (message: string) => {
    try {
      options.send(socket, message);
    } catch (error) {
      // The tunnels matter more than who is told of them.
      log.warning("NOTIFY_SOCKET took no message", { socket, error: String(error) });
    }
  };
  return {
    ready: () => send("READY=1"),
    // Type=notify-reload wants the time with it.
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${monotonic()}`),
    stopping: () => send("STOPPING=1"),
    status: (text) => send(`STATUS=${text.replace(/\s+/g, " ")}`),
  };
}
