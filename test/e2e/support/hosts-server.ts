/** A web server with a hosts file, in a host of the topology; what it answers is said on its standard input. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const script = `
import http.server, ssl, sys, threading, time
address, folder = sys.argv[1:]
state = {"status": 200, "body": b"{}"}
# Who shows a certificate that nobody has signed, and who shows one that is another's.
secured = {"unsigned": 443, "another": 8443}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = state["status"], state["body"]
        port = secured.get(body.decode())
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.path if port is None else f"https://{address}:{port}/")
        self.end_headers()
        try:
            for _ in range(1024 if body == b"GB" else 0):
                self.wfile.write(b" " * (1 << 20))
            while body == b"drip" and body == state["body"]:
                self.wfile.write(b" ")
                time.sleep(0.2)
            self.wfile.write(body)
        except OSError:
            pass
    def log_message(self, *args):
        print("asked", state["status"], flush=True)
def listen(port=80, name=None):
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if name is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
server = listen()
for name, port in secured.items():
    listen(port, name)
print("listening", flush=True)
for line in sys.stdin:
    status, _, body = line.rstrip("\\n").partition(" ")
    if status == "down":
        server.shutdown(); server.server_close(); server = None
    else:
        state["status"], state["body"] = int(status), body.encode()
        server = server or listen()
    print("now", flush=True)
`;

/** Certificates that vouch for themselves: of the server's address, and of somebody else's name. */
const certificates = (address: string): string => `
for one in unsigned=IP:${address} another=DNS:another.test; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hosts \\
    -keyout "$0/\${one%=*}.key" -out "$0/\${one%=*}.pem" -addext "subjectAltName=\${one#*=}" 2>/dev/null
done`;

export class HostsServer {
  /** The certificate of the wrong name, for who trusts it. */
  readonly another: string;
  readonly #program: Program;

  private constructor(program: Program, another: string) {
    this.#program = program;
    this.another = another;
  }

  /** @param folder For its certificates. */
  static async start(host: Host, folder: string): Promise<HostsServer> {
    await host.run("sh", "-ec", certificates(host.address), folder);
    const program = host.start("/usr/bin/python3", ["-c", script, host.address, folder]);
    await program.line(/^listening/);
    return new HostsServer(program, `${folder}/another.pem`);
  }

  /**
   * From now on. 302 leads in a circle, or by HTTPS to a certificate that nobody has signed ("unsigned") or to that of
   * another name ("another"). The body "GB" is as long, and "drip" never ends.
   */
  async answer(status: number | "down", body = ""): Promise<void> {
    const from = this.#program.lines.length;
    this.#program.child.stdin?.write(`${status} ${body}\n`);
    await this.#program.line(/^now/, { from });
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
