/**
 * Every way to prove oneself, and what is answered: seen from outside by ping and tcpdump, with PyNaCl as
 * the other end where answers are concerned. One server and one client live through it all, with a tunnel
 * and an outer address of the server for each way.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { parseDatagram } from "../../src/wire/datagram.ts";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { newKeyPair } from "./support/keys.ts";
import { OldIpipou } from "./support/old-ipipou.ts";
import { bytesOf } from "./support/outer.ts";
import { udp } from "./support/packets.ts";
import { Topology } from "./support/topology.ts";
import { openQueue, type PeerState, peerOf, statusOf } from "./support/tunnels.ts";

type Keys = Readonly<Record<string, unknown>>;

interface Way {
  /** The client's peer on the server. */
  readonly waits: Keys;
  /** The server's peer on the client. */
  readonly dials: Keys;
  /** What tcpdump must see: these bytes, or so many. */
  readonly payload: Buffer | number;
  /** Of both tunnels. */
  readonly tunnel?: Keys;
}

const keys = { plain: newKeyPair(), mixed: newKeyPair() };
const token = "open sesame, and be quick about it";
/** Begins as an IPv4 header does, and is not printable. */
const bytes = Buffer.concat([Buffer.from([0x45, 0, 0, 63, 0xff]), randomBytes(59)]);
const nat = "198.51.100.2";
/** Of the client: within the NAT router's first ports, so that it keeps them. */
const clientPort = (number: number): number => 40_050 + number;
const pinned = (number: number): string => `${nat}:${clientPort(number)}`;

const ways: Readonly<Record<string, Way>> = {
  token: {
    waits: { token },
    dials: { token, authTtl: 9 },
    payload: Buffer.from(token),
    tunnel: { checksum: true },
  },
  tokenBase64: {
    waits: { tokenBase64: bytes.toString("base64") },
    dials: { tokenBase64: bytes.toString("base64") },
    payload: bytes,
    tunnel: { checksum: false },
  },
  key: {
    waits: { publicKey: keys.plain.publicKey },
    dials: { privateKey: keys.plain.privateKey },
    payload: 73,
  },
  secret: {
    waits: { publicKey: keys.mixed.publicKey, secret: "netprickle.com" },
    dials: { privateKey: keys.mixed.privateKey, secret: "netprickle.com" },
    payload: 73,
  },
  address: {
    waits: { auth: "none", endpoint: `${nat}:9`, pinAddress: true },
    dials: { auth: "none" },
    payload: 0,
  },
  port: {
    waits: { auth: "none", endpoint: `192.0.2.99:${clientPort(5)}`, pinPort: true },
    dials: { auth: "none" },
    payload: 0,
  },
  both: {
    waits: { auth: "none", endpoint: pinned(6), pinAddress: true, pinPort: true },
    dials: { auth: "none" },
    payload: 0,
  },
  none: { waits: { auth: "none" }, dials: { auth: "none" }, payload: 0 },
  "token, both": {
    waits: { token: "here I am", endpoint: pinned(8), pinAddress: true, pinPort: true },
    dials: { token: "here I am" },
    payload: 9,
  },
};
const names = Object.keys(ways);
const numberOf = (name: string): number => names.indexOf(name);

const serverAddress = (number: number): string => `203.0.113.${10 + number}`;
const innerOf = (number: number) => ({
  server: `172.28.${number}.1`,
  client: `172.28.${number}.2`,
});

/** What asks the server for answers: ipipou 0.1's client by PyNaCl. */
const asker = newKeyPair();
const askedKey = newKeyPair();
const shared = "netprickle.com";
const answering = { publicKey: asker.publicKey, secret: shared, replyOnAuth: true };
const answers: Readonly<Record<string, { tunnel?: Keys; peer: Keys; others?: Keys }>> = {
  signed: { tunnel: { privateKey: askedKey.privateKey }, peer: { ...answering, authTtl: 7 } },
  reversed: { peer: answering },
  token: { peer: { token: "tell me", replyOnAuth: true } },
  silent: { peer: { ...answering, replyOnAuth: false } },
  hub: {
    tunnel: { privateKey: askedKey.privateKey },
    peer: answering,
    others: { other: { token: "somebody else", allowedIPs: ["172.28.24.3/32"] } },
  },
  static: {
    peer: {
      auth: "none",
      endpoint: "198.51.100.50:5000",
      pinAddress: true,
      pinPort: true,
      replyOnAuth: true,
    },
  },
};
const askedNumber = (name: string): number => 20 + Object.keys(answers).indexOf(name);

