/**
 * Loaded before the daemon (`node --import`): says each message that goes to the kernel on stderr, and with
 * KILL_AT=n ends the process by SIGKILL in place of the n-th. A kill by the clock would mostly hit the time
 * in which node loads.
 */
import process from "node:process";

interface Socket {
  send(data: Uint8Array): void;
}

type SocketClass = new (...args: readonly never[]) => Socket;

const at = Number(process.env["KILL_AT"] ?? 0);
let sent = 0;
const { dlopen } = process;

process.dlopen = (module: object, ...rest) => {
  dlopen.call(process, module, ...rest);
  const { exports } = module as { exports: { NetlinkSocket?: SocketClass } };
  const { NetlinkSocket } = exports;
  if (NetlinkSocket === undefined) return;
  exports.NetlinkSocket = class extends NetlinkSocket {
    override send(data: Uint8Array): void {
      sent++;
      if (sent === at) process.kill(process.pid, "SIGKILL");
      process.stderr.write(`message ${sent}\n`);
      super.send(data);
    }
  };
};
