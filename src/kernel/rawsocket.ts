/**
 * raw(7), through the package raw-socket. Whole IPv4 packets: the only way to send from a UDP port that a
 * FOU listener holds. And ICMP echo through one device.
 */
import { endianness } from "node:os";
import rawSocket, { type Socket } from "raw-socket";
import type { IpAddress } from "../net/address.ts";

/**
 * IPPROTO_RAW: the header is ours, and nothing is received. Never protocol 17, whose sockets get a copy
 * of every UDP packet of the host.
 */
const IPPROTO_RAW = 255;
const IPPROTO_ICMP = 1;

// include/uapi/asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_MARK = 36;
const SOL_RAW = 255;

// include/uapi/linux/icmp.h: a socket option whose bits are the types that are NOT handed over.
const ICMP_FILTER = 1;
const ALL_BUT_ECHO_REPLIES = Buffer.from([0xfe, 0xff, 0xff, 0xff]);
const ECHO_REPLIES_ALONE =
  endianness() === "LE" ? ALL_BUT_ECHO_REPLIES : Buffer.from(ALL_BUT_ECHO_REPLIES).reverse();

/** How long a packet may wait for the socket to become writable before its promise rejects. */
const sendTimeout = 2000;

export interface RawSocketOptions {
  /** SO_MARK: for the outer route look-up (CAP_NET_ADMIN). */
  readonly mark?: number | undefined;
  /** SO_BINDTODEVICE. */
  readonly device?: string | undefined;
}

export class RawSocketError extends Error {
  /** `socket`, `SO_MARK`, `SO_BINDTODEVICE eth0`, `send to 203.0.113.1`. */
  readonly operation: string;
  /** The C name of errno: "EPERM"; undefined where the text gives none. ETIMEDOUT and ECANCELED are ours. */
  readonly code: string | undefined;

  constructor(operation: string, text: string, code = codes.get(text)) {
    super(`raw socket: ${operation}: ${code === undefined ? "" : `${code} `}(${text})`);
    this.name = "RawSocketError";
    this.operation = operation;
    this.code = code;
  }
}

export interface RawSender {
  /** Resolves when the kernel has taken the packet; rejects with {@link RawSocketError}. */
  send(packet: Uint8Array): Promise<void>;
  /** Idempotent; what waits is rejected. */
  close(): void;
}

/** Opens at once, so that a missing CAP_NET_RAW shows at the start. Throws {@link RawSocketError}. */
export function openRawSocket(options: RawSocketOptions = {}): RawSender {
  return new RawSocketSender(options);
}

class RawSocketSender implements RawSender {
  readonly #options: RawSocketOptions;
  readonly #waiting = new Set<(error: RawSocketError) => void>();
  /** undefined after a broken poll (the next send opens another) and after close. */
  #socket: Socket | undefined;
  #closed = false;

  constructor(options: RawSocketOptions) {
    this.#options = options;
    this.#socket = this.#open();
  }

