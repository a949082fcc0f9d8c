/** The way of a packet that goes to an inner address: route, nexthop, device, gate, outer route. Pure. */
import type { PeerConfig, TunnelConfig } from "../../config/model.ts";
import { type Endpoint, formatEndpoint, type IpAddress } from "../../net/address.ts";
import type { IpipAttributes, Link } from "../../net/objects.ts";
import { idOfPeer, isPlaceholder, nexthopId } from "../../plan/ids.ts";
import type { RouteAnswer } from "../route-lookup.ts";
import { throughGate } from "./gate.ts";
import type { Explained, ExplainStep, RouteQuestion, Scene, Verdict, Walk } from "./model.ts";
import { barePacket, endsOf, innerPacket, udpPacket } from "./packet.ts";
import type { Who } from "./who.ts";
import {
  changedByOthers,
  describeIpip,
  describeRoute,
  dropped,
  noProof,
  notReached,
  PROVE,
} from "./words.ts";

export interface Outgoing {
  readonly destination: IpAddress;
  /** undefined: as the host chooses. */
  readonly source: IpAddress | undefined;
  /** Whose address it is by the configuration. */
  readonly tunnel: TunnelConfig | undefined;
  readonly peer: PeerConfig | undefined;
}

type Found = Pick<Explained, "from" | "to"> & Verdict;

export function* walkOut(scene: Scene, who: Who, outgoing: Outgoing): Walk<Explained> {
  const { destination, source, tunnel, peer } = outgoing;
  const steps: ExplainStep[] = [];
  const found = yield* walk(scene, who, outgoing, steps);
  return {
    ...{ direction: "out", packet: "data" },
    ...{ tunnel: tunnel?.name ?? null, peer: peer?.name ?? null },
    ...{ from: found.from, to: found.to, source: source ?? null, destination, steps },
    ...{ outcome: found.outcome, verdict: found.verdict, mend: found.mend },
  };
}

function* walk(scene: Scene, who: Who, outgoing: Outgoing, steps: ExplainStep[]): Walk<Found> {
  const { destination, source, tunnel } = outgoing;
  const answer = yield source === undefined
    ? { to: destination }
    : { to: destination, from: source };
  if ("error" in answer) {
    steps.push({ step: "route", what: `${destination}: ${answer.error}` });
    return nowhere(noRoute(scene, who, outgoing, answer, steps));
  }
  steps.push({ step: "route", what: `${destination}: ${describeRoute(answer)}` });
  if (answer.type === "local") {
    const verdict = `delivered on this host: ${destination} is its own`;
    return nowhere({ outcome: "delivered", verdict, mend: null });
  }
  const link = scene.observation.links.find(({ name }) => name === answer.device);
  const carrier = who.tunnelOf(answer.device);
  if (link?.ipip === undefined || carrier === undefined) {
    const on = answer.device ?? "nothing";
    const mend =
      tunnel === undefined
        ? null
        : `another route is better than ${tunnel.name}'s: \`ip route get ${destination}\``;
    const verdict = `leaves by ${on}, which is no tunnel of ours`;
    return nowhere({ outcome: "elsewhere", verdict, mend });
  }
  steps.push({ step: "device", what: describeIpip(link) });
  const remote = remoteOf(scene, who, link.ipip, answer, destination, steps);
  return yield* encapsulated(scene, who, outgoing, { link, ipip: link.ipip, remote }, steps);
}

/** The kernel says no: for what we know of the peer, or for what we don't. */
function noRoute(
  scene: Scene,
  who: Who,
  { destination, tunnel, peer }: Outgoing,
  { error }: Extract<RouteAnswer, { error: string }>,
  steps: ExplainStep[],
): Verdict {
  if (tunnel === undefined || peer === undefined) {
    return dropped(`no route to ${destination} (${error})`, null);
  }
  const link = who.link(tunnel);
  if (link === undefined || !link.up) {
    const what = link === undefined ? "is not there" : "is down";
    steps.push({ step: "device", what: `${tunnel.interface} ${what}` });
    const mend = link === undefined ? "start ipipoud" : `\`ip link set ${tunnel.interface} up\``;
    return dropped(`${tunnel.interface} ${what}`, mend);
  }
  const id = nexthopId(idOfPeer(scene.ids, peer));
  const nexthop = nexthopOf(scene, id);
  if (nexthop?.kind === "blackhole") {
    steps.push({ step: "nexthop", what: `${id} (${peer.name}'s): blackhole` });
    return absent(who, tunnel, peer);
  }
  return dropped(
    `no route to ${destination} (${error})`,
    "`ipipoud --check` shows which route of ours is missing",
  );
}

function nexthopOf({ observation }: Scene, id: number) {
  for (const resource of observation.resources) {
    if (resource.object === "nexthop" && resource.spec.id === id) return resource.spec.to;
  }
  return undefined;
}

