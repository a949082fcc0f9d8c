import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { NLM_F_ACK_TLVS } from "../../../src/netlink/constants.ts";
import {
  decodeDone,
  decodeError,
  EXTENDED_ACK,
  messageSize,
  walkMessages,
  writeMessage,
} from "../../../src/netlink/messages.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { ack, datagram, done } from "../../support/fake-kernel.ts";

const request = { operation: "x", type: 24, flags: 0, payload: Buffer.from("abcde") };

function walked(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  walkMessages(bytes, (message) => messages.push(message));
  return messages;
}

test("several messages in one datagram, each aligned", () => {
  const bytes = Buffer.alloc(2 * messageSize(request));
  const second = writeMessage(bytes, 0, request, 5, 1);
  assert.equal(second, 24);
  writeMessage(bytes, second, request, 5, 2);
  assert.deepEqual(
    walked(bytes).map(({ type, flags, sequence, payload }) => [
      type,
      flags,
      sequence,
      payload.toString(),
    ]),
    [
      [24, 5, 1, "abcde"],
      [24, 5, 2, "abcde"],
    ],
  );
});

test("the last message may end unaligned", () => {
  const bytes = Buffer.alloc(messageSize(request));
  writeMessage(bytes, 0, request, 0, 1);
  assert.equal(walked(bytes.subarray(0, 21))[0]?.payload.toString(), "abcde");
});

test("less than a header at the end is padding; a wrong length stops after what could be read", () => {
  const message = { type: 24, flags: 0, sequence: 1, payload: Buffer.alloc(4) };
  const good = datagram([message]);
  assert.equal(walked(Buffer.concat([good, Buffer.alloc(15)])).length, 1);
  const seen: number[] = [];
  const bad = Buffer.concat([good, Buffer.alloc(16)]);
  assert.throws(() => walkMessages(bad, ({ sequence }) => seen.push(sequence)), {
    name: "MalformedMessage",
    message: "nlmsghdr says 0 bytes where 16 are left",
  });
  assert.deepEqual(seen, [1]);
});

test("errors with the kernel's words, capped and not", () => {
  const to: Message = { type: 24, flags: 0, sequence: 9, payload: Buffer.from("12345") };
  assert.deepEqual(decodeError(ack(to)), {
    errno: 0,
    text: undefined,
    attributeOffset: undefined,
    missingAttribute: undefined,
  });
  assert.deepEqual(decodeError(ack(to, 22, "Nexthop id does not exist", 40)), {
    errno: 22,
    text: "Nexthop id does not exist",
    attributeOffset: 40,
    missingAttribute: undefined,
  });
  // Not capped: the request's payload, padded, stands before the attributes.
  const capped = ack(to, 22);
  const tlvs = EXTENDED_ACK.encode({ missingAttribute: 3 });
  const whole = Buffer.concat([capped.payload, Buffer.from("12345\0\0\0"), tlvs]);
  const answer = decodeError({ ...capped, flags: NLM_F_ACK_TLVS, payload: whole });
  assert.equal(answer.missingAttribute, 3);
});

test("an error that isn't whole", () => {
  const to: Message = { type: 24, flags: 0, sequence: 9, payload: Buffer.alloc(0) };
  const error = ack(to, 1, "text");
  assert.throws(() => decodeError({ ...error, payload: error.payload.subarray(0, 19) }), {
    message: "NLMSG_ERROR: want 20 bytes, got 19",
  });
  error.payload.writeUInt16LE(999, 20);
  assert.throws(() => decodeError(error), MalformedMessage);
});

test("the end of a dump may carry an error, or nothing", () => {
  const to: Message = { type: 26, flags: 0, sequence: 9, payload: Buffer.alloc(0) };
  assert.equal(decodeDone(done(to)).errno, 0);
  assert.equal(decodeDone(done(to, 22)).errno, 22);
  assert.equal(decodeDone({ ...done(to), payload: Buffer.alloc(0) }).errno, 0);
});
