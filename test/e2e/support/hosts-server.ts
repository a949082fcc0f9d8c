/** A web server with a hosts file, in a host of the topology; what it answers is said on its standard input. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const script = `
import http.server, sys, threading
state = {"status": 200, "body": b"{}"}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(state["status"])
        if state["status"] == 302:
            self.send_header("Location", self.path)
        self.end_headers()
        body = state["body"]
        try:
            for _ in range(1024 if body == b"GB" else 0):
                self.wfile.write(b" " * (1 << 20))
            self.wfile.write(body)
        except OSError:
            pass
    def log_message(self, *args):
        print("asked", state["status"], flush=True)
def listen():
    server = http.server.ThreadingHTTPServer((sys.argv[1], 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
server = listen()
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

export class HostsServer {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(host: Host): Promise<HostsServer> {
    const program = host.start("/usr/bin/python3", ["-c", script, host.address]);
    await program.line(/^listening/);
    return new HostsServer(program);
  }

  /** From now on; 302 leads in a circle, the body "GB" is as long. */
  async answer(status: number | "down", body = ""): Promise<void> {
    const from = this.#program.lines.length;
    this.#program.child.stdin?.write(`${status} ${body}\n`);
    await this.#program.line(/^now/, { from });
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
