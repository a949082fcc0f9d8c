import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  changeLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  newLink,
  setLinkAlias,
  setLinkUp,
} from "../../src/kernel/link.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { IpipAttributes, Link, TunnelLink } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

const local = ipAddress("192.0.2.1");

const direct: TunnelLink = {
  name: "t0",
  alias: "ipipoud test",
  mtu: 1400,
  ipip: {
    local,
    remote: ipAddress("198.51.100.1"),
    device: "d0",
    ttl: 64,
    tos: 0x10,
    pathMtuDiscovery: true,
    fwmark: 5,
    fou: { sourcePort: 10000, destinationPort: 20000, checksum: true },
  },
};

describe("links and ipip devices", () => {
  let ns: Namespace;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
    ns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "d0");
    await ns.route.request(setLinkUp("d0"));
    await ns.route.request(setLinkUp("d1"));
  });
  after(() => ns.close());

  async function make(link: TunnelLink): Promise<void> {
    const devices = await ns.devices();
    const requests = [newLink(link, devices), setLinkAlias(link.name, link.alias)];
    const errors = await ns.route.requestAll([...requests, setLinkUp(link.name)]);
    assert.deepEqual(errors, [undefined, undefined, undefined]);
  }

  async function read(name: string): Promise<Link | undefined> {
    const [message] = await ns.route.request(getLink(name));
    return message === undefined ? undefined : decodeLink(message, await ns.devices());
  }

  async function change(link: TunnelLink): Promise<void> {
    const devices = await ns.devices();
    await ns.route.request(changeLink(devices.index(link.name) ?? 0, link, devices));
  }

  async function remove(name: string): Promise<void> {
    await ns.route.request(deleteLink((await ns.devices()).index(name) ?? 0));
  }

  /** What `ip -d link` says of an ipip device's attributes. */
  function judged(name: string): Record<string, unknown> {
    const [link] = ns.ip("-d", "link", "show", "dev", name) as [
      { linkinfo: { info_data: Record<string, unknown> } } & Record<string, unknown>,
    ];
    return { ...link.linkinfo.info_data, mtu: link["mtu"], ifalias: link["ifalias"] };
  }

  test("up and down, as ip sees it", async () => {
    const flags = (): string[] =>
      (ns.ip("link", "show", "dev", "d1") as [{ flags: string[] }])[0].flags;
    assert.ok(flags().includes("UP"));
    await ns.route.request(setLinkUp("d1", false));
    assert.ok(!flags().includes("UP"));
    assert.equal((await read("d1"))?.up, false);
    await ns.route.request(setLinkUp((await ns.devices()).index("d1") ?? 0));
    assert.ok(flags().includes("UP"));
  });

  test("a tunnel with everything, as ip sees it and as we read it back", async () => {
    await make(direct);
    const { encap, ...rest } = judged("t0");
    assert.deepEqual(rest, {
      proto: "ipip",
      remote: "198.51.100.1",
      local: "192.0.2.1",
      link: "d0",
      ttl: 64,
      tos: "0x10",
      pmtudisc: true,
      fwmark: "0x5",
      mtu: 1400,
      ifalias: "ipipoud test",
    });
    assert.deepEqual(encap, {
      type: "fou",
      sport: 10000,
      dport: 20000,
      csum: true,
      csum6: false,
      remcsum: false,
    });
    const { index, statistics, ...link } = (await read("t0")) ?? assert.fail();
    assert.ok(index > 1);
    assert.equal(typeof statistics?.rxBytes, "bigint");
    assert.deepEqual(link, { ...direct, kind: "ipip", up: true, carrier: true });
    await remove("t0");
  });

  test("the kernel ignores the alias of a new device: setLinkAlias() is needed", async () => {
    await ns.route.request(newLink(direct, await ns.devices()));
    assert.equal((await read("t0"))?.alias, undefined);
    await remove("t0");
  });

  test("a change leaves nothing as it was", async () => {
    await make(direct);
    const ipip: IpipAttributes = {
      local,
      remote: ipAddress("198.51.100.2"),
      device: undefined,
      ttl: 0,
      tos: 0,
      pathMtuDiscovery: true,
      fwmark: 0,
      fou: { sourcePort: 10001, destinationPort: 20001, checksum: false },
    };
    const changed: TunnelLink = { name: "t0", alias: "changed", mtu: 1300, ipip };
    const before = await read("t0");
    await change(changed);
    const now = await read("t0");
    assert.deepEqual(now?.ipip, ipip);
    assert.deepEqual([now?.alias, now?.mtu], ["changed", 1300]);
    assert.deepEqual([now?.index, now?.up], [before?.index, true]);
    await change({ ...changed, ipip: { ...ipip, fou: undefined } });
    assert.equal((await read("t0"))?.ipip?.fou, undefined);
    assert.equal(judged("t0")["encap"], undefined);
    await remove("t0");
  });

  test("a hub's device has any remote, keeps it, and is alone with its local address", async () => {
    const hub = { ...direct, ipip: { ...direct.ipip, remote: undefined } };
    await make(hub);
    assert.equal(judged("t0")["remote"], "any");
    assert.deepEqual((await read("t0"))?.ipip, hub.ipip);
    await assert.rejects(change(direct), { code: "EINVAL" });
    const devices = await ns.devices();
    await assert.rejects(ns.route.request(newLink({ ...hub, name: "t1" }, devices)), {
      code: "EEXIST",
      message: "RTM_NEWLINK t1: EEXIST",
    });
    await assert.rejects(ns.route.request(newLink({ ...hub, name: "d0" }, devices)), {
      code: "EEXIST",
    });
    await remove("t0");
  });

  test("no path-MTU discovery: with an inherited ttl alone, a fixed one turns it on", async () => {
    const ipip = { ...direct.ipip, pathMtuDiscovery: false };
    await make({ ...direct, ipip });
    assert.equal(judged("t0")["pmtudisc"], true);
    await remove("t0");
    await make({ ...direct, ipip: { ...ipip, ttl: 0 } });
    assert.equal(judged("t0")["pmtudisc"], false);
    assert.equal((await read("t0"))?.ipip?.pathMtuDiscovery, false);
    await remove("t0");
  });

  test("every link of the namespace, and one that isn't there", async () => {
    const devices = await ns.devices();
    const links = (await ns.route.dump(dumpLinks())).map((message) => decodeLink(message, devices));
    const names = (ns.ip("link") as { ifname: string }[]).map(({ ifname }) => ifname);
    assert.deepEqual(links.map((link) => link?.name).sort(), names.sort());
    const veth = links.find((link) => link?.name === "d0");
    assert.deepEqual([veth?.kind, veth?.ipip], ["veth", undefined]);
    assert.ok((veth?.statistics?.txBytes ?? -1n) >= 0n);
    const bytes = async (ipv6Statistics: boolean): Promise<number> => {
      const messages = await ns.route.dump(dumpLinks(ipv6Statistics));
      return messages.reduce((sum, { payload }) => sum + payload.length, 0);
    };
    assert.ok((await bytes(false)) <= (await bytes(true)));
    await assert.rejects(ns.route.request(getLink("none0")), { code: "ENODEV" });
    await assert.rejects(ns.route.request(deleteLink(9999)), { code: "ENODEV" });
  });

  test("1,000 tunnels in one go", async () => {
    const devices = await ns.devices();
    const links = Array.from({ length: 1000 }, (_, i): TunnelLink => {
      const remote = ipAddress(`203.0.${113 + (i >> 8)}.${i & 255}`);
      const ipip = { ...direct.ipip, remote };
      return { ...direct, name: `m${i}`, ipip };
    });
    const requests = links.flatMap((link) => [
      newLink(link, devices),
      setLinkAlias(link.name, link.alias),
    ]);
    const errors = await ns.route.requestAll(requests);
    assert.deepEqual(errors.filter(Boolean), []);
    const now = await ns.devices();
    const found = (await ns.route.dump(dumpLinks())).map((message) => decodeLink(message, now));
    const ours = found.filter((link) => link?.name.startsWith("m"));
    assert.equal(ours.length, 1000);
    assert.ok(ours.every((link) => link?.alias === direct.alias && link.ipip?.device === "d0"));
  });
});
