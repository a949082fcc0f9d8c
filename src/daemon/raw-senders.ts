/** Raw sockets for authentications, one for each way that outer packets go: they must take the same. */
import { openRawSocket, type RawSender } from "../kernel/rawsocket.ts";

export interface Way {
  /** 0: none. */
  readonly mark: number;
  /** Where outer packets are bound to a device: its name and index. */
  readonly device?: string | undefined;
  readonly index?: number | undefined;
}

interface Opened {
  readonly index: number | undefined;
  readonly sender: RawSender;
}

export class RawSenders {
  readonly #open: (options: { mark?: number; device?: string }) => RawSender;
  readonly #byWay = new Map<string, Opened>();

  constructor(open: (options: { mark?: number; device?: string }) => RawSender = openRawSocket) {
    this.#open = open;
  }

  /** Throws RawSocketError, ENODEV where the device is gone. */
  open({ mark, device, index }: Way): RawSender {
    const key = `${mark} ${device ?? ""}`;
    const before = this.#byWay.get(key);
    // A device that went and came again under its name is another one, to which the old socket has no way.
    if (before !== undefined && (device === undefined || before.index === index)) {
      return before.sender;
    }
    before?.sender.close();
    this.#byWay.delete(key);
    const sender = this.#open({
      ...(mark === 0 ? {} : { mark }),
      ...(device === undefined ? {} : { device }),
    });
    this.#byWay.set(key, { index, sender });
    return sender;
  }

  async send(packet: Buffer, way: Way): Promise<void> {
    await this.open(way).send(packet);
  }

  close(): void {
    for (const { sender } of this.#byWay.values()) sender.close();
    this.#byWay.clear();
  }
}
