/**
 * Loaded before the daemon (`node --require`): counts the netlink messages that go to the kernel, but for lists
 * (some are asked for by the clock), and says how many on stderr when SIGUSR2 comes. Costs the daemon next to nothing, so it may stand under a measurement.
 */
export {};

interface Socket {
  send(data: Uint8Array): void;
}

/** NLM_F_DUMP, and CTRL_CMD_GETFAMILY, which is asked before a generic family's list. */
function isList(view: DataView, at: number): boolean {
  if ((view.getUint16(at + 6, true) & 0x300) === 0x300) return true;
  return view.getUint16(at + 4, true) === 16 && view.getUint8(at + 16) === 3;
}

type SocketClass = new (...args: readonly never[]) => Socket;

let messages = 0;
const { dlopen } = process;

process.dlopen = (module: object, ...rest) => {
  dlopen.call(process, module, ...rest);
  const { exports } = module as { exports: { NetlinkSocket?: SocketClass } };
  const { NetlinkSocket } = exports;
  if (NetlinkSocket === undefined) return;
  exports.NetlinkSocket = class extends NetlinkSocket {
    override send(data: Uint8Array): void {
      // struct nlmsghdr: its length stands first, in host order; messages are padded to 4 bytes.
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      for (let at = 0; at + 16 <= data.length; at += (view.getUint32(at, true) + 3) & ~3)
        if (!isList(view, at)) messages++;
      super.send(data);
    }
  };
};
let asked = 0;
process.on("SIGUSR2", () => {
  process.stderr.write(`messages ${++asked}: ${messages}\n`);
});
