/** Runs inside a namespace, for netns.ts: carries out netlink calls that come over the IPC channel. */
import { loadAddon } from "../../src/native/addon.ts";
import { Netlink } from "../../src/netlink/connection.ts";
import { KernelError } from "../../src/netlink/errors.ts";
import type { Message, Request } from "../../src/netlink/request.ts";

export interface Call {
  readonly id: number;
  readonly protocol: number;
  readonly method: "ready" | "request" | "requestAll" | "dump" | "batch";
  /** For "batch": begin, the requests, end. */
  readonly requests: readonly Request[];
}

/** A KernelError in a form that passes through IPC. */
export interface Refusal {
  readonly operation: string;
  readonly errno: number;
  readonly text: string | undefined;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly refusal?: Refusal;
  readonly error?: string;
}

const addon = loadAddon();
const connections = new Map<number, Netlink>();

process.on("message", (call: Call) => {
  carryOut(call).then(
    (value) => process.send?.({ id: call.id, value }),
    (error: unknown) => process.send?.({ id: call.id, ...failure(error) }),
  );
});

async function carryOut({ protocol, method, requests }: Call): Promise<unknown> {
  if (method === "ready") return undefined;
  const netlink = connect(protocol);
  if (method === "requestAll") {
    return (await netlink.requestAll(requests)).map((error) => error && refusal(error));
  }
  const [first, ...rest] = requests;
  if (first === undefined) throw new Error(`${method} without a request`);
  if (method === "request") return (await netlink.request(first)).map(copied);
  if (method === "dump") return (await netlink.dump(first)).map(copied);
  const end = rest.pop();
  if (end === undefined) throw new Error("batch without an end");
  return netlink.batch(first, rest, end);
}

function connect(protocol: number): Netlink {
  const known = connections.get(protocol);
  if (known !== undefined) return known;
  const made = new Netlink(new addon.NetlinkSocket({ protocol, strictChecking: true }));
  connections.set(protocol, made);
  return made;
}

/** The channel sends whole buffers, not the views into them. */
function copied(message: Message): Message {
  return { ...message, payload: Buffer.from(message.payload) };
}

function refusal({ operation, errno, kernelText }: KernelError): Refusal {
  return { operation, errno, text: kernelText };
}

function failure(error: unknown): Omit<Answer, "id"> {
  if (error instanceof KernelError) return { refusal: refusal(error) };
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
