/** Sends whole IPv4 packets, with any source, from a host: through python's raw socket, which is quick to start. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const script = `
import socket, sys, time
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
if len(sys.argv) > 1:
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
print("open", flush=True)
sent = 0
for line in sys.stdin:
    count, pause, data = line.split()
    data = bytes.fromhex(data)
    to = (socket.inet_ntoa(data[16:20]), 0)
    for _ in range(int(count)):
        while True:
            try:
                raw.sendto(data, to)
                break
            except OSError as error:
                if error.errno != 105:  # ENOBUFS: the queue is full; as fast as it takes
                    print("error", error, flush=True)
                    break
        if float(pause):
            time.sleep(float(pause))
    sent += 1
    print("sent", sent, flush=True)
`;

export class Injector {
  readonly #program: Program;
  #asked = 0;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** @param device To send by, whatever the routes say. */
  static async start(host: Host, device?: string): Promise<Injector> {
    const by = device === undefined ? [] : [device];
    const program = host.start("/usr/bin/python3", ["-c", script, ...by]);
    await program.line(/^open$/);
    return new Injector(program);
  }

  /** Sends the packet so many times, `pause` seconds apart, and returns when that is done. */
  async send(packet: Uint8Array, { count = 1, pause = 0, timeout = 60_000 } = {}): Promise<void> {
    const from = this.#program.lines.length;
    const number = ++this.#asked;
    const hex = Buffer.from(packet).toString("hex");
    this.#program.child.stdin?.write(`${count} ${pause} ${hex}\n`);
    await this.#program.line(new RegExp(`^sent ${number}$`), { from, timeout });
    const error = this.#program.lines.slice(from).find((line) => line.startsWith("error"));
    if (error !== undefined) throw new Error(`injecting: ${error}`);
  }

  /** Sends each packet once, in this order, `pause` seconds apart, and returns when that is done. */
  async sendAll(
    packets: readonly Uint8Array[],
    { pause = 0, timeout = 60_000 } = {},
  ): Promise<void> {
    const from = this.#program.lines.length;
    this.#asked += packets.length;
    const hex = packets.map((packet) => Buffer.from(packet).toString("hex"));
    this.#program.child.stdin?.write(hex.map((one) => `1 ${pause} ${one}\n`).join(""));
    await this.#program.line(new RegExp(`^sent ${this.#asked}$`), { from, timeout });
    const error = this.#program.lines.slice(from).find((line) => line.startsWith("error"));
    if (error !== undefined) throw new Error(`injecting: ${error}`);
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
