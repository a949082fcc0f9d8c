/**
 * Generic netlink: struct genlmsghdr, and the controller that gives families their numbers
 * (include/uapi/linux/genetlink.h).
 */
import {
  type AttributeTable,
  attr,
  type Shape,
  string,
  table,
  u16,
  u32,
  type Values,
} from "../netlink/attributes.ts";
import { KernelError } from "../netlink/errors.ts";
import type { Message, Request } from "../netlink/request.ts";
import { decoding, requireHeader } from "./rtnetlink.ts";

export const GENL_ID_CTRL = 16;

export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_GETFAMILY = 3;

/** sizeof(struct genlmsghdr): command, version (u8), reserved (u16). */
export const GENL_HDRLEN = 4;

export const CONTROLLER = table({
  id: attr(1, u16, "CTRL_ATTR_FAMILY_ID"),
  name: attr(2, string, "CTRL_ATTR_FAMILY_NAME"),
  version: attr(3, u32, "CTRL_ATTR_VERSION"),
});

export interface GenericFamily {
  readonly name: string;
  /** nlmsg_type of its messages, for as long as its module stays. */
  readonly id: number;
  readonly version: number;
}

/** A generic netlink message's payload: header and attributes. */
export function genericPayload<S extends Shape>(
  command: number,
  version: number,
  attributes: AttributeTable<S>,
  values: Values<S>,
): Buffer {
  const payload = attributes.encode(values, GENL_HDRLEN);
  payload[0] = command;
  payload[1] = version;
  return payload;
}

export function getFamily(name: string): Request {
  return {
    operation: `CTRL_CMD_GETFAMILY ${name}`,
    type: GENL_ID_CTRL,
    flags: 0,
    payload: genericPayload(CTRL_CMD_GETFAMILY, 1, CONTROLLER, { name }),
  };
}

export function decodeFamily(message: Message): GenericFamily | undefined {
  if (message.type !== GENL_ID_CTRL) return undefined;
  requireHeader(message, "CTRL_CMD_NEWFAMILY", GENL_HDRLEN);
  if (message.payload[0] !== CTRL_CMD_NEWFAMILY) return undefined;
  return decoding("CTRL_CMD_NEWFAMILY", () => {
    const { id, name, version } = CONTROLLER.decode(message.payload, GENL_HDRLEN);
    return id === undefined || name === undefined ? undefined : { id, name, version: version ?? 0 };
  });
}

/**
 * Asks for a family; undefined where the kernel has none of this name (its module is not loaded).
 * The one function here that sends: absence comes as an error and is turned into a value.
 */
export async function findFamily(
  netlink: { request(request: Request): Promise<Message[]> },
  name: string,
): Promise<GenericFamily | undefined> {
  try {
    const replies = await netlink.request(getFamily(name));
    return replies.map(decodeFamily).find((family) => family?.name === name);
  } catch (error) {
    if (error instanceof KernelError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
