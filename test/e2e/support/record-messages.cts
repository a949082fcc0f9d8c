/**
 * Loaded before the program (`node --require`): writes down every datagram that it sends to the kernel over
 * netlink, one a line: the socket's protocol, and the bytes in hexadecimal. The file is IPIPOUD_RECORD's.
 */
export {};

const { appendFileSync } = require("node:fs") as typeof import("node:fs");

interface Socket {
  send(data: Uint8Array): void;
}

type SocketClass = new (options: { readonly protocol: number }) => Socket;

const file = process.env["IPIPOUD_RECORD"];
const { dlopen } = process;

process.dlopen = (module: object, ...rest) => {
  dlopen.call(process, module, ...rest);
  const { exports } = module as { exports: { NetlinkSocket?: SocketClass } };
  const { NetlinkSocket } = exports;
  if (NetlinkSocket === undefined || file === undefined) return;
  exports.NetlinkSocket = class extends NetlinkSocket {
    readonly #protocol: number;

    constructor(options: { readonly protocol: number }) {
      super(options);
      this.#protocol = options.protocol;
    }

    override send(data: Uint8Array): void {
      appendFileSync(file, `${this.#protocol} ${Buffer.from(data).toString("hex")}\n`);
      super.send(data);
    }
  };
};
