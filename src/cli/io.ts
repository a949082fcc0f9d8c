/** What a command may touch of the process; main.ts has the real one. */

/** Signals, in the program's terms; one that came before its callback is delivered once it is there. */
export interface Signals {
  /** SIGTERM, SIGINT. */
  onStop(callback: () => void): void;
  /** SIGHUP. */
  onReload(callback: () => void): void;
  /** SIGUSR1. */
  onReauth(callback: () => void): void;
}

export interface Terminal {
  /** Lines. */
  readonly rows: number;
}

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** All of standard input. */
  read(): Promise<string>;
  /** Standard output is a terminal that shows colours, and nobody asked for none. */
  readonly color: boolean;
  /** Standard output is a regular file that anyone may read or write. */
  readonly outIsPublicFile: boolean;
  /** What standard output is shown on; undefined: a file, a pipe. */
  readonly terminal: Terminal | undefined;
  /** Catches the signals from now on. */
  signals(): Signals;
}
