/** Generic netlink's controller and its family `fou`. */
import { constants } from "node:os";
import { decodeListener, FOU_CMD_ADD, FOU_CMD_DEL, FOU_CMD_GET } from "../../../src/kernel/fou.ts";
import {
  CONTROLLER,
  CTRL_CMD_NEWFAMILY,
  GENL_ID_CTRL,
  genericPayload,
} from "../../../src/kernel/genetlink.ts";
import type { FouListener } from "../../../src/net/objects.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { devices } from "../devices.ts";
import { type Family, Refusal } from "./linux.ts";

export const FAMILY = { name: "fou", id: 30, version: 1 };
const { EADDRINUSE, EINVAL, ENOENT } = constants.errno;

export class Listeners implements Family {
  readonly #all = new Map<string, Buffer>();

  get state(): string[] {
    return [...this.#all.values()].map((payload) => `fou ${JSON.stringify(listenerIn(payload))}`);
  }

  /** And loaded again. */
  unload(): void {
    this.#all.clear();
  }

  dump(message: Message): Message[] {
    this.#demand(message);
    return [...this.#all.values()].map((payload) => ({ ...message, payload }));
  }

  request(message: Message): Message[] {
    if (message.type === GENL_ID_CTRL) {
      const payload = genericPayload(CTRL_CMD_NEWFAMILY, 2, CONTROLLER, FAMILY);
      return [{ ...message, payload }];
    }
    this.#demand(message);
    const payload = Buffer.from(message.payload);
    const command = payload[0];
    payload[0] = FOU_CMD_GET;
    const listener = listenerIn(payload);
    const key = `${listener.local}:${listener.port}`;
    const there = this.#all.get(key);
    if (command === FOU_CMD_ADD) {
      if (there !== undefined) throw new Refusal(EADDRINUSE);
      this.#all.set(key, payload);
    } else if (command === FOU_CMD_DEL) {
      const same = there && identity(listenerIn(there)) === identity(listener);
      if (same !== true) throw new Refusal(EINVAL);
      this.#all.delete(key);
    }
    return [];
  }

  #demand({ type }: Message): void {
    if (type !== FAMILY.id) throw new Refusal(ENOENT);
  }
}

function listenerIn(payload: Buffer): FouListener {
  const message = { type: FAMILY.id, flags: 0, sequence: 0, payload };
  const listener = decodeListener(FAMILY, message, devices());
  if (listener === undefined) throw new Refusal(EINVAL);
  return listener;
}

function identity({ port, local, peer, peerPort, device }: FouListener): string {
  return [port, local, peer, peerPort, device].join();
}
