/** TCP there and back: what is sent must come back byte for byte. */
import type { Host } from "./host.ts";

const server = `
import socket, sys, threading
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
while True:
    connection, _ = listener.accept()
    threading.Thread(target=echo, args=(connection,), daemon=True).start()
`;

const client = `
import os, socket, sys, threading
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[4]))
data = os.urandom(int(sys.argv[3]))
def send():
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
back = b""
while part := connection.recv(65536):
    back += part
print("same" if back == data else "different: %d of %d bytes" % (len(back), len(data)))
`;

export interface EchoOptions {
  readonly port?: number;
  readonly bytes?: number;
  /** Seconds until a silent connection is an error. */
  readonly timeout?: number;
}

/** Sends random bytes from one host to an address of another, which returns them; throws unless all are the same. */
export async function tcpEcho(
  from: Host,
  to: Host,
  address: string,
  { port = 7007, bytes = 100_000, timeout = 20 }: EchoOptions = {},
): Promise<void> {
  const listening = to.start("/usr/bin/python3", ["-c", server, address, String(port)]);
  try {
    await listening.line(/^listening$/);
    const args = [address, port, bytes, timeout].map(String);
    const said = await from.run("/usr/bin/python3", "-c", client, ...args);
    if (said.trim() !== "same") throw new Error(`TCP echo from ${address}: ${said.trim()}`);
  } finally {
    await listening.stop("SIGKILL");
  }
}
