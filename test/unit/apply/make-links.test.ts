import assert from "node:assert/strict";
import { test } from "node:test";
import { makeLinks } from "../../../src/apply/make-links.ts";
import { RTM_NEWLINK } from "../../../src/kernel/link.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { KernelError } from "../../../src/netlink/errors.ts";
import type { Message, Request } from "../../../src/netlink/request.ts";
import type { LinkResource } from "../../../src/plan/resources.ts";
import { devices } from "../../support/devices.ts";

const link = (name: string, up = true): LinkResource => ({
  object: "link",
  tunnel: name,
  spec: {
    name,
    alias: `ours ${name}`,
    mtu: 1472,
    up,
    ipip: {
      local: ipAddress("192.0.2.1"),
      remote: ipAddress("240.0.0.1"),
      device: undefined,
      ttl: 0,
      tos: 0,
      pathMtuDiscovery: true,
      fwmark: 0,
      fou: { sourcePort: 1, destinationPort: 2, checksum: false },
    },
  },
});

const indexOf = ({ payload }: Request): number => Buffer.from(payload).readInt32LE(4);

/** A kernel that refuses the creations that `refuse` names, and then everything about that index. */
function kernel(refuse: (index: number) => KernelError | undefined, dump: () => Message[]) {
  const sent: (readonly Request[])[] = [];
  const requestAll = async (requests: readonly Request[]) => {
    sent.push(requests);
    const refused = new Set<number>();
    return requests.map((request) => {
      const index = indexOf(request);
      if (refused.has(index)) return new KernelError(request.operation, 19);
      const error = request.operation.includes(" index ") ? undefined : refuse(index);
      if (error !== undefined) refused.add(index);
      return error;
    });
  };
  return { sent, route: { requestAll, dump: async () => dump() } };
}

/** What a dump says of a device. */
function there(name: string, index: number): Message {
  const attribute = Buffer.alloc(4 + ((name.length + 4) & ~3));
  attribute.writeUInt16LE(4 + name.length + 1, 0);
  attribute.writeUInt16LE(3, 2);
  attribute.write(name, 4);
  const payload = Buffer.concat([Buffer.alloc(16), attribute]);
  payload.writeInt32LE(index, 4);
  return { type: RTM_NEWLINK, flags: 0, sequence: 0, payload };
}

test("creation, alias and up go out together, by one index that nobody has", async () => {
  const { sent, route } = kernel(
    () => undefined,
    () => [],
  );
  await makeLinks(route, [link("t0"), link("t1", false)], devices());
  const [requests = []] = sent;
  const operations = requests.map(({ operation }) => operation.replace(/index \d+/, "index N"));
  assert.deepEqual(operations, [
    "RTM_NEWLINK t0",
    "RTM_NEWLINK index N alias",
    "RTM_NEWLINK index N up",
    "RTM_NEWLINK t1",
    "RTM_NEWLINK index N alias",
  ]);
  const [a, b, c, d, e] = requests.map(indexOf);
  assert.ok(a !== undefined && a >= 1 << 20 && a === b && b === c && d === e && d !== a);
});

test("no datagram's worth of messages ends between a device and its alias", async () => {
  const { sent, route } = kernel(
    () => undefined,
    () => [],
  );
  const many = Array.from({ length: 100 }, (_, i) => link(`t${i}`));
  await makeLinks(route, many, devices());
  assert.deepEqual(
    sent.map(({ length }) => length),
    [120, 120, 60],
  );
});

test("an index that is taken meanwhile is chosen anew; only what was refused is made again", async () => {
  for (const errno of [17, 16]) {
    const indexes = [100, 101, 102];
    const { sent, route } = kernel(
      (index) => (index === 100 ? new KernelError("RTM_NEWLINK t0", errno) : undefined),
      () => [there("docker7", 100), there("t1", 101)],
    );
    await makeLinks(route, [link("t0"), link("t1")], devices(), () => indexes.shift() ?? 0);
    assert.deepEqual(
      sent.map((requests) => requests.map(indexOf)),
      [[100, 100, 100, 101, 101, 101], [100], [102, 102, 102]],
    );
  }
});

test("a name that is taken is the caller's business, and nothing is tried again", async () => {
  const refusal = new KernelError("RTM_NEWLINK t0", 17);
  const { sent, route } = kernel(
    () => refusal,
    () => [there("t0", 7)],
  );
  await assert.rejects(makeLinks(route, [link("t0")], devices()), refusal);
  assert.equal(sent.length, 1);
});

test("with every index taken it ends", async () => {
  const refusal = new KernelError("RTM_NEWLINK t0", 17);
  const { sent, route } = kernel(
    () => refusal,
    () => [there("docker7", 100)],
  );
  await assert.rejects(
    makeLinks(route, [link("t0")], devices(), () => 100),
    refusal,
  );
  assert.equal(sent.filter(([first]) => first?.operation === "RTM_NEWLINK t0").length, 5);
});

test("no index is given twice, however many are made", async () => {
  const { route } = kernel(
    () => undefined,
    () => [],
  );
  const lowest = (known: { name(index: number): string | undefined }): number => {
    let index = 100 + Math.floor(Math.random() * 200);
    while (known.name(index) !== undefined) index++;
    return index;
  };
  const many = Array.from({ length: 130 }, (_, i) => link(`t${i}`));
  const made = await makeLinks(route, many, devices(), lowest);
  assert.equal(new Set(made.values()).size, 130);
});
