/** A host that runs udptun: old-udptun.py, written from its wire format. */
import { join } from "node:path";
import { projectRoot } from "../../lab/paths.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const script = join(projectRoot, "test/e2e/support/old-udptun.py");

export class OldUdptun {
  readonly host: Host;
  readonly #program: Program;

  private constructor(host: Host, program: Program) {
    this.host = host;
    this.#program = program;
  }

  /** @param addresses Inner addresses with their length; the first one's network is routed through it. */
  static async start(
    host: Host,
    hostsFile: string,
    addresses: readonly string[],
  ): Promise<OldUdptun> {
    await host.sh("modprobe tun || true");
    const program = host.start("/usr/bin/python3", [script, "udptun", hostsFile]);
    await program.line(/^open /);
    const add = addresses.map((address) => `ip addr add ${address} dev udptun`);
    await host.sh(`${add.join("\n")}\nip link set udptun up`);
    return new OldUdptun(host, program);
  }

  /** It reads its hosts file again. */
  async read(): Promise<void> {
    await this.#ask("read", /^read /);
  }

  /** Sends these bytes as an inner packet. */
  async send(packet: Uint8Array, to: string): Promise<void> {
    await this.#ask(`raw x${Buffer.from(packet).toString("hex")} ${to}`, /^sent$/);
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }

  async #ask(line: string, answer: RegExp): Promise<void> {
    const from = this.#program.lines.length;
    this.#program.child.stdin?.write(`${line}\n`);
    await this.#program.line(answer, { from });
  }
}
