/** What is measured: how the tested end gets its tunnel. The peer's end is always bare FOU. */
import { Daemon } from "../e2e/support/daemon.ts";
import { newKeyPair } from "../e2e/support/keys.ts";
import {
  type Ends,
  peerAddress,
  peerInner,
  peerPort,
  testedAddress,
  testedInner,
  testedPort,
} from "./ends.ts";

export interface Ready {
  /** Addresses to send to: at the tested end and at the peer. */
  readonly tested: string;
  readonly peer: string;
  readonly end?: () => Promise<void>;
}

export interface Scenario {
  readonly name: string;
  readonly prepare: (ends: Ends) => Promise<Ready>;
}

const inner = { tested: testedInner, peer: peerInner };

export const scenarios: readonly Scenario[] = [
  {
    name: "no tunnel",
    prepare: async () => ({ tested: testedAddress, peer: peerAddress }),
  },
  {
    name: "bare FOU",
    prepare: async (ends) => {
      await ends.fouOnPeer();
      await ends.fouOnTested();
      return inner;
    },
  },
  { name: "direct, exact", prepare: (ends) => served(ends, [`${peerInner}/32`], 0) },
  { name: "direct, prefixes", prepare: (ends) => served(ends, ["172.28.0.0/24"], 0) },
  { name: "hub, 1 peer", prepare: (ends) => served(ends, [`${peerInner}/32`], 1) },
  { name: "hub, 10000 peers", prepare: (ends) => served(ends, [`${peerInner}/32`], 9_999) },
  { name: "hub, 100000 peers", prepare: (ends) => served(ends, [`${peerInner}/32`], 99_999) },
  { name: "translated peer", prepare: (ends) => served(ends, [`${peerInner}/32`], 0, "peer") },
  { name: "translated tunnel", prepare: (ends) => served(ends, [`${peerInner}/32`], 0, "tunnel") },
];

/**
 * A daemon at the tested end, to which the peer proves itself by a daemon of its own; that one is then
 * stopped and gives way to bare FOU on the same port. `waiting` further peers never come.
 *
 * @param beside Who is at the peer's address before it: another peer of the hub, or another tunnel's.
 */
async function served(
  ends: Ends,
  allowedIPs: string[],
  waiting: number,
  beside?: "peer" | "tunnel",
): Promise<Ready> {
  const keys = newKeyPair();
  const peers: Record<string, unknown> = {
    peer: { publicKey: keys.publicKey, secret: "bench", allowedIPs },
  };
  for (let number = 0; number < waiting; number++) {
    // A token each: a port takes 256 keys.
    peers[`waiting${number}`] = {
      token: `token-of-peer-${number}`,
      allowedIPs: [`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}/32`],
    };
  }
  const listen = `${testedAddress}:${testedPort}`;
  const first = {
    ...{ endpoint: `${peerAddress}:9`, auth: "none", pinAddress: true },
    allowedIPs: ["10.255.0.1/32"],
  };
  const address = `${testedInner}/24`;
  const tunnels = {
    ipipou0: { listen, address, peers: beside === "peer" ? { ...peers, first } : peers },
    ...(beside === "tunnel" && {
      ipipou1: { listen: `${testedAddress}:${testedPort + 10}`, peers: { first } },
    }),
  };
  const hub = await Daemon.start(ends.tested, { tunnels });
  const client = await Daemon.start(
    ends.peer,
    `tunnels:
  ipipou0:
    listen: "${peerAddress}:${peerPort}"
    address: ${peerInner}/24
    privateKey: ${keys.privateKey}
    peers:
      hub: { endpoint: "${testedAddress}:${testedPort}", secret: bench, allowedIPs: [172.28.0.0/24] }
`,
  );
  await hub.logs(/\bauthenticated\b/);
  await client.stop();
  await client.remove();
  await ends.fouOnPeer();
  return { ...inner, end: () => hub.remove() };
}
