/** A host's ordinary services, TCP and UDP, that must work whatever its tunnels do. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const server = `
import socket, sys, threading
at = (sys.argv[1], int(sys.argv[2]))
listener = socket.create_server(at)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(at)
def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
def accept():
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
print("listening", flush=True)
while True:
    data, sender = datagrams.recvfrom(2048)
    datagrams.sendto(data, sender)
`;

const client = `
import os, socket, sys
at = (sys.argv[1], int(sys.argv[2]))
connection = socket.create_connection(at, timeout=20)
data = os.urandom(50000)
back = b""
connection.sendall(data)
while len(back) < len(data):
    part = connection.recv(65536)
    if not part:
        sys.exit("TCP ended early")
    back += part
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.settimeout(10)
datagrams.connect(at)
same = back == data
for length in (0, 1, 73, 1000):
    data = os.urandom(length)
    datagrams.send(data)
    same = same and datagrams.recv(2048) == data
sys.exit(0 if same else "what came back is different")
`;

/** Echo on one port, for both protocols. */
export class Services {
  readonly #host: Host;
  readonly #port: number;
  readonly #program: Program;

  private constructor(host: Host, port: number, program: Program) {
    this.#host = host;
    this.#port = port;
    this.#program = program;
  }

  static async start(host: Host, port: number): Promise<Services> {
    const program = host.start("/usr/bin/python3", ["-c", server, host.address, String(port)]);
    await program.line(/^listening$/);
    return new Services(host, port, program);
  }

  /** Throws unless everything that is sent from there comes back as it was. */
  async use(from: Host): Promise<void> {
    const at = [this.#host.address, String(this.#port)];
    await from.run("/usr/bin/python3", "-c", client, ...at);
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
