import assert from "node:assert/strict";
import { test } from "node:test";
import { TableTampering } from "../../../../src/apply/nftables/tampering.ts";
import { NFPROTO_INET, NFPROTO_IPV4 } from "../../../../src/kernel/nftables/constants.ts";
import { messageType } from "../../../../src/kernel/nftables/message.ts";
import { deleteTable } from "../../../../src/kernel/nftables/table.ts";
import type { Message, Request } from "../../../../src/netlink/request.ts";

const OURS = 4711;
const THEIRS = 815;

function message({ type, payload }: Request, port = THEIRS): Message {
  return { type, flags: 0, sequence: 0, port, payload: Buffer.from(payload) };
}

const gone = (name: string, family = NFPROTO_IPV4, port = THEIRS) =>
  message(deleteTable({ family, name }), port);

/** As the kernel ends a transaction: its number, the process and the process's name. */
function generation(port = THEIRS): Message {
  const attributes = "0800010000000007" + "080002000000032f" + "080003006e667400";
  const payload = Buffer.from(`00000000${attributes}`, "hex");
  return { type: messageType(15), flags: 0, sequence: 0, port, payload };
}

test("who has changed our table is known when the transaction ends", () => {
  const table = new TableTampering("ipipou", (port) => port === OURS);
  assert.equal(table.take(gone("ipipou")), undefined);
  assert.deepEqual(table.take(generation()), { process: 815, name: "nft" });
  assert.equal(table.take(generation()), undefined, "the next is another one");
});

test("other tables, other families and our own hand are no news", () => {
  const table = new TableTampering("ipipou", (port) => port === OURS);
  for (const one of [gone("ipipou2"), gone("ipipou", NFPROTO_INET)]) table.take(one);
  assert.equal(table.take(generation()), undefined);
  table.take(gone("ipipou", NFPROTO_IPV4, OURS));
  assert.equal(table.take(generation(OURS)), undefined);
  assert.equal(table.take(generation()), undefined);
});