  async send(packet: Uint8Array): Promise<void> {
    // The destination of a raw packet is in its header, but sendto(2) wants it beside.
    const address = packet.subarray(16, 20).join(".");
    const operation = `send to ${address}`;
    if (packet.length < 20) throw new RawSocketError("send", "the packet has no header", "EINVAL");
    if (this.#closed) throw new RawSocketError(operation, "the socket is closed", "ECANCELED");
    this.#socket ??= this.#open();
    const socket = this.#socket;
    const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.length);
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: RawSocketError) => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => {
        settle(new RawSocketError(operation, "the socket took nothing", "ETIMEDOUT"));
      }, sendTimeout);
      this.#waiting.add(settle);
      socket.send(bytes, 0, bytes.length, address, (error) => {
        settle(error === null ? undefined : new RawSocketError(operation, error.message));
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#abandon("the socket was closed", "ECANCELED");
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #open(): Socket {
    const socket = attempt("socket", () => rawSocket.createSocket({ protocol: IPPROTO_RAW }));
    socket.on("error", (error) => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#abandon(error.message);
    });
    // Nothing arrives, and an idle poll would keep the event loop alive.
    socket.pauseRecv();
    socket.pauseSend();
    const { mark, device } = this.#options;
    try {
      if (mark !== undefined) {
        attempt("SO_MARK", () => socket.setOption(SOL_SOCKET, SO_MARK, mark));
      }
      if (device !== undefined) {
        const name = Buffer.from(`${device}\0`);
        attempt(`SO_BINDTODEVICE ${device}`, () =>
          socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, name, name.length),
        );
      }
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  #abandon(text: string, code?: string): void {
    for (const settle of [...this.#waiting]) settle(new RawSocketError("send", text, code));
  }
}

export interface EchoSocket {
  /** An ICMP message; what comes of it nobody hears. */
  send(message: Buffer, to: IpAddress): void;
  /** Idempotent. */
  close(): void;
}

/**
 * Sends ICMP by this device alone, and hands over the echo replies that come by it, from their IP header
 * on and valid until the callback returns: everybody's on this host, so look whose they are. Throws
 * {@link RawSocketError}, ENODEV where there is no such device.
 */
export function openEchoSocket(device: string, onPacket: (packet: Buffer) => void): EchoSocket {
  let socket: Socket | undefined = attempt("socket", () =>
    rawSocket.createSocket({ protocol: IPPROTO_ICMP }),
  );
  const close = (): void => {
    const open = socket;
    socket = undefined;
    open?.close();
  };
  socket.on("error", close);
  try {
    setEchoOptions(socket, device);
  } catch (error) {
    close();
    throw error;
  }
  socket.on("message", (packet) => {
    if (socket !== undefined) onPacket(packet);
  });
  return {
    send(message, to) {
      socket?.send(message, 0, message.length, to, () => undefined);
    },
    close,
  };
}

function setEchoOptions(socket: Socket, device: string): void {
  const name = Buffer.from(`${device}\0`);
  attempt(`SO_BINDTODEVICE ${device}`, () =>
    socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, name, name.length),
  );
  const filter = ECHO_REPLIES_ALONE;
  attempt("ICMP_FILTER", () => socket.setOption(SOL_RAW, ICMP_FILTER, filter, filter.length));
}

function attempt<T>(operation: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new RawSocketError(operation, error instanceof Error ? error.message : String(error));
  }
}

/** The package throws strerror(3)'s text alone; glibc's spelling, then musl's where it differs. */
const codes: ReadonlyMap<string, string> = new Map([
  ["Operation not permitted", "EPERM"],
  ["Permission denied", "EACCES"],
  ["Invalid argument", "EINVAL"],
  ["No such device", "ENODEV"],
  ["No such device or address", "ENXIO"],
  ["Resource temporarily unavailable", "EAGAIN"],
  ["Cannot allocate memory", "ENOMEM"],
  ["Out of memory", "ENOMEM"],
  ["Too many open files", "EMFILE"],
  ["No file descriptors available", "EMFILE"],
  ["Too many open files in system", "ENFILE"],
  ["Message too long", "EMSGSIZE"],
  ["Message too large", "EMSGSIZE"],
  ["No buffer space available", "ENOBUFS"],
  ["Protocol not supported", "EPROTONOSUPPORT"],
  ["Address family not supported by protocol", "EAFNOSUPPORT"],
  ["Cannot assign requested address", "EADDRNOTAVAIL"],
  ["Address not available", "EADDRNOTAVAIL"],
  ["Network is down", "ENETDOWN"],
  ["Network is unreachable", "ENETUNREACH"],
  ["Network unreachable", "ENETUNREACH"],
  ["Host is down", "EHOSTDOWN"],
  ["No route to host", "EHOSTUNREACH"],
  ["Host is unreachable", "EHOSTUNREACH"],
]);
