/** Mail servers that greet whoever comes with the address that they see, and clients that ask them. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const server = `
import socketserver, sys, threading
class Greet(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 " + self.client_address[0].encode() + b" ESMTP\\r\\n")
        for line in self.rfile:
            bye = line.upper().startswith(b"QUIT")
            self.wfile.write(b"221 bye\\r\\n" if bye else b"250 ok\\r\\n")
            if bye:
                return
for port in sys.argv[2:]:
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    listener = socketserver.ThreadingTCPServer((sys.argv[1], int(port)), Greet)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
print("listening", flush=True)
threading.Event().wait()
`;

const client = `
import smtplib, sys
source = (sys.argv[3], 0) if len(sys.argv) > 3 else None
mail = smtplib.SMTP(timeout=20, source_address=source)
code, greeting = mail.connect(sys.argv[1], int(sys.argv[2]))
mail.quit()
print(code, greeting.decode().split()[0])
`;

export async function startMail(host: Host, address: string, ...ports: number[]): Promise<Program> {
  const args = ["-c", server, address, ...ports.map(String)];
  const program = host.start("/usr/bin/python3", args);
  await program.line(/^listening$/);
  return program;
}

/** The address that the server sees; throws where there is no answer. */
export async function seenBy(
  from: Host,
  to: string,
  port: number,
  source?: string,
): Promise<string> {
  const own = source === undefined ? [] : [source];
  const said = await from.run("/usr/bin/python3", "-c", client, to, String(port), ...own);
  const [code, address = ""] = said.trim().split(" ");
  if (code !== "220") throw new Error(`${to}:${port} said ${said}`);
  return address;
}