/** Whom the client dials beside the ways: ipipou 0.1's server by PyNaCl, at an address each. */
const dialling = newKeyPair();
const dialled = { genuine: newKeyPair(), junk: newKeyPair() };
const oldServers: Readonly<Record<string, Keys>> = {
  genuine: { publicKey: dialled.genuine.publicKey, secret: shared },
  reversed: { secret: shared },
  token: { token: "whoever" },
  junk: { publicKey: dialled.junk.publicKey, secret: shared },
};
const oldAddress = (name: string): string =>
  `198.51.100.${60 + Object.keys(oldServers).indexOf(name)}`;
const openAddress = "198.51.100.69";
const hex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
const hexText = (text: string): string => Buffer.from(text).toString("hex");

describe("proofs", () => {
  let topology: Topology;
  let stranger: Host;
  let server: Daemon;
  let client: Daemon;
  let atServer: Capture;
  const ends: { stop(): Promise<unknown> }[] = [];
  const old = new Map<string, OldIpipou>();

  before(async () => {
    topology = await Topology.create();
    stranger = await topology.addStranger();
    const numbers = [...names.map(numberOf), ...Object.keys(answers).map(askedNumber)];
    await addAddresses(topology.server, numbers.map(serverAddress));
    await addAddresses(stranger, [...Object.keys(oldServers).map(oldAddress), openAddress]);
    atServer = await Capture.start(topology.server, "udp dst portrange 10000-10099", {
      args: ["-x"],
    });
    ends.push(atServer);
    server = await Daemon.start(topology.server, { queue: openQueue, tunnels: serverTunnels() });
    // The servers that are dialled know what to say before anybody asks.
    await Promise.all(
      [...Object.keys(oldServers).map((name) => [name, oldAddress(name)] as const)].map(
        async ([name, address]) => {
          old.set(name, await OldIpipou.start(stranger, "server", address, 10_000));
        },
      ),
    );
    old.set("open", await OldIpipou.start(stranger, "server", openAddress, 10_000));
    ends.push(...old.values());
    const knows = { key: hex(dialling.publicKey), secret: hexText(shared) };
    const seed = hex(dialled.genuine.privateKey);
    await old.get("genuine")?.tell({ ...knows, seed, answer: "signed" });
    await old.get("open")?.tell({ ...knows, seed, answer: "signed" });
    await old.get("reversed")?.tell({ ...knows, answer: "reversed" });
    await old.get("junk")?.tell({ ...knows, answer: "junk" });
    await old.get("token")?.tell({ token: hexText("whoever"), answer: "reversed" });
    client = await Daemon.start(topology.client, { tunnels: clientTunnels() });
  });
  after(async () => {
    await client.remove();
    await server.remove();
    for (const end of ends) await end.stop();
    await topology.remove();
  });

  function serverTunnels(): Keys {
    const tunnels = names.map((name, i) => [
      `way${i}`,
      waiting(i, { ...ways[name]?.waits, allowedIPs: [`${innerOf(i).client}/32`] }, ways[name]),
    ]);
    const asked = Object.entries(answers).map(([name, { peer, tunnel, others }]) => {
      const number = askedNumber(name);
      // One address: a longer proof may begin as any packet does.
      const allowedIPs = [`${innerOf(number).client}/32`];
      const asking = { ...peer, allowedIPs };
      return [`way${number}`, { ...waiting(number, asking, { tunnel: tunnel ?? {} }, others) }];
    });
    return Object.fromEntries([...tunnels, ...asked]);
  }

  function waiting(
    number: number,
    client: Keys,
    { tunnel }: { tunnel?: Keys } = {},
    others: Keys = {},
  ): Keys {
    return {
      listen: `${serverAddress(number)}:${10_000 + number}`,
      address: `${innerOf(number).server}/24`,
      peers: { client, ...others },
      ...tunnel,
    };
  }

  function clientTunnels(): Keys {
    const tunnels = names.map((name, i) => {
      const endpoint = `${serverAddress(i)}:${10_000 + i}`;
      const peer = { endpoint, allowedIPs: [`${innerOf(i).server}/32`], ...ways[name]?.dials };
      const address = `${innerOf(i).client}/24`;
      const listen = `:${clientPort(i)}`;
      return [`way${i}`, { listen, address, peers: { server: peer }, ...ways[name]?.tunnel }];
    });
    const peers = Object.entries(oldServers).map(([name, peer], i) => {
      const endpoint = `${oldAddress(name)}:10000`;
      return [name, { endpoint, keepalive: "1h", allowedIPs: [`172.29.0.${2 + i}/32`], ...peer }];
    });
    const hub = {
      address: "172.29.0.1/24",
      privateKey: dialling.privateKey,
      peers: Object.fromEntries(peers),
    };
    // Without allowedIPs whatever comes from there is data, but for an answer.
    const { publicKey } = dialled.genuine;
    const any = { endpoint: `${openAddress}:10000`, publicKey, secret: shared, keepalive: "1h" };
    const open = { address: "172.30.0.1/24", privateKey: dialling.privateKey, peers: { any } };
    return { ...Object.fromEntries(tunnels), hub, open };
  }

  async function addAddresses(host: Host, addresses: readonly string[]): Promise<void> {
    await host.sh(addresses.map((one) => `ip addr add ${one}/24 dev eth0`).join("\n"));
  }

  const peerAt = async (daemon: Daemon, tunnel: string, peer: string): Promise<PeerState> =>
    peerOf(await statusOf(daemon), peer, tunnel);
  const endpointOf = async (name: string): Promise<string | null> =>
    (await peerAt(server, `way${numberOf(name)}`, "client")).endpoint;
  const reaches = (name: string): Promise<boolean> =>
    topology.client.reaches(innerOf(numberOf(name)).server, 1);

  /** Whole packets to this way that the server's device has seen. */
  const packetsTo = (name: string): Buffer[] =>
    bytesOf(atServer.packets).filter(
      (packet) => packet.subarray(16, 20).join(".") === serverAddress(numberOf(name)),
    );
  const isData = (packet: Buffer): boolean => packet.readUInt16BE(24) === 8 + 84;

  for (const [name, { payload, tunnel, dials }] of Object.entries(ways)) {
    it(`lets in by ${name}: ping both ways, and the proof is what it should be`, async () => {
      await eventually(() => reaches(name), { what: `a ping by ${name}` });
      assert.ok(await topology.server.reaches(innerOf(numberOf(name)).client));
      assert.equal(await endpointOf(name), pinned(numberOf(name)));
      const length = typeof payload === "number" ? payload : payload.length;
      const proof = await eventually(() =>
        packetsTo(name).find((packet) => packet.readUInt16BE(24) === 8 + length),
      );
      const seen = parseDatagram(proof);
      if (typeof payload !== "number") assert.deepEqual(Buffer.from(seen?.payload ?? []), payload);
      // Two routers on the way.
      assert.equal(proof[8], Number(dials["authTtl"] ?? 64) - 2);
      assert.ok(hasGoodChecksum(proof), "the checksum of a proof");
      const data = await eventually(() => packetsTo(name).find(isData));
      assert.equal(data.readUInt16BE(26) !== 0, tunnel?.["checksum"] === true, "of data");
    });
  }

  it("lets nobody else in, and answers nothing", async () => {
    const before = await statusOf(server);
    const outside = await Capture.start(topology.server, `dst host ${stranger.address}`);
    const injector = await Injector.start(stranger);
    ends.push(injector);
    const to = (name: string, payload: Uint8Array, sourcePort = 4000) => {
      const number = numberOf(name);
      const destination = { destination: serverAddress(number), destinationPort: 10_000 + number };
      return udp({ source: stranger.address, sourcePort, ...destination, payload });
    };
    const empty = Buffer.alloc(0);
    const both = numberOf("both");
    const packets = [
      to("token", Buffer.from(`${token}!`)),
      to("token", Buffer.from(token.slice(1))),
      to("token", Buffer.from(token.toUpperCase())),
      to("token", empty),
      to("tokenBase64", randomBytes(bytes.length)),
      to("tokenBase64", Buffer.from(bytes.toString("base64"))),
      to("key", randomBytes(73)),
      to("secret", randomBytes(73)),
      to("address", empty),
      to("address", empty, clientPort(numberOf("address"))),
      to("port", empty),
      to("both", empty),
      to("both", empty, clientPort(both)),
      to("none", Buffer.from("x")),
      to("token, both", Buffer.from("here I am")),
      to("token, both", Buffer.from("here I am"), clientPort(numberOf("token, both"))),
    ];
    await injector.sendAll(packets);
    // The last of a known kind is refused, so all before it have been looked at.
    await injector.send(to("token", Buffer.from(token.toLowerCase().replace("o", "0"))));
    await eventually(
      async () => (await statusOf(server)).queue.refused >= before.queue.refused + 6,
    );
    assert.deepEqual(await outside.stop(), []);
    const peers = ({ tunnels }: typeof before) => tunnels.map((one) => one.peers[0]?.endpoint);
    assert.deepEqual(peers(await statusOf(server)), peers(before));
    for (const name of names) assert.ok(await reaches(name), name);
  });

  it("a pinned port comes from any address, a pinned address from any port, both from one place", async () => {
    const number = numberOf("port");
    const injector = await Injector.start(stranger);
    ends.push(injector);
    const from = { source: stranger.address, sourcePort: clientPort(number) };
    const to = { destination: serverAddress(number), destinationPort: 10_000 + number };
    const atStranger = await Capture.start(stranger, `udp and src host ${to.destination}`);
    await injector.send(udp({ ...from, ...to, payload: Buffer.alloc(0) }));
    await eventually(async () => (await endpointOf("port")) === `${stranger.address}:40055`);
    assert.ok(!(await topology.server.reaches(innerOf(number).client, 1)));
    await atStranger.packet(new RegExp(`> ${stranger.address}.40055: UDP, length 84`));
    await atStranger.stop();

    await topology.nat.changeMapping();
    client.process.child.kill("SIGUSR1");
    for (const name of ["token", "tokenBase64", "key", "secret", "address", "none"]) {
      await eventually(() => reaches(name), { what: `a ping by ${name} from another port` });
      assert.match((await endpointOf(name)) ?? "", /^198\.51\.100\.2:401\d\d$/);
    }
    for (const name of ["both", "token, both"]) {
      assert.ok(!(await reaches(name)), `${name} from another port`);
      assert.equal(await endpointOf(name), pinned(numberOf(name)));
    }
  });

  describe("answers of ours, judged by PyNaCl", () => {
    let one: OldIpipou;
    let two: OldIpipou;
    before(async () => {
      one = await OldIpipou.start(stranger, "client", stranger.address, 5000);
      two = await OldIpipou.start(stranger, "client", stranger.address, 5001);
      ends.push(one, two);
    });
    const ask = async (name: string, how: Keys, by = one): Promise<number> => {
      const number = askedNumber(name);
      return await by.tell({
        to: [serverAddress(number), 10_000 + number],
        seed: hex(asker.privateKey),
        secret: hexText(shared),
        key: hex(askedKey.publicKey),
        ...how,
      });
    };
    const answer = async (name: string, how: Keys = {}, by = one): Promise<string> => {
      const line = await by.line(/^answer/, await ask(name, how, by));
      const number = askedNumber(name);
      const from = ` from ${serverAddress(number)}:${10_000 + number}`;
      assert.ok(line.endsWith(from), line);
      return line.slice(0, -from.length);
    };

    it("signed with both keys, to proofs of every length, never longer than those", async () => {
      const outside = await Capture.start(topology.server, "udp src port 10020", {
        args: ["-x"],
      });
      assert.equal(await answer("signed"), "answer signed 73");
      for (const more of [1, 2, 40, 95]) {
        const how = { more: randomBytes(more).toString("hex") };
        assert.equal(await answer("signed", how), "answer signed 73", `${more} bytes more`);
      }
      const [packet] = bytesOf(await outside.stop());
      assert.equal(packet?.[8], 7, "authTtl");
      assert.ok(packet !== undefined && hasGoodChecksum(packet));
    });

    it("from a hub, to where the client is now", async () => {
      assert.equal(await answer("hub"), "answer signed 73");
      assert.equal(await answer("hub", {}, two), "answer signed 73");
      assert.equal(await answer("hub"), "answer signed 73");
    });

    it("in reverse without a key of ours, to a token, and to nothing", async () => {
      assert.equal(await answer("static", { seed: undefined, token: "" }), "answer reversed 0");
      assert.equal(await answer("reversed"), "answer reversed 73");
      assert.equal(await answer("reversed", { more: "00ff" }), "answer reversed 75");
      const how = { seed: undefined, token: hexText("tell me") };
      assert.equal(await answer("token", how), "answer reversed 7");
    });

    it("not where nobody asked for them, and not to what is refused", async () => {
      const from = await ask("silent", {});
      await ask("signed", { seed: randomBytes(32).toString("hex") });
      await ask("signed", { secret: hexText("another") });
      await ask("signed", { more: randomBytes(96).toString("hex") });
      await ask("token", { seed: undefined, token: hexText("tell mE") });
      // Whatever comes before this one's answer was wrong.
      await answer("token", { seed: undefined, token: hexText("tell me") });
      assert.equal(one.lines.slice(from).filter((line) => /^answer/.test(line)).length, 1);
      assert.equal(
        (await peerAt(server, `way${askedNumber("silent")}`, "client")).state,
        "authenticated",
      );
    });
  });

  describe("answers to us, made by PyNaCl", () => {
    const stateOf = async (name: string) => (await peerAt(client, "hub", name)).state;

    it("tell who is there, without any traffic: of several that are dialled, those that answer", async () => {
      for (const name of ["genuine", "reversed", "token"]) {
        await eventually(async () => (await stateOf(name)) === "authenticated", {
          what: `an answer from ${name}; the log:\n${client.log.join("\n")}`,
        });
        await old.get(name)?.line(/^good/);
      }
      const open = async () => (await peerAt(client, "open", "any")).state;
      await eventually(async () => (await open()) === "authenticated");
      assert.equal(await stateOf("junk"), "connecting");
    });

    it("change nothing where they can't be verified, and are told once", async () => {
      const junk = old.get("junk") ?? assert.fail("not started");
      for (let times = 0; times < 3; times++) {
        const from = junk.lines.length;
        client.process.child.kill("SIGUSR1");
        await junk.line(/^good 73/, from);
      }
      const { queue } = await statusOf(client);
      await eventually(async () => (await statusOf(client)).queue.refused >= 3, {
        what: `refusals, not ${JSON.stringify(queue)}`,
      });
      const told = client.log.filter((line) => /hub\/junk.*refused/.test(line));
      assert.equal(told.length, 1, told.join("\n"));
      assert.match(told[0] ?? "", /198\.51\.100\.63:10000.*did not sign/);
      assert.equal(await stateOf("junk"), "connecting");
    });

    it("are gone without where the queue is another's", async () => {
      const peers = { server: { endpoint: "198.51.100.70:10000", token: "anybody" } };
      const other = await Daemon.start(topology.client, {
        table: "other",
        tunnels: { other: { address: "172.31.0.1/24", peers } },
      });
      ends.push({ stop: () => other.remove() });
      await other.logs(/failed.*queue 26992 is held by another program, so answers are not heard/);
    });

    it("say when the last one was, and come again to each that is sent", async () => {
      const at = async () => (await peerAt(client, "hub", "genuine")).lastAuthentication ?? "";
      const before = await at();
      const genuine = old.get("genuine") ?? assert.fail("not started");
      const from = genuine.lines.length;
      client.process.child.kill("SIGUSR1");
      await genuine.line(/^good/, from);
      await eventually(async () => (await at()) > before);
      // One that falls silent is not dead by that alone: ipipou 0.1 answers who is new to it.
      assert.equal(await stateOf("genuine"), "authenticated");
    });
  });
});

/** RFC 768, over addresses, protocol, length and all of UDP. */
function hasGoodChecksum(packet: Buffer): boolean {
  const udpBytes = packet.subarray(20);
  if (udpBytes.readUInt16BE(6) === 0) return false;
  let sum = 17 + udpBytes.length;
  const all = Buffer.concat([packet.subarray(12, 20), udpBytes, Buffer.alloc(udpBytes.length % 2)]);
  for (let i = 0; i < all.length; i += 2) sum += all.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff;
}
