/**
 * What the kernel lets others change without telling anybody: FOU listeners, proxy neighbours, parameters.
 * A small look that is taken often; it changes nothing.
 */
import { dumpListeners, FOU_GENL_NAME, listenerEnds, listenerName } from "../kernel/fou.ts";
import { findFamily } from "../kernel/genetlink.ts";
import { IPPROTO_IPIP } from "../kernel/link.ts";
import { dumpProxies, proxyName } from "../kernel/neighbour.ts";
import { readSysctl } from "../kernel/sysctl.ts";
import { readUdpSockets } from "../kernel/udp-state.ts";
import type { Endpoint } from "../net/address.ts";
import type { Message } from "../netlink/request.ts";
import { ONE_DATAGRAM, place } from "./listeners.ts";
import type { Sockets } from "./sockets.ts";

export interface SilentWants {
  readonly listeners: boolean;
  readonly proxies: boolean;
  readonly sysctls: readonly string[];
}

/** As the kernel tells it: most looks find the bytes of the one before. */
export interface Silent {
  readonly listeners: readonly Message[];
  readonly proxies: readonly Message[];
  readonly sysctls: readonly (readonly [name: string, value: string | undefined])[];
  /** Of more parameters than are read in one look: whose turn is next. */
  readonly turn?: number;
}

/** Parameters that are read in one look: each costs 0.1 ms, and 1,000 tunnels can have 1,000. */
const SYSCTLS_AT_ONCE = 100;

/** @param before The look before this one. */
export async function lookAtSilent(
  { generic, route }: Pick<Sockets, "generic" | "route">,
  { listeners, proxies, sysctls }: SilentWants,
  before?: Silent,
): Promise<Silent> {
  const fou = listeners ? await findFamily(generic, FOU_GENL_NAME) : undefined;
  const listed = fou === undefined ? [] : await generic.dump(dumpListeners(fou));
  return {
    listeners: withUnlisted(listed, before?.listeners ?? [], boundPlaces),
    proxies: proxies ? await route.dump(dumpProxies()) : [],
    ...(await readInTurn(sysctls, before)),
  };
}

/** All at first; then some in each look, and the others are as they were. */
export async function readInTurn(
  names: readonly string[],
  before?: Pick<Silent, "sysctls" | "turn">,
  read: (name: string) => Promise<string | undefined> = readSysctl,
): Promise<Pick<Silent, "sysctls" | "turn">> {
  const known = before?.sysctls ?? [];
  const whole = names.length <= SYSCTLS_AT_ONCE || known.length !== names.length;
  const turn = before?.turn ?? 0;
  const sysctls = await Promise.all(
    names.map(async (name, i) => {
      const isItsTurn = (i - turn + names.length) % names.length < SYSCTLS_AT_ONCE;
      return whole || isItsTurn || known[i] === undefined
        ? ([name, await read(name)] as const)
        : known[i];
    }),
  );
  return { sysctls, turn: whole ? 0 : (turn + SYSCTLS_AT_ONCE) % names.length };
}

/**
 * Of a long list the kernel leaves some out (see listeners.ts), others whenever one has moved within it. What
 * was there and still has its socket is there. Pure.
 *
 * @param bound Names of all that have a socket.
 */
export function withUnlisted(
  listed: readonly Message[],
  before: readonly Message[],
  bound: () => ReadonlySet<string>,
): readonly Message[] {
  if (listed.length <= ONE_DATAGRAM) return listed;
  // What was added in the end last time is so again.
  if (equal(before.slice(0, listed.length), listed)) return before;
  const names = new Set(listed.map(listenerName));
  const missing = before.filter((message) => !names.has(listenerName(message)));
  if (missing.length === 0) return listed;
  const there = bound();
  return [...listed, ...missing.filter((message) => there.has(listenerName(message)))];
}

function boundPlaces(): ReadonlySet<string> {
  return new Set((readUdpSockets() ?? []).map(place));
}

/**
 * What has gone, or is another one, in words; undefined: nothing. Pure.
 *
 * @param mayBeOurs Whether a listener that is another one may be so by our own hand.
 */
export function silentChange(
  before: Silent,
  now: Silent,
  mayBeOurs: (listener: Message) => boolean = () => false,
): string | undefined {
  const lists = [
    [before.listeners, now.listeners, listenerName, "FOU listener", mayBeOurs],
    [before.proxies, now.proxies, proxyName, "proxy neighbour", () => false],
  ] as const;
  for (const [was, is, nameOf, kind, isOurs] of lists) {
    if (equal(was, is)) continue;
    const left = new Map(is.map((message) => [nameOf(message), message]));
    for (const message of was) {
      const name = nameOf(message);
      const there = left.get(name);
      if (there === undefined) return `the ${kind} ${name} was removed`;
      if (there.payload.equals(message.payload) || isOurs(there)) continue;
      return `the ${kind} ${name} was changed`;
    }
  }
  const values = new Map(before.sysctls);
  for (const [name, value] of now.sysctls) {
    if (!values.has(name) || values.get(name) === value) continue;
    return `${name.replaceAll("/", ".")} was set to ${value}`;
  }
  return undefined;
}

/** Whether it is as we make them: open, or to one of these. */
export function isListenerTo(endpoints: Iterable<Endpoint>, listener: Message): boolean {
  const { peer, peerPort, ipProtocol } = listenerEnds(listener);
  if (ipProtocol !== IPPROTO_IPIP) return false;
  if (peer === undefined) return true;
  for (const { address, port } of endpoints) {
    if (address === peer && port === peerPort) return true;
  }
  return false;
}

function equal(some: readonly Message[], others: readonly Message[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ payload }, i) => others[i]?.payload.equals(payload) === true)
  );
}
