import assert from "node:assert/strict";
import { test } from "node:test";
import { errnoName, KernelError, NoReply } from "../../../src/netlink/errors.ts";

test("operation, errno and the kernel's words in one line", () => {
  const error = new KernelError("RTM_NEWROUTE 10.0.0.0/8", 22, {
    text: "Nexthop id does not exist",
  });
  assert.equal(error.message, "RTM_NEWROUTE 10.0.0.0/8: EINVAL (Nexthop id does not exist)");
  assert.equal(error.code, "EINVAL");
  assert.equal(error.kernelText, "Nexthop id does not exist");
  assert.equal(new KernelError("X", 17).message, "X: EEXIST");
  assert.equal(
    new KernelError("X", 22, { missingAttribute: 4 }).message,
    "X: EINVAL (attribute 4 is missing)",
  );
  assert.equal(new NoReply("X", "closed").message, "X: closed");
});

test("names of errno as the kernel's sources have them", () => {
  assert.equal(errnoName(95), "EOPNOTSUPP");
  assert.equal(errnoName(11), "EAGAIN");
  assert.equal(errnoName(524), "ENOTSUPP");
  assert.equal(errnoName(1), "EPERM");
  assert.equal(errnoName(4000), "errno 4000");
});
