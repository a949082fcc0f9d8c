import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  addListener,
  decodeListener,
  deleteListener,
  dumpListeners,
  FOU_GENL_NAME,
} from "../../src/kernel/fou.ts";
import { findFamily, type GenericFamily } from "../../src/kernel/genetlink.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Devices, FouListener } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

const local = ipAddress("192.0.2.1");

function listener(port: number, rest: Partial<FouListener> = {}): FouListener {
  return {
    port,
    local: undefined,
    peer: undefined,
    peerPort: undefined,
    device: undefined,
    ipProtocol: 4,
    type: "direct",
    ...rest,
  };
}

const connected = listener(10000, { local, peer: ipAddress("192.0.2.2"), peerPort: 20000 });

describe("FOU listeners", () => {
  let ns: Namespace;
  let devices: Devices;
  let family: GenericFamily;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
    ns.run("ip", "link", "set", "dev", "d0", "up");
    ns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "d0");
    devices = await ns.devices();
    const found = await findFamily(ns.generic, FOU_GENL_NAME);
    assert.ok(found, "this kernel has no family fou: run in the lab");
    family = found;
  });
  after(() => ns.close());

  const add = (one: FouListener) => ns.generic.request(addListener(family, one, devices));
  const remove = (one: FouListener) => ns.generic.request(deleteListener(family, one, devices));

  async function read(): Promise<FouListener[]> {
    const messages = await ns.generic.dump(dumpListeners(family));
    return messages.flatMap((message) => decodeListener(family, message, devices) ?? []);
  }

  function judged(): string[] {
    const lines = ns.run("ip", "fou", "show").trim().split("\n");
    return lines.map((line) => line.trim()).filter((line) => line !== "");
  }

  test("a family that isn't there is undefined", async () => {
    assert.equal(await findFamily(ns.generic, "no-such-family"), undefined);
  });

  test("of every form, as ip sees them and as we read them back", async () => {
    const forms: [FouListener, string][] = [
      [connected, "port 10000 ipproto 4 local 192.0.2.1 peer 192.0.2.2 peer_port 20000"],
      [listener(10001), "port 10001 ipproto 4"],
      [listener(10002, { local }), "port 10002 ipproto 4 local 192.0.2.1"],
      [listener(10003, { local, device: "d0" }), "port 10003 ipproto 4 local 192.0.2.1 dev d0"],
    ];
    for (const [form, text] of forms) {
      await add(form);
      assert.deepEqual(await read(), [form]);
      assert.deepEqual(judged(), [text]);
      await assert.rejects(add(form), { code: "EADDRINUSE" });
      await remove(form);
      assert.deepEqual(await read(), []);
    }
  });

  test("someone else's GUE is told apart", async () => {
    ns.run("ip", "fou", "add", "port", "10004", "gue");
    assert.deepEqual(
      (await read()).map(({ port, type }) => [port, type]),
      [[10004, "gue"]],
    );
    for (const one of await read()) await remove(one);
  });

  test("deleting must match in everything", async () => {
    await add(connected);
    const others: Partial<FouListener>[] = [
      { port: 10009 },
      { local: undefined },
      { peer: ipAddress("192.0.2.3") },
      { peer: undefined, peerPort: undefined },
      { peerPort: 20001 },
      { device: "d0" },
    ];
    for (const other of others) {
      await assert.rejects(remove({ ...connected, ...other }), { code: "EINVAL" });
    }
    await remove(connected);
    await assert.rejects(remove(connected), { code: "EINVAL" });
  });

  test("two on one address and port exclude each other, with whatever peers", async () => {
    await add(connected);
    await assert.rejects(add({ ...connected, peerPort: 20001 }), { code: "EADDRINUSE" });
    await assert.rejects(add(listener(10000)), { code: "EADDRINUSE" });
    await remove(connected);
  });

  test("a connected listener needs a way to its peer, and a blackhole is none", async () => {
    const away = { ...connected, peer: ipAddress("240.0.0.1") };
    await assert.rejects(add(away), { code: "ENETUNREACH" });
    ns.run("ip", "route", "add", "blackhole", "240.0.0.0/4");
    await assert.rejects(add(away), { code: "EINVAL" });
    ns.run("ip", "route", "replace", "unreachable", "240.0.0.0/4");
    await assert.rejects(add(away), { code: "EHOSTUNREACH" });
    ns.run("ip", "route", "del", "unreachable", "240.0.0.0/4");
    assert.deepEqual(await read(), []);
  });
});
