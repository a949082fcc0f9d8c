/** Programs that hold what a daemon wants. */
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const scripts = {
  /** ADDRESS PORT */
  udp: `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], int(sys.argv[2])))`,
  /** PATH */
  unix: `s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()`,
  /** NUMBER: NFQNL_CFG_CMD_BIND over nfnetlink, as include/uapi/linux/netfilter/nfnetlink_queue.h has it. */
  queue: `s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12); s.bind((0, 0))
body = struct.pack("!BBH", 0, 0, int(sys.argv[1])) + struct.pack("=HH", 8, 1) + struct.pack("!BBH", 1, 0, 2)
s.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | 2, 5, 1, 0) + body)
error = struct.unpack("=i", s.recv(4096)[16:20])[0]
if error: sys.exit("NFQNL_CFG_CMD_BIND: %d" % error)`,
} as const;

/** Returns once it holds it; `stop("SIGKILL")` lets go. */
export async function hold(
  host: Host,
  what: keyof typeof scripts,
  ...args: readonly string[]
): Promise<Program> {
  const script = `import signal, socket, struct, sys\n${scripts[what]}\nprint("held", flush=True)\nsignal.pause()`;
  const program = host.start("/usr/bin/python3", ["-c", script, ...args]);
  await program.line(/^held$/);
  return program;
}
