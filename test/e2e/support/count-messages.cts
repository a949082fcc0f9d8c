/**
 * Loaded before the daemon (`node --require`): counts the netlink messages that go to the kernel, and says
 * how many on stderr when SIGUSR2 comes. Costs the daemon next to nothing, so it may stand under a measurement.
 */
export {};

interface Socket {
  send(data: Uint8Array): void;
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
        messages++;
      super.send(data);
    }
  };
};
let asked = 0;
process.on("SIGUSR2", () => {
  process.stderr.write(`messages ${++asked}: ${messages}\n`);
});
