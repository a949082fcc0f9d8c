/** tcpdump on one device, line by line. */
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

export class Capture {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Returns once it listens. `filter` is pcap's language; `args` for more than -n -l -tt. */
  static async start(
    host: Host,
    filter = "",
    { device = host.device, args = [] as readonly string[] } = {},
  ): Promise<Capture> {
    const options = ["-n", "-l", "-tt", "--immediate-mode", "-i", device, ...args];
    const program = host.start("tcpdump", [...options, ...(filter === "" ? [] : [filter])]);
    await program.line(/listening on/);
    return new Capture(program);
  }

  /** Packets so far, one a line (more with `-x` and the like). */
  get packets(): readonly string[] {
    return this.#program.stdout.filter((line) => line !== ""); // it ends an empty line on SIGINT
  }

  /** Waits for a packet whose line matches. */
  async packet(pattern: RegExp, timeout = 30_000): Promise<string> {
    return await eventually(() => this.packets.find((line) => pattern.test(line)), {
      timeout,
      what: `a packet like ${pattern}; seen:\n${this.packets.join("\n")}`,
    });
  }

  /** Ends it and gives all packets. */
  async stop(): Promise<readonly string[]> {
    await this.#program.stop("SIGINT");
    return this.packets;
  }
}
