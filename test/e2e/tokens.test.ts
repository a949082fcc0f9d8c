/**
 * Tokens of many lengths and of every first byte, and the empty payload, in every form of tunnel: each is
 * recognised, from an endpoint that nobody has and again from the peer's own. One daemon holds them all.
 * (test/unit/plan/recognition.test.ts asks the rules themselves: every length with every first byte.)
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Injector } from "./support/inject.ts";
import { udp } from "./support/packets.ts";
import { Topology } from "./support/topology.ts";
import { openQueue, statusOf } from "./support/tunnels.ts";

interface Form {
  /** All peers in one tunnel, or one each. */
  readonly tunnel: "shared" | "own";
  /** Length of the one network in allowedIPs; undefined: none is written. */
  readonly network: number | undefined;
  readonly tokens: readonly Shape[];
}

/** A token by its length and its first byte. */
type Shape = readonly [length: number, first: number];

const lengths: readonly Shape[] = Array.from({ length: 334 }, (_, i) => [
  3 * i + 1,
  (i * 37) % 256,
]);
const firsts: readonly Shape[] = Array.from({ length: 256 }, (_, i) => [40, i]);
/** Where rules change their mind, with a first byte that an IPv4 header has and one that it has not. */
const edges: readonly Shape[] = [2, 15, 16, 19, 20, 21, 72, 73, 74, 168, 169, 999].flatMap(
  (length): Shape[] => [0x45, 0x80].map((first) => [length, first]),
);
const few = edges.filter(([length]) => [16, 20, 73, 168, 999].includes(length));

const forms: Readonly<Record<string, Form>> = {
  "direct, exact": { tunnel: "own", network: 32, tokens: few },
  "direct, prefixes": { tunnel: "own", network: 30, tokens: few },
  "direct, any source": { tunnel: "own", network: undefined, tokens: few },
  "hub, exact": { tunnel: "shared", network: 32, tokens: [...lengths, ...edges, ...firsts] },
  "hub, prefixes": { tunnel: "shared", network: 30, tokens: [...edges, ...firsts] },
};

interface Waited {
  readonly tunnel: string;
  readonly name: string;
  readonly peer: Readonly<Record<string, unknown>>;
  readonly listen: { readonly address: string; readonly port: number };
  readonly from: { readonly address: string; readonly port: number };
  readonly payload: Buffer;
}

/** As like an inner packet from the peer's network as a token may be. */
function tokenOf(
  [length, first]: Shape,
  inner: readonly number[],
  network: Form["network"],
): Buffer {
  const token = randomBytes(length);
  token[0] = first;
  const isVersion4 = first >> 4 === 4;
  if (length >= 4) token.writeUInt16BE(isVersion4 ? length ^ 1 : length, 2);
  if (length >= 16 && network !== 32) token.set(inner, 12);
  return token;
}

function waitedIn(form: Form, index: number): Waited[] {
  const address = `203.0.113.${10 + index}`;
  // The last one proves nothing, and sends nothing.
  return [...form.tokens, undefined].map((shape, i) => {
    const inner = [10, index, i >> 6, 4 * (i & 63) + 1];
    const from = { address: `198.18.${16 * index + (i >> 8)}.${i & 255}`, port: 1024 + i };
    const payload = shape === undefined ? Buffer.alloc(0) : tokenOf(shape, inner, form.network);
    const shared = form.tunnel === "shared";
    // Among others, nothing proves one but where it comes from.
    const none = shared
      ? { auth: "none", endpoint: `${from.address}:9`, pinAddress: true }
      : { auth: "none" };
    const proof = shape === undefined ? none : { tokenBase64: payload.toString("base64") };
    const allowedIPs =
      form.network === undefined ? undefined : [`${inner.join(".")}/${form.network}`];
    return {
      tunnel: shared ? `f${index}` : `f${index}-${i}`,
      name: `p${i}`,
      peer: { ...proof, allowedIPs },
      listen: { address, port: shared ? 10_000 : 10_000 + i },
      from,
      payload,
    };
  });
}

const waited = Object.values(forms).map(waitedIn);

describe("tokens", () => {
  let topology: Topology;
  let injector: Injector;
  let server: Daemon;
  let sent = 0;
  before(async () => {
    topology = await Topology.create();
    injector = await Injector.start(await topology.addStranger());
    const addresses = waited.flatMap(([one]) => (one === undefined ? [] : [one.listen.address]));
    await topology.server.sh(addresses.map((one) => `ip addr add ${one}/24 dev eth0`).join("\n"));
    const tunnels: Record<string, { listen: string; peers: Record<string, unknown> }> = {};
    for (const { tunnel, name, peer, listen } of waited.flat()) {
      tunnels[tunnel] ??= { listen: `${listen.address}:${listen.port}`, peers: {} };
      tunnels[tunnel].peers[name] = peer;
    }
    const queue = { ...openQueue, maxLength: 8192 };
    server = await Daemon.start(topology.server, { queue, tunnels });
  });
  after(async () => {
    await server.remove();
    await injector.stop();
    await topology.remove();
  });

  /** Sends each once; all must be taken, and nothing else may have come of them. */
  async function taken(those: readonly Waited[]): Promise<void> {
    const packets = those.map(({ listen, from, payload }) =>
      udp({
        source: from.address,
        sourcePort: from.port,
        destination: listen.address,
        destinationPort: listen.port,
        payload,
      }),
    );
    await injector.sendAll(packets, { pause: 0.001 });
    sent += packets.length;
    const counted = async () => (await statusOf(server)).queue;
    await eventually(async () => (await counted()).accepted >= sent, { timeout: 10_000 }).catch(
      () => undefined,
    );
    assert.deepEqual(await counted(), { received: sent, accepted: sent, refused: 0, dropped: 0 });
  }

  /** Addresses that the gate knows as somebody's. */
  async function known(index: number, { tunnel }: Form): Promise<number> {
    const of =
      tunnel === "shared"
        ? ["set", "ip", "ipipou", `endpoints-f${index}`]
        : ["table", "ip", "ipipou"];
    const listed = await topology.server.run("nft", "list", ...of);
    const addresses = new Set(listed.match(/\b198\.18\.\d+\.\d+\b/g));
    return [...addresses].filter((one) => Number(one.split(".")[2]) >> 4 === index).length;
  }

  for (const [index, [name, form]] of Object.entries(forms).entries()) {
    it(`are recognised in the form ${name}, from anywhere and from where their peer is`, async () => {
      const those = waited[index] ?? [];
      await taken(those);
      await eventually(async () => (await known(index, form)) === those.length, {
        what: `${those.length} endpoints`,
        interval: 500,
      });
      await taken(those);
      const { tunnels } = await statusOf(server);
      const found = new Map(
        tunnels.flatMap((one) => one.peers.map((peer) => [`${one.name}/${peer.name}`, peer])),
      );
      for (const { tunnel, name: peer, from } of those) {
        assert.equal(found.get(`${tunnel}/${peer}`)?.endpoint, `${from.address}:${from.port}`);
      }
    });
  }
});
