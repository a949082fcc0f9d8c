/** One raw socket for each mark that outer packets need. */
import { openRawSocket, type RawSender } from "../kernel/rawsocket.ts";

export class RawSenders {
  readonly #byMark = new Map<number, RawSender>();

  open(mark: number): RawSender {
    let sender = this.#byMark.get(mark);
    if (sender === undefined) {
      sender = openRawSocket(mark === 0 ? {} : { mark });
      this.#byMark.set(mark, sender);
    }
    return sender;
  }

  send(packet: Buffer, mark: number): Promise<void> {
    return this.open(mark).send(packet);
  }

  close(): void {
    for (const sender of this.#byMark.values()) sender.close();
    this.#byMark.clear();
  }
}
