/** What is written into a store, for how long, and what becomes of it when members and leases go. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { PublishConfig, StoreOrigin } from "../../../../src/config/model.ts";
import { ipAddress } from "../../../../src/net/address.ts";
import { Publisher, wantedOf } from "../../../../src/tunnel/directory/publisher.ts";
import type { TunnelEvent } from "../../../../src/tunnel/events.ts";
import type { Peer } from "../../../../src/tunnel/peers.ts";
import { eventually } from "../../../e2e/support/eventually.ts";
import { at, configuration, inner, peer, prefix, tunnel } from "../../../support/configuration.ts";
import { FakeEtcd, type Fault, refuse } from "../../../support/fake-etcd.ts";
import { world } from "../../../support/tunnel.ts";

const publicKey = Buffer.alloc(32, 1).toString("base64");
const quick = { timeout: 15_000, interval: 10 };
const fleet = tunnel("fleet", [peer("10.0.0.9", { allowedIPs: [prefix("10.0.0.9/32")] })], {
  addresses: [inner("10.0.0.1/24"), inner("10.0.0.8/32")],
});

interface Facts {
  /** What stands in the store of us. */
  readonly seen?: string;
  readonly report?: boolean;
  /** null: not known. */
  readonly outer?: string | null;
}

function written(
  endpoint: PublishConfig["endpoint"],
  { seen, report = false, outer = "198.51.100.1:7777" }: Facts = {},
) {
  const { peers, tunnels } = world(configuration([fleet]));
  for (const one of peers.all()) tunnels.proven(one, at("203.0.113.9:40001"));
  const options = {
    ...{ tunnel: fleet, publicKey, outer: () => (outer === null ? undefined : at(outer)) },
    ...{ publish: { endpoint, report, lease: 30_000 }, peers: () => peers.all() },
  };
  return wantedOf(options, async (name) => (name === "seen/10.0.0.1" ? seen : undefined)).then(
    (wanted) =>
      Object.fromEntries([...wanted].map(([name, text]) => [name, JSON.parse(text) as unknown])),
  );
}

describe("what is written of us", () => {
  const rest = { publicKey, allowedIPs: ["10.0.0.8/32"] };

  it("is our outer address, or what is written out", async () => {
    assert.deepEqual(await written("own"), {
      "10.0.0.1": { host: "198.51.100.1", port: 7777, ...rest },
    });
    assert.deepEqual(await written("own", { outer: null }), {});
    assert.deepEqual(await written({ host: "vps1.example.org", port: 0 }), {
      "10.0.0.1": { host: "vps1.example.org", port: 7777, ...rest },
    });
  });

  it("is where a hub saw us, and that it was a hub", async () => {
    const seen = '{"host": "203.0.113.5", "port": 1024}';
    assert.deepEqual(await written("seen", { seen }), {
      "10.0.0.1": { host: "203.0.113.5", port: 1024, ...rest, seen: true },
    });
    const open = '{"host": "198.51.100.1", "port": 7777}';
    assert.deepEqual(await written("seen", { seen: open }), {
      "10.0.0.1": { host: "198.51.100.1", port: 7777, ...rest },
    });
    for (const nothing of [undefined, "{"]) {
      const options = nothing === undefined ? {} : { seen: nothing };
      assert.deepEqual(await written("seen", options), { "10.0.0.1": { port: 7777, ...rest } });
    }
    assert.deepEqual(await written("none"), { "10.0.0.1": { port: 7777, ...rest } });
  });

  it("is who came to us, where we are a hub", async () => {
    assert.deepEqual(await written(undefined, { report: true }), {
      "seen/10.0.0.9": { host: "203.0.113.9", port: 40001 },
    });
  });
});

