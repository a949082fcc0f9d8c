/** What a ruleset says about its past: who was let in, and which ports were ours. Pure. */
import type { Element, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import { addressFromBytes, type Endpoint, type IpAddress, type Prefix } from "../../net/address.ts";
import { inner, type ip, udp } from "./fields.ts";
import {
  destinationPortMap,
  inPeerChain,
  knownSet,
  PREROUTING,
  peersMap,
  portsOf,
  realMap,
  toLocal,
  tunnelChain,
  tunnelIn,
} from "./names.ts";

/** An endpoint that is let in. */
export interface Proof {
  /** The interface's name. */
  readonly tunnel: string;
  readonly endpoint: Endpoint;
  /** Inner sources that it may use; empty where its chain is gone. */
  readonly inner: readonly Prefix[];
  /** The peer's id, where it has prefixes; single addresses carry none. */
  readonly peer: number | undefined;
  /** Milliseconds left; undefined: until it roams. */
  readonly remaining: number | undefined;
  /** What came in since the last proof, where elements are counted. */
  readonly received: { readonly packets: bigint; readonly bytes: bigint } | undefined;
}

/** Where a hub's packets go whose next hop is this: an outer address, or a translated peer's id. */
export interface Destination {
  /** The interface's name. */
  readonly tunnel: string;
  readonly nextHop: IpAddress;
  readonly endpoint: Endpoint;
}

/** A local address and port whose packets we check: a FOU listener there is ours. */
export interface Door {
  readonly tunnel: string;
  readonly local: IpAddress;
  readonly port: number;
}

/** By endpoint, each once. */
export function proofsIn(objects: readonly NftObject[]): Proof[] {
  const prefixes = new Map<string, Prefix[]>();
  for (const object of objects) {
    if (object.kind === "chain" && inPeerChain(object.name) !== undefined) {
      prefixes.set(object.name, object.rules.flatMap(prefixOf));
    }
  }
  const proofs = new Map<string, Proof>();
  for (const object of objects) {
    if (object.kind !== "element") continue;
    const proof = knownProof(object) ?? prefixProof(object, prefixes);
    if (proof === undefined) continue;
    const key = `${proof.tunnel} ${proof.endpoint.address} ${proof.endpoint.port}`;
    const other = proofs.get(key);
    proofs.set(key, other === undefined ? proof : merged(other, proof));
  }
  return [...proofs.values()];
}

/** What a hub's sending chain would write. */
export function destinationsIn(objects: readonly NftObject[]): Destination[] {
  const real = new Map<string, string>();
  for (const object of objects) {
    if (object.kind !== "element" || typeof object.data !== "string") continue;
    const tunnel = tunnelIn(object.set, realMap);
    if (tunnel !== undefined) real.set(`${tunnel} ${object.key}`, object.data);
  }
  const found: Destination[] = [];
  for (const object of objects) {
    if (object.kind !== "element" || typeof object.data !== "string") continue;
    const tunnel = tunnelIn(object.set, destinationPortMap);
    if (tunnel === undefined || object.data.length < 4) continue;
    const nextHop = addressFromBytes(Buffer.from(object.key, "hex"));
    const written = real.get(`${tunnel} ${object.key}`) ?? object.key;
    const address = addressFromBytes(Buffer.from(written, "hex"));
    if (nextHop === undefined || address === undefined) continue;
    found.push({ tunnel, nextHop, endpoint: { address, port: portOf(object.data) } });
  }
  return found;
}

export function doorsIn(objects: readonly NftObject[]): Door[] {
  const doors: Door[] = [];
  const add = (local: string, port: number, chain: string): void => {
    const tunnel = tunnelIn(chain, tunnelChain);
    if (tunnel !== undefined) doors.push({ tunnel, local: local as IpAddress, port });
  };
  for (const object of objects) {
    if (object.kind === "element") {
      const local = localIn(object.set, portsOf);
      const chain = gotoOf(object.data);
      if (local !== undefined && chain !== undefined) add(local, portOf(object.key), chain);
    } else if (object.kind === "chain") {
      const local = localIn(object.name, toLocal);
      if (local === undefined || object.name === PREROUTING) continue;
      for (const rule of object.rules) {
        const port = comparedWith(rule, udp.destinationPort);
        const chain = goalOf(rule);
        if (port !== undefined && chain !== undefined) add(local, portOf(port), chain);
      }
    }
  }
  return doors;
}

function localIn(name: string, make: (local: IpAddress) => string): string | undefined {
  const start = make("" as IpAddress);
  return name.startsWith(start) ? name.slice(start.length) : undefined;
}

/** A peer with single addresses: they stand in the key. */
function knownProof(element: Element): Proof | undefined {
  const tunnel = tunnelIn(element.set, knownSet);
  const key = Buffer.from(element.key, "hex");
  if (tunnel === undefined || key.length !== 12) return undefined;
  const address = addressFromBytes(key.subarray(8));
  const inner = address === undefined ? [] : [{ address, length: 32 }];
  return proof(element, tunnel, key, inner, undefined);
}

function prefixProof(
  element: Element,
  prefixes: ReadonlyMap<string, readonly Prefix[]>,
): Proof | undefined {
  const tunnel = tunnelIn(element.set, peersMap);
  const chain = gotoOf(element.data);
  const key = Buffer.from(element.key, "hex");
  if (tunnel === undefined || chain === undefined || key.length !== 8) return undefined;
  return proof(element, tunnel, key, prefixes.get(chain) ?? [], inPeerChain(chain)?.id);
}

function proof(
  { timeout, expires, counter }: Element,
  tunnel: string,
  key: Buffer,
  inner: readonly Prefix[],
  peer: number | undefined,
): Proof | undefined {
  const address = addressFromBytes(key.subarray(0, 4));
  if (address === undefined) return undefined;
  return {
    tunnel,
    endpoint: { address, port: key.readUInt16BE(4) },
    inner,
    peer,
    remaining: timeout > 0 ? (expires ?? timeout) : undefined,
    received: counter,
  };
}

/** One endpoint with several inner addresses. */
function merged(a: Proof, b: Proof): Proof {
  const received =
    a.received && b.received
      ? {
          packets: a.received.packets + b.received.packets,
          bytes: a.received.bytes + b.received.bytes,
        }
      : (a.received ?? b.received);
  return { ...a, inner: [...a.inner, ...b.inner], received };
}

/** The prefix that a rule of a peer's chain accepts; none for its other rules. */
function prefixOf(rule: Rule): Prefix[] {
  const accepts = rule.expressions.some(
    (expression) => expression.kind === "verdict" && expression.verdict.code === "accept",
  );
  if (!accepts) return [];
  const value = comparedWith(rule, inner.source);
  if (value === undefined) return [{ address: "0.0.0.0" as IpAddress, length: 0 }];
  const address = addressFromBytes(Buffer.from(value, "hex"));
  const mask = rule.expressions.find((expression) => expression.kind === "bitwise")?.mask;
  const bits = mask === undefined ? 32 : 32 - Math.log2(2 ** 32 - Number.parseInt(mask, 16));
  return address === undefined ? [] : [{ address, length: Math.round(bits) }];
}

/** The value that a rule compares a field with. */
function comparedWith({ expressions }: Rule, field: (typeof ip)["source"]): string | undefined {
  const at = expressions.findIndex(
    (expression) =>
      expression.kind === "payload" &&
      expression.base === field.base &&
      expression.offset === field.offset &&
      expression.length === field.length,
  );
  if (at < 0) return undefined;
  const compare = expressions.slice(at + 1, at + 3).find(({ kind }) => kind === "cmp");
  return compare?.kind === "cmp" ? compare.value : undefined;
}

function goalOf({ expressions }: Rule): string | undefined {
  const last = expressions.at(-1);
  return last?.kind === "verdict" ? gotoOf(last.verdict) : undefined;
}

function gotoOf(data: Element["data"]): string | undefined {
  return typeof data === "object" && data.code === "goto" ? data.chain : undefined;
}

function portOf(hex: string): number {
  return Number.parseInt(hex.slice(0, 4), 16);
}
