/** The way of a packet that comes in: gate, outer route, listener, device, inner route. Pure. */
import type { PeerConfig, TunnelConfig } from "../../config/model.ts";
import { type Endpoint, formatEndpoint, type IpAddress } from "../../net/address.ts";
import { isPlain } from "../../plan/form.ts";
import { authentications, replies } from "../../plan/gate-of.ts";
import type { MachinePacket } from "../nftables/machine.ts";
import type { RouteAnswer } from "../route-lookup.ts";
import { closedTo } from "./closed.ts";
import { throughGate } from "./gate.ts";
import { deviceFor, listenerFor } from "./listening.ts";
import type { Explained, ExplainStep, Incoming, Scene, Verdict, Walk } from "./model.ts";
import { barePacket, endsOf, innerPacket, proofPayload, udpPacket } from "./packet.ts";
import type { Who } from "./who.ts";
import { describeIpip, describeRoute, dropped } from "./words.ts";

export function* walkIn(scene: Scene, who: Who, incoming: Incoming): Walk<Explained> {
  const { tunnel, peer, packet, from, source, anyPort } = incoming;
  const steps: ExplainStep[] = [];
  const door = who.door(tunnel);
  const bare = isBare(incoming);
  const sender = bare || anyPort ? from.address : formatEndpoint(from);
  const hasInner = bare || packet === "data";
  const end = yield* walk(scene, who, incoming, door, steps);
  return {
    ...{ direction: "in", packet, tunnel: tunnel.name, peer: peer?.name ?? null },
    from: sender,
    to: door === undefined ? null : bare ? door.address : formatEndpoint(door),
    source: hasInner ? (source ?? null) : null,
    destination: hasInner ? (tunnel.addresses[0]?.local ?? null) : null,
    steps,
    ...end,
  };
}

/** Without UDP: as data where the tunnel has none. */
function isBare({ packet, tunnel }: Incoming): boolean {
  return packet === "protocol 4" || isPlain(tunnel);
}

function* walk(
  scene: Scene,
  who: Who,
  incoming: Incoming,
  door: Endpoint | undefined,
  steps: ExplainStep[],
): Walk<Verdict> {
  const { tunnel, from, packet: kind } = incoming;
  if (door === undefined) {
    const what = `there is no device ${tunnel.interface} of ours, and no rule for it`;
    steps.push({ step: "tunnel", what });
    return dropped(
      `${tunnel.name} is not there`,
      "start ipipoud; `ipipoud --check` says what stands in its way",
    );
  }
  const iif = yield* arrivesBy(scene, who, tunnel, from.address, door.address);
  const packet = packetOf(scene, incoming, door, iif ?? "");
  const holdsPacket = isBare(incoming) || kind === "data";
  const gated = throughGate(scene, who, "in", packet, steps, { holdsPacket });
  if (gated.fate !== "accept") return closedTo(scene, who, incoming, gated);
  const { to } = endsOf(gated.packet);
  const lost = yield* outerRoute(from.address, to.address, iif, steps);
  if (lost !== undefined) return lost;
  if (!isBare(incoming)) {
    const listening = listenerFor(scene.observation.listeners, from, to, iif);
    steps.push({ step: "listener", what: listening.what });
    if (!listening.takes) return dropped(listening.why, listening.mend);
    if (kind !== "data") return dropped("it comes to FOU and holds no packet", null);
  }
  const device = deviceFor(scene.observation.links, from.address, to.address, iif);
  if (device?.ipip === undefined) {
    const what = `no ipip device is for ${from.address} at ${to.address}`;
    steps.push({ step: "device", what });
    return dropped(what, "start ipipoud, or reload it: it makes them");
  }
  steps.push({ step: "device", what: describeIpip(device) });
  return yield* innerRoute(tunnel, device.name, incoming.source, steps);
}

/** Where it comes in: the bound device, or else the one by which we would answer. */
function* arrivesBy(
  { observation }: Scene,
  who: Who,
  tunnel: TunnelConfig,
  from: IpAddress,
  local: IpAddress,
): Walk<string | undefined> {
  if (tunnel.listen.device !== undefined) return tunnel.listen.device;
  const mark = who.link(tunnel)?.ipip?.fwmark ?? 0;
  const answer = yield mark === 0 ? { to: from } : { to: from, mark };
  const device = "error" in answer ? undefined : answer.device;
  if (device !== undefined && device !== "lo" && who.tunnelOf(device) === undefined) return device;
  return observation.addresses.find((address) => address.local === local)?.device;
}

