import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONTROLLER,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  decodeFamily,
  findFamily,
  GENL_ID_CTRL,
  genericPayload,
  getFamily,
} from "../../../src/kernel/genetlink.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { KernelError } from "../../../src/netlink/errors.ts";
import type { Message } from "../../../src/netlink/request.ts";

function answer(values: { id?: number; name?: string; version?: number }): Message {
  const payload = genericPayload(CTRL_CMD_NEWFAMILY, 2, CONTROLLER, values);
  return { type: GENL_ID_CTRL, flags: 0, sequence: 1, payload };
}

test("the request asks the controller by name", () => {
  const { type, payload } = getFamily("fou");
  assert.equal(type, GENL_ID_CTRL);
  assert.equal(payload[0], CTRL_CMD_GETFAMILY);
  assert.equal(CONTROLLER.decode(Buffer.from(payload), 4).name, "fou");
});

test("a family is found, or is undefined, or the error is passed on", async () => {
  const found = { name: "fou", id: 35, version: 1 };
  assert.deepEqual(await findFamily({ request: async () => [answer(found)] }, "fou"), found);
  const refusing = (errno: number) => ({
    request: (): Promise<Message[]> => Promise.reject(new KernelError("x", errno)),
  });
  assert.equal(await findFamily(refusing(2), "fou"), undefined);
  await assert.rejects(findFamily(refusing(1), "fou"), { code: "EPERM" });
});

test("what is no family, and what is malformed", () => {
  assert.equal(decodeFamily({ ...answer({ id: 1, name: "x" }), type: 17 }), undefined);
  assert.equal(decodeFamily(answer({ name: "x" })), undefined);
  const short = { ...answer({}), payload: Buffer.alloc(1) };
  assert.throws(() => decodeFamily(short), MalformedMessage);
});