describe("a publication", () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start(members = 1, hub: { peers?: () => Iterable<Peer>; fault?: Fault } = {}) {
    const etcd = await FakeEtcd.start({ members });
    ends.push(() => etcd.stop());
    if (hub.fault !== undefined) etcd.faults.set(0, hub.fault);
    const from: StoreOrigin = {
      ...{ kind: "store", members: etcd.urls, prefix: "/f/", user: undefined, password: undefined },
      ...{ caFile: undefined, certFile: undefined, keyFile: undefined, publish: undefined },
    };
    const events: TunnelEvent[] = [];
    let port = 7777;
    let known = 0;
    const publisher = new Publisher({
      ...{ tunnel: fleet, from, publicKey, peers: hub.peers ?? (() => []) },
      publish: { endpoint: "own", report: hub.peers !== undefined, lease: 600 },
      outer: () => ({ address: ipAddress("198.51.100.1"), port }),
      emit: (event) => void events.push(event),
      known: () => {
        known++;
      },
    });
    ends.push(() => publisher.close(false));
    const stands = (wanted = 7777) =>
      eventually(() => {
        const stored = etcd.keys.get("/f/10.0.0.1");
        const ours = stored?.lease !== undefined && etcd.leases.has(stored.lease);
        return ours && (JSON.parse(stored.value) as { port: number }).port === wanted;
      }, quick);
    const said = () => events.map(({ event, reason }) => `${event} ${reason}`);
    const move = (to: number): void => {
      port = to;
    };
    return { etcd, publisher, stands, said, move, known: () => known };
  }

  it("lasts as long as it is kept alive, follows us, and goes when we do", async () => {
    const { etcd, publisher, stands, move, said, known } = await start();
    await stands();
    await eventually(() => known() === 1, quick);
    const [lease] = etcd.leases.keys();
    await eventually(() => (etcd.leases.get(lease ?? "")?.kept ?? 0) > 2, quick);
    assert.equal(etcd.asked.filter((path) => path === "kv/put").length, 1);
    move(7778);
    await stands(7778);
    await publisher.close(true);
    assert.deepEqual([[...etcd.keys], [...etcd.leases]], [[], []]);
    assert.deepEqual(said(), []);
  });

  it("stays for the lease's time where somebody takes over from us", async () => {
    const { etcd, publisher, stands } = await start();
    await stands();
    await publisher.close(false);
    assert.equal(etcd.leases.size, 1);
  });

  it("is written again when its lease has ended", async () => {
    const { etcd, stands } = await start();
    await stands();
    for (const lease of [...etcd.leases.keys()]) etcd.expire(lease);
    assert.equal(etcd.keys.size, 0);
    await stands();
  });

  it("keeps its lease alive while much is written slowly", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `10.0.1.${i}`);
    const many = names.map((name) => peer(name, { allowedIPs: [prefix(`${name}/32`)] }));
    const { peers, tunnels } = world(configuration([tunnel("fleet", many)]));
    for (const one of peers.all()) tunnels.proven(one, at("203.0.113.9:40001"));
    const slow: Fault = (path) => {
      const until = performance.now() + (path === "kv/put" ? 40 : 0);
      while (performance.now() < until);
      return false;
    };
    const { etcd } = await start(1, { peers: () => peers.all(), fault: slow });
    await eventually(() => etcd.keys.size === 41, quick);
    const parts = etcd.asked.join(" ").split(/lease\/\w+/);
    const most = Math.max(...parts.map((part) => part.split("kv/put").length - 1));
    assert.ok(most <= 10, `${most} written without a sign of life`);
    assert.equal(etcd.asked.filter((path) => path === "kv/put").length, 41);
  });

  it("leaves alone what another hub has written since, when it goes here and when a lease ends", async () => {
    const { peers, tunnels } = world(configuration([fleet]));
    for (const one of peers.all()) tunnels.proven(one, at("203.0.113.9:40001"));
    let ours = [...peers.all()];
    const { etcd, publisher, stands } = await start(1, { peers: () => ours });
    const seen = "/f/seen/10.0.0.9";
    const there = () => etcd.keys.get(seen)?.value;
    await eventually(() => there() !== undefined, quick);
    const another = JSON.stringify({ host: "203.0.113.77", port: 1 });
    etcd.put({ [seen]: another }, "another hub's");
    // Ours is written anew, but it is old.
    for (const lease of [...etcd.leases.keys()]) etcd.expire(lease);
    await stands();
    await eventually(() => etcd.asked.slice(-3).includes("lease/keepalive"), quick);
    assert.equal(there(), another);
    // It comes to us again.
    for (const one of ours) tunnels.proven(one, at("203.0.113.9:40002"));
    await eventually(() => there()?.includes("40002") === true, quick);
    etcd.put({ [seen]: another }, "another hub's");
    ours = [];
    const asked = etcd.asked.length;
    await eventually(
      () => etcd.asked.slice(asked).filter((path) => path === "lease/keepalive").length > 2,
      quick,
    );
    assert.equal(there(), another);
    await publisher.close(true);
    assert.equal(there(), another);
  });

  it("takes what nobody else has written since away when it goes here", async () => {
    const { peers, tunnels } = world(configuration([fleet]));
    for (const one of peers.all()) tunnels.proven(one, at("203.0.113.9:40001"));
    let ours = [...peers.all()];
    const { etcd } = await start(1, { peers: () => ours });
    await eventually(() => etcd.keys.has("/f/seen/10.0.0.9"), quick);
    for (const lease of [...etcd.leases.keys()]) etcd.expire(lease);
    await eventually(() => etcd.keys.has("/f/seen/10.0.0.9"), quick);
    ours = [];
    await eventually(() => !etcd.keys.has("/f/seen/10.0.0.9"), quick);
  });

  it("goes on with another member, and says once that there is none", async () => {
    const { etcd, stands, said, move } = await start(2);
    await stands();
    etcd.kill(0);
    move(7778);
    await stands(7778);
    assert.deepEqual(said(), []);
    etcd.kill(1);
    const trouble = "failed store /f/: we can't be written there: connection refused";
    await eventually(() => said().includes(trouble), quick);
    for (const member of [0, 1]) await etcd.revive(member);
    move(7779);
    await stands(7779);
    await eventually(() => said().length === 2, quick);
    assert.deepEqual(said(), [trouble, "recovered store /f/: we are written there again"]);
  });

  it("says that it may not", async () => {
    const { etcd, said } = await start();
    etcd.faults.set(0, (path, response) => {
      if (path !== "kv/put") return false;
      refuse(response, 403, 7, "etcdserver: permission denied");
      return true;
    });
    await eventually(() => said().length > 0, quick);
    assert.deepEqual(said(), [
      "failed store /f/: we can't be written there: etcdserver: permission denied",
    ]);
  });
});
