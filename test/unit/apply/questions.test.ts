import assert from "node:assert/strict";
import { test } from "node:test";
import { demandFrom, onlyQuestions } from "../../../src/apply/questions.ts";
import { dumpListeners, FOU_GENL_NAME } from "../../../src/kernel/fou.ts";
import { getFamily } from "../../../src/kernel/genetlink.ts";
import { dumpLinks, setLinkUp } from "../../../src/kernel/link.ts";
import { batchBegin, batchEnd } from "../../../src/kernel/nftables/message.ts";
import { dumpTables, newTable } from "../../../src/kernel/nftables/table.ts";
import { dumpRoutes } from "../../../src/kernel/route.ts";
import type { NetlinkSocket } from "../../../src/native/addon.ts";
import { messageSize, writeMessage } from "../../../src/netlink/messages.ts";
import type { Request } from "../../../src/netlink/request.ts";

const ROUTE = 0;
const NETFILTER = 12;
const GENERIC = 16;

function datagram(...requests: readonly Request[]): Buffer {
  const bytes = Buffer.alloc(requests.reduce((sum, request) => sum + messageSize(request), 0));
  let at = 0;
  for (const request of requests) at = writeMessage(bytes, at, request, request.flags, 1);
  return bytes;
}

const table = newTable(2, { kind: "table", name: "t", comment: undefined });
const fou = { name: FOU_GENL_NAME, id: 30, version: 1 };
const add: Request = { ...dumpListeners(fou), payload: Buffer.from([1, 1, 0, 0]) };

test("questions pass, and a batch that lacks its end", () => {
  assert.equal(demandFrom(datagram(dumpLinks(), dumpRoutes()), ROUTE), undefined);
  assert.equal(demandFrom(datagram(getFamily("fou")), GENERIC), undefined);
  assert.equal(demandFrom(datagram(dumpListeners(fou)), GENERIC), undefined);
  assert.equal(demandFrom(datagram(dumpTables(2)), NETFILTER), undefined);
  assert.equal(demandFrom(datagram(batchBegin(), table), NETFILTER), undefined);
});

test("nothing else does", () => {
  assert.equal(demandFrom(datagram(dumpLinks(), setLinkUp(2)), ROUTE), 16);
  assert.equal(demandFrom(datagram(add), GENERIC), 30);
  assert.equal(demandFrom(datagram(table), NETFILTER), 10 << 8);
  assert.equal(demandFrom(datagram(batchBegin(), table, batchEnd()), NETFILTER), 17);
  assert.equal(demandFrom(datagram(dumpTables(2), batchBegin(), table), NETFILTER), 16);
  assert.equal(demandFrom(datagram(dumpLinks()), 4), 18, "a family that we don't speak");
});

test("what is refused is never sent", () => {
  const sent: Uint8Array[] = [];
  const socket = {
    port: 1,
    send: (data: Uint8Array) => sent.push(data),
  } as unknown as NetlinkSocket;
  const guarded = onlyQuestions(socket, ROUTE);
  assert.throws(() => guarded.send(datagram(setLinkUp(2))), /dry run sends no message of type 16/);
  assert.equal(sent.length, 0);
  guarded.send(datagram(dumpLinks()));
  assert.equal(sent.length, 1);
});
