import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isListenerTo,
  readInTurn,
  type Silent,
  silentChange,
  withUnlisted,
} from "../../../src/apply/silent.ts";
import { addListener } from "../../../src/kernel/fou.ts";
import { newProxy } from "../../../src/kernel/neighbour.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { FouListener } from "../../../src/net/objects.ts";
import type { Message, Request } from "../../../src/netlink/request.ts";
import { at } from "../../support/configuration.ts";
import { devices } from "../../support/devices.ts";

const known = devices({ eth0: 2 });
const message = ({ type, payload }: Request): Message => ({
  ...{ type, flags: 0, sequence: 0 },
  payload: Buffer.from(payload),
});

function listener(port: number, over: Partial<FouListener> = {}): Message {
  const spec: FouListener = {
    ...{ port, local: ipAddress("203.0.113.1"), peer: undefined, peerPort: undefined },
    ...{ device: undefined, ipProtocol: 4, type: "direct" },
    ...over,
  };
  return message(addListener({ name: "fou", id: 30, version: 1 }, spec, known));
}

function silent(over: Partial<Silent> = {}): Silent {
  return { listeners: [listener(1), listener(2)], proxies: [], sysctls: [], ...over };
}

test("what has gone is said, whoever was at work; what is another one, only where it was not us", () => {
  assert.equal(silentChange(silent(), silent()), undefined);
  assert.equal(
    silentChange(silent(), silent({ listeners: [listener(2)] }), () => true),
    "the FOU listener 203.0.113.1:1 was removed",
  );
  const peer = { peer: ipAddress("198.51.100.2"), peerPort: 9 };
  const moved = silent({ listeners: [listener(1), listener(2, peer)] });
  assert.equal(
    silentChange(silent(), moved, () => true),
    undefined,
  );
  assert.equal(silentChange(silent(), moved), "the FOU listener 203.0.113.1:2 was changed");
  assert.equal(
    silentChange(silent(), silent({ listeners: [listener(3), listener(2), listener(1)] })),
    undefined,
  );
});

test("a listener is as we make them where it is open, or connected to somebody whom we know", () => {
  const known = [at("198.51.100.2:9")];
  const to = (peer: string, peerPort: number) => ({ peer: ipAddress(peer), peerPort });
  assert.ok(isListenerTo(known, listener(1)));
  assert.ok(isListenerTo(known, listener(1, to("198.51.100.2", 9))));
  assert.ok(!isListenerTo(known, listener(1, to("198.51.100.2", 8))));
  assert.ok(!isListenerTo(known, listener(1, to("198.51.100.3", 9))));
  assert.ok(!isListenerTo(known, listener(1, { ipProtocol: 41 })));
});

test("what a long list leaves out is there as long as it has its socket", () => {
  const all = Array.from({ length: 100 }, (_, i) => listener(1 + i));
  const bound = (...not: number[]) => {
    const ports = all.map((_, i) => 1 + i).filter((port) => !not.includes(port));
    return () => new Set(ports.map((port) => `203.0.113.1:${port}`));
  };
  const without = (...ports: number[]) => all.filter((_, i) => !ports.includes(1 + i));
  const first = withUnlisted(without(33, 66), [], bound());
  assert.equal(first.length, 98);
  const second = withUnlisted(without(33, 67), first, bound());
  assert.equal(
    silentChange(silent({ listeners: first }), silent({ listeners: second })),
    undefined,
  );
  assert.equal(
    withUnlisted(without(33, 67), second, () => assert.fail()),
    second,
  );
  const third = withUnlisted(without(33, 66), second, bound(67));
  assert.equal(
    silentChange(silent({ listeners: second }), silent({ listeners: third }), () => true),
    undefined,
  );
  const fourth = withUnlisted(without(34, 67), third, bound(67));
  assert.equal(
    silentChange(silent({ listeners: third }), silent({ listeners: fourth }), () => true),
    "the FOU listener 203.0.113.1:67 was removed",
  );
  // A short list is whole.
  assert.deepEqual(withUnlisted(all.slice(1, 20), all.slice(0, 20), bound()), all.slice(1, 20));
});

test("proxy neighbours and parameters", () => {
  const proxy = { address: ipAddress("203.0.113.77"), device: "eth0", protocol: 105 };
  const before = silent({
    proxies: [message(newProxy(proxy, known))],
    sysctls: [["net/ipv4/ip_forward", "1"]],
  });
  assert.equal(
    silentChange(before, { ...before, proxies: [] }, () => true),
    "the proxy neighbour 203.0.113.77 on device 2 was removed",
  );
  const off = { ...before, sysctls: [["net/ipv4/ip_forward", "0"] as const] };
  assert.equal(silentChange(before, off), "net.ipv4.ip_forward was set to 0");
});

test("of more parameters than are read in one look each has its turn", async () => {
  const names = Array.from({ length: 250 }, (_, i) => `net/ipv4/conf/t${i}/rp_filter`);
  let value = "2";
  let asked = 0;
  const look = async (before?: Silent): Promise<Silent> => {
    asked = 0;
    const read = async (): Promise<string> => {
      asked++;
      return value;
    };
    return { ...silent(), ...(await readInTurn(names, before, read)) };
  };
  let before = await look();
  assert.equal(asked, 250);
  value = "1";
  const changed: (string | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const now = await look(before);
    assert.equal(asked, 100);
    assert.deepEqual(
      now.sysctls.map(([name]) => name),
      names,
    );
    changed.push(silentChange(before, now));
    before = now;
  }
  const wasSet = (i: number) => `net.ipv4.conf.t${i}.rp_filter was set to 1`;
  assert.deepEqual(changed, [wasSet(0), wasSet(100), wasSet(200), undefined]);
  assert.ok(before.sysctls.every(([, is]) => is === "1"));

  const few = await readInTurn(names.slice(0, 3), undefined, async () => "0");
  const again = await readInTurn(names.slice(0, 3), few, async () => "1");
  assert.deepEqual(
    again.sysctls.map(([, is]) => is),
    ["1", "1", "1"],
  );
});
