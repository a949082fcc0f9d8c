/** A real `ipipoud` in a host of the topology. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../lab/paths.ts";
import type { Host, Output } from "./host.ts";
import type { Program } from "./program.ts";

export const mainFile = join(projectRoot, "dist/bin/ipipoud.js");

/** YAML as text, or a plain object, which is written as JSON. */
export type Config = string | Readonly<Record<string, unknown>>;

export interface DaemonOptions {
  /** Files beside the configuration: name → content (secrets, keys). */
  readonly files?: Readonly<Record<string, string>>;
  /** Further arguments, `-v` for example. */
  readonly args?: readonly string[];
  readonly environment?: Record<string, string>;
}

/**
 * A configuration in a folder of its own and the process that runs it, again and again if need be.
 * The hosts share one file system, so `control` and `stateDirectory` are set to that folder unless
 * the configuration sets them.
 */
export class Daemon {
  readonly host: Host;
  readonly folder: string;
  readonly #options: DaemonOptions;
  #configFile = "";
  #program: Program | undefined;

  private constructor(host: Host, folder: string, options: DaemonOptions) {
    this.host = host;
    this.folder = folder;
    this.#options = options;
  }

  /** Writes the configuration; starts nothing. */
  static async prepare(host: Host, config: Config, options: DaemonOptions = {}): Promise<Daemon> {
    const folder = await mkdtemp(join(tmpdir(), `ipipoud-${host.name}-`));
    const daemon = new Daemon(host, folder, options);
    await daemon.configure(config);
    for (const [name, content] of Object.entries(options.files ?? {})) {
      await writeFile(join(folder, name), content, { mode: 0o600 });
    }
    return daemon;
  }

  /** Starts it and waits until it is ready. */
  static async start(host: Host, config: Config, options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = await Daemon.prepare(host, config, options);
    await daemon.start();
    return daemon;
  }

  /** The file of the last {@link configure}. */
  get configFile(): string {
    return this.#configFile;
  }

  /** The process of the last start. */
  get process(): Program {
    if (this.#program === undefined) throw new Error(`${this.host.name}: ipipoud never started`);
    return this.#program;
  }

  /** What the last start has logged so far. */
  get log(): readonly string[] {
    return this.process.lines;
  }

  /** Replaces the configuration; a running daemon does not know yet. */
  async configure(config: Config): Promise<void> {
    const own = {
      control: join(this.folder, "control.sock"),
      stateDirectory: join(this.folder, "state"),
    };
    const text = typeof config === "string";
    this.#configFile = join(this.folder, text ? "ipipoud.yaml" : "ipipoud.json");
    await writeFile(
      this.#configFile,
      text ? withDefaults(config, own) : JSON.stringify({ ...own, ...config }),
    );
  }

  /** Starts the process without waiting for anything. */
  launch(): Program {
    const args = [mainFile, "--config", this.configFile, ...(this.#options.args ?? [])];
    this.#program = this.host.start(process.execPath, args, this.#options.environment);
    return this.#program;
  }

  /** Starts the process and waits for `ready`. */
  async start(): Promise<void> {
    await this.launch().line(/\bready$/);
  }

  /** A log line that matches, now or later. */
  async logs(pattern: RegExp, options: { from?: number; timeout?: number } = {}): Promise<string> {
    return await this.process.line(pattern, options);
  }

  /** Another command of the same program, with this configuration. */
  async cli(...args: string[]): Promise<Output> {
    return await this.host.try(process.execPath, mainFile, ...args, "--config", this.configFile);
  }

  /** Another command that goes on; the caller stops it. */
  follow(...args: string[]): Program {
    const line = [mainFile, ...args, "--config", this.configFile];
    return this.host.start(process.execPath, line, this.#options.environment);
  }

  /** SIGTERM, waits for the end; gives the exit code. */
  async stop(): Promise<number | string> {
    return await this.process.stop("SIGTERM");
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.process.stop("SIGKILL");
  }

  /** Stops it if it runs, and deletes its folder. */
  async remove(): Promise<void> {
    await this.#program?.stop("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The YAML with a line for each key that it does not have. */
function withDefaults(yaml: string, values: Readonly<Record<string, string>>): string {
  const missing = Object.entries(values).filter(([key]) => !new RegExp(`^${key}:`, "m").test(yaml));
  return `${yaml}\n${missing.map(([key, value]) => `${key}: ${value}\n`).join("")}`;
}
