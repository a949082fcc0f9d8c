/**
 * The daemon's log: one line an event, on stderr. Text reads like a sentence, JSON is one object a line;
 * for journald each line begins with its priority (sd-daemon(3)). No timestamps in text: journald and
 * containers add them.
 *
 *     ready
 *     ipipou0/laptop: authenticated endpoint=198.51.100.2:40001
 *     warning: ipipou0/laptop: refused endpoint=198.51.100.9:4000 reason="its clock is 12 min ahead of ours"
 */
import { fstatSync } from "node:fs";
import type { LogLevel } from "../config/model.ts";

/** Beside the message; `tunnel` and `peer` lead a text line. undefined ones are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** Read at each line: a reload may change them. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** Priority prefixes; see {@link isJournal}. */
  readonly journal: boolean;
  /** Takes one line with its line break. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

// sys/syslog.h
const priorities: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

export function createLog(options: LogOptions): Log {
  const now = options.now ?? (() => new Date());
  const log = (level: LogLevel, message: string, fields: LogFields = {}) => {
    if (priorities[level] > priorities[options.level]) return;
    const line =
      options.format === "json"
        ? JSON.stringify({ time: now().toISOString(), level, message, ...fields })
        : textLine(level, message, fields);
    options.write(`${options.journal ? `<${priorities[level]}>` : ""}${escapeControls(line)}\n`);
  };
  return {
    error: (message, fields) => log("error", message, fields),
    warning: (message, fields) => log("warning", message, fields),
    info: (message, fields) => log("info", message, fields),
    debug: (message, fields) => log("debug", message, fields),
  };
}

/**
 * Whether this file descriptor is the journal's stream: JOURNAL_STREAM names its device and inode
 * (systemd.exec(5)), and is inherited by whoever redirects stderr elsewhere.
 */
export function isJournal(env: NodeJS.ProcessEnv, fd: number): boolean {
  const stream = env["JOURNAL_STREAM"];
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** An info line is the bare message, so that "ready" is the line `ready`. */
function textLine(level: LogLevel, message: string, fields: LogFields): string {
  const { tunnel, peer, ...others } = fields;
  const where = [tunnel, peer].filter((part) => part !== undefined && part !== null).join("/");
  const parts = [
    ...(level === "info" ? [] : [`${level}:`]),
    ...(where === "" ? [] : [`${where}:`]),
    message,
    ...Object.entries(others)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${plain(String(value))}`),
  ];
  return parts.join(" ");
}

function plain(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/**
 * C0, DEL, C1, and the line separators: nothing that a peer sent may forge a line or drive a terminal.
 * JSON's spelling, so that a line of JSON stays one.
 */
export function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