/** More than any proof, so that data is no proof by its length. */
const DATA = 228;
const JUNK = 40;

function packetOf(
  { now }: Scene,
  incoming: Incoming,
  door: Endpoint,
  device: string,
): MachinePacket {
  const { packet, tunnel, peer, from, source } = incoming;
  const inner = (bytes: number) =>
    innerPacket(source ?? from.address, tunnel.addresses[0]?.local ?? door.address, bytes);
  const taken = new Set([
    ...authentications(tunnel).map(({ payload }) => payload),
    ...replies(tunnel),
  ]);
  const free = (bytes: number): number => (taken.has(bytes) ? free(bytes + 1) : bytes);
  if (isBare(incoming)) return barePacket(from.address, door.address, inner(DATA), device);
  switch (packet) {
    case "protocol 4":
    case "data":
      return udpPacket(from, door, inner(free(DATA)), device);
    case "junk":
      return udpPacket(from, door, "2e".repeat(free(JUNK)), device);
    case "proof":
    case "answer":
      return udpPacket(from, door, proofPayload(proofLength(tunnel, peer) ?? 0, now), device);
  }
}

/** Bytes of what this peer, or else anybody, proves himself with to the tunnel; undefined: nothing is awaited. */
export function proofLength(
  tunnel: TunnelConfig,
  peer: PeerConfig | undefined,
): number | undefined {
  const of = peer === undefined ? tunnel : { peers: [peer] };
  const [awaited] = authentications(of);
  return awaited?.payload ?? replies(of)[0] ?? (peer && proofLength(tunnel, undefined));
}

function* outerRoute(
  from: IpAddress,
  to: IpAddress,
  iif: string | undefined,
  steps: ExplainStep[],
): Walk<Verdict | undefined> {
  // Nothing of this host has the address or a way back: the route look-up would be about nothing.
  if (iif === undefined) return undefined;
  const answer = yield { to, from, iif };
  if (!("error" in answer)) {
    steps.push({ step: "route", what: `${to} from ${from} by ${iif}: ${describeRoute(answer)}` });
    if (answer.type === "local") return undefined;
    return dropped(`${to} is no address of this host`, `give it to a device, or change \`listen\``);
  }
  const why = `${to} from ${from} by ${iif}: ${answer.error}`;
  steps.push({ step: "route", what: why });
  return refused(answer, from, iif);
}

/** The decapsulated packet: is it for us, and may it come from there. */
function* innerRoute(
  tunnel: TunnelConfig,
  device: string,
  source: IpAddress | undefined,
  steps: ExplainStep[],
): Walk<Verdict> {
  const to = tunnel.addresses[0]?.local;
  const ours = tunnel.interface === device;
  const where = ours ? `delivered on ${device}` : `delivered on ${device}, which is not ours`;
  if (to === undefined || source === undefined) {
    const why = to === undefined ? "has no inner address" : "asks for no inner source";
    steps.push({ step: "route", what: `${tunnel.name} ${why}: this host's routes decide` });
    return { outcome: "delivered", verdict: where, mend: null };
  }
  const answer = yield { to, from: source, iif: device };
  const what = `${to} from ${source} by ${device}`;
  if ("error" in answer) {
    steps.push({ step: "route", what: `${what}: ${answer.error}` });
    return refused(answer, source, device);
  }
  steps.push({ step: "route", what: `${what}: ${describeRoute(answer)}` });
  if (answer.type === "local") return { outcome: "delivered", verdict: where, mend: null };
  const on = `${where}, and forwarded by ${answer.device ?? "nothing"}`;
  return { outcome: "delivered", verdict: on, mend: null };
}

/** What fib_validate_source() and ip_route_input_slow() (net/ipv4) answer. */
function refused(
  { error }: Extract<RouteAnswer, { error: string }>,
  from: IpAddress,
  device: string,
) {
  switch (error) {
    case "EXDEV":
      return dropped(
        `rp_filter: the way back to ${from} is not by ${device}`,
        `make a route to ${from} by ${device} (allowedIPs does), or \`sysctl net.ipv4.conf.${device}.rp_filter=2\``,
      );
    case "EINVAL":
      return dropped(
        `a martian: ${from} is an address of this host, or none that comes in`,
        "it must come from another address",
      );
    default:
      return dropped(`no route (${error})`, `\`ip route get\` with iif ${device} tells more`);
  }
}
