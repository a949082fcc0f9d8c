/** Bytes of other tools, from test/golden/*.hex, and their comparison with what we encode. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { walk } from "../../src/netlink/attributes.ts";
import { NLM_F_ACK, NLM_F_REQUEST } from "../../src/netlink/constants.ts";
import { walkMessages } from "../../src/netlink/messages.ts";
import type { Message, Request } from "../../src/netlink/request.ts";

export const goldenFolder = new URL("../../../test/golden/", import.meta.url);

/** The messages of a file. Lines that begin with # are comments; blanks don't count. */
export function golden(name: string): Message[] {
  const lines = readFileSync(new URL(`${name}.hex`, goldenFolder), "utf8").split("\n");
  const hex = lines.filter((line) => !line.startsWith("#")).join("");
  const messages: Message[] = [];
  walkMessages(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"), (message) => messages.push(message));
  return messages;
}

export interface Comparison {
  /** Bytes of the fixed struct in front of the attributes. */
  readonly header: number;
  /** Attributes that hold attributes, each within the one before. */
  readonly nests?: readonly number[];
  /**
   * Where we differ, as paths of numbers (`18/2/9`, or `header`), each with the reason. That it differs
   * is checked too.
   */
  readonly except?: Readonly<Record<string, string>>;
}

/** Whether a request says the same as the tool's, in whatever order of attributes. */
export function assertSameAs(name: string, request: Request, comparison: Comparison): void {
  const [message] = golden(name);
  assert.ok(message, `${name}.hex has no message`);
  assert.equal(request.type, message.type, "nlmsg_type");
  assert.equal(request.flags | NLM_F_REQUEST | NLM_F_ACK, message.flags | NLM_F_ACK, "nlmsg_flags");
  const ours = flat(Buffer.from(request.payload), comparison);
  const theirs = flat(message.payload, comparison);
  for (const path of Object.keys(comparison.except ?? {})) {
    assert.notEqual(ours.get(path), theirs.get(path), `${path} is no exception`);
    ours.delete(path);
    theirs.delete(path);
  }
  assert.deepEqual(Object.fromEntries([...ours].sort()), Object.fromEntries([...theirs].sort()));
}

/** Path of each attribute → its payload in hex. */
function flat(payload: Buffer, { header, nests = [] }: Comparison): Map<string, string> {
  const found = new Map([["header", payload.subarray(0, header).toString("hex")]]);
  const visit = (bytes: Buffer, from: number, prefix: string, depth: number): void => {
    walk(bytes, from, (number, content) => {
      const path = `${prefix}${number}`;
      if (nests[depth] === number) visit(content, 0, `${path}/`, depth + 1);
      else found.set(path, content.toString("hex"));
    });
  };
  visit(payload, header, "", 0);
  return found;
}