/** Where the device sends it: to its own remote, or to the next hop. */
function remoteOf(
  { observation }: Scene,
  who: Who,
  { remote }: IpipAttributes,
  { gateway, device }: Exclude<RouteAnswer, { error: string }>,
  destination: IpAddress,
  steps: ExplainStep[],
): IpAddress {
  if (remote !== undefined) return remote;
  if (gateway === undefined) {
    steps.push({ step: "nexthop", what: `none: the inner address is taken for the outer one` });
    return destination;
  }
  const id = observation.resources.flatMap((resource) =>
    resource.object === "nexthop" &&
    resource.spec.to.kind === "gateway" &&
    resource.spec.to.gateway === gateway &&
    resource.spec.to.device === device
      ? [resource.spec.id]
      : [],
  )[0];
  const name = id === undefined ? undefined : who.byNexthop(id);
  const whose = name === undefined ? "" : ` (${name}'s)`;
  const stands = isPlaceholder(gateway) ? ", an id that stands for its endpoint" : "";
  const number = id === undefined ? "" : `${id}${whose}: `;
  steps.push({ step: "nexthop", what: `${number}${gateway}${stands}` });
  return gateway;
}

interface Sending {
  readonly link: Link;
  readonly ipip: IpipAttributes;
  readonly remote: IpAddress;
}

function* encapsulated(
  scene: Scene,
  who: Who,
  { destination, source, tunnel, peer }: Outgoing,
  { link, ipip, remote }: Sending,
  steps: ExplainStep[],
): Walk<Found> {
  const from: Endpoint = { address: ipip.local, port: ipip.fou?.sourcePort ?? 0 };
  const to: Endpoint = { address: remote, port: ipip.fou?.destinationPort ?? 0 };
  const text = (end: Endpoint): string =>
    ipip.fou === undefined ? end.address : formatEndpoint(end);
  const what = ipip.fou === undefined ? "protocol 4" : "UDP";
  steps.push({ step: "encapsulation", what: `${what} ${text(from)} to ${text(to)}` });
  const lost = yield* outerRoute(scene, who, ipip, from.address, remote, steps);
  if (lost !== undefined) {
    const gone = tunnel !== undefined && peer !== undefined && isPlaceholder(remote);
    return nowhere(gone ? absent(who, tunnel, peer) : lost);
  }
  const inner = innerPacket(source ?? tunnel?.addresses[0]?.local ?? destination, destination, 84);
  const packet =
    ipip.fou === undefined
      ? barePacket(from.address, remote, inner, link.name)
      : udpPacket(from, to, inner, link.name);
  const gated = throughGate(scene, who, "out", packet, steps);
  if (gated.fate === undefined) {
    return nowhere(changedByOthers(gated.chain));
  }
  if (gated.fate === "drop") {
    if (tunnel !== undefined && peer !== undefined) return nowhere(absent(who, tunnel, peer));
    return nowhere(dropped(`the gate knows no endpoint for ${remote}`, null));
  }
  const ends = endsOf(gated.packet);
  const rewritten = ends.to.address !== to.address || ends.from.address !== from.address;
  if (rewritten) {
    // The device's mark has served its turn: the gate writes the same one.
    const again = { ...ipip, device: undefined };
    const stuck = yield* outerRoute(
      ...[scene, who, again, ends.from.address, ends.to.address, steps],
    );
    if (stuck !== undefined) return nowhere(stuck);
  }
  const verdict = `sent to ${text(ends.to)}`;
  return { from: text(ends.from), to: text(ends.to), outcome: "sent", verdict, mend: null };
}

function* outerRoute(
  scene: Scene,
  who: Who,
  { fwmark, device }: IpipAttributes,
  from: IpAddress,
  to: IpAddress,
  steps: ExplainStep[],
): Walk<Verdict | undefined> {
  const question: RouteQuestion = {
    to,
    ...(from === ANY ? {} : { from }),
    ...(fwmark === 0 ? {} : { mark: fwmark }),
    ...(device === undefined ? {} : { oif: device }),
  };
  const answer = yield question;
  const marked = fwmark === 0 ? "" : ` with mark 0x${fwmark.toString(16)}`;
  if ("error" in answer) {
    steps.push({ step: "route", what: `${to} from ${from}${marked}: ${answer.error}` });
    const own = scene.observation.addresses.some(({ local }) => local === from);
    if (!own && !isPlaceholder(from)) {
      return dropped(
        `${from} is no address of this host`,
        "give it to a device, or change `listen`",
      );
    }
    return dropped(`no route to ${to} (${answer.error})`, `\`ip route get ${to}\``);
  }
  steps.push({ step: "route", what: `${to} from ${from}${marked}: ${describeRoute(answer)}` });
  const loop = who.tunnelOf(answer.device);
  if (loop === undefined) return undefined;
  const why = `outer packets would go into ${loop.name}, a tunnel of ours`;
  return dropped(why, `a route to ${to} outside, or \`fwmark\``);
}

const ANY = "0.0.0.0";

/** The peer is known, and not there. */
function absent(who: Who, tunnel: TunnelConfig, peer: PeerConfig): Verdict {
  const standing = who.of(tunnel, peer);
  if (standing !== undefined) {
    const where = formatEndpoint(standing.endpoint);
    return dropped(
      `${peer.name} stands at ${where}, but the way there is not whole`,
      "reload ipipoud: it mends what is missing",
    );
  }
  if (peer.role !== "wait") {
    return dropped(...notReached(peer));
  }
  return dropped(noProof(peer), PROVE);
}

function nowhere(verdict: Verdict): Found {
  return { from: null, to: null, ...verdict };
}
