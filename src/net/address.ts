/**
 * Addresses as values: canonical text, so that `===`, Map keys and JSON just work, whatever the family.
 * Bytes exist only at the edges that need them.
 */
import { isIPv6, SocketAddress } from "node:net";

declare const ip: unique symbol;

/** An IPv4 or IPv6 address in its canonical spelling (RFC 5952 for IPv6). */
export type IpAddress = string & { readonly [ip]: true };

export type Family = "ipv4" | "ipv6";

/** A network: an address whose host bits are not necessarily zero, and a length in bits. */
export interface Prefix {
  readonly address: IpAddress;
  readonly length: number;
}

/** An outer address and a UDP port; port 0: none, as in IPIP without UDP. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export function parseAddress(text: string): IpAddress | undefined {
  if (isIpv4(text)) return text as IpAddress;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return new SocketAddress({ address: text, family: "ipv6" }).address as IpAddress;
}

/** For literals in our own source: throws where {@link parseAddress} gives undefined. */
export function ipAddress(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`"${text}" is no IP address`);
  return address;
}

export function familyOf(address: IpAddress): Family {
  return isDotted(address) ? "ipv4" : "ipv6";
}

/** The first dot of an IPv4 address is among its first four characters; of IPv6 only `::1.2.3.4` has one there. */
function isDotted(address: string): boolean {
  return (
    address.charCodeAt(0) !== COLON &&
    (address.charCodeAt(1) === DOT ||
      address.charCodeAt(2) === DOT ||
      address.charCodeAt(3) === DOT)
  );
}

const DOT = 0x2e;
const COLON = 0x3a;

/** Bits of an address of this family: 32 or 128. */
export function bitsOf(family: Family): number {
  return family === "ipv4" ? 32 : 128;
}

/** Network order; 4 or 16 bytes. */
export function addressBytes(address: IpAddress): Buffer {
  return familyOf(address) === "ipv4" ? ipv4Bytes(address) : ipv6Bytes(address);
}

/** Writes these bytes. */
export function writeAddress(address: IpAddress, into: Uint8Array, at: number): number {
  if (familyOf(address) === "ipv6") {
    into.set(ipv6Bytes(address), at);
    return at + 16;
  }
  const number = ipv4Number(address);
  into[at] = number >>> 24;
  into[at + 1] = number >>> 16;
  into[at + 2] = number >>> 8;
  into[at + 3] = number;
  return at + 4;
}

/** The address in 4 or 16 bytes of network order; undefined for any other length. */
export function addressFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length === 4) return bytes.join(".") as IpAddress;
  if (bytes.length !== 16) return undefined;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  }
  return parseAddress(groups.join(":"));
}

/** `A/LEN`, or `A` alone for a single host. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = bitsOf(familyOf(address));
  if (slash < 0) return { address, length: bits };
  const length = decimal(text, slash + 1, text.length);
  return length !== undefined && length <= bits ? { address, length } : undefined;
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

/** The same network with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const { address, length } = prefix;
  if (familyOf(address) === "ipv6") return ipv6NetworkOf(prefix);
  const number = ipv4Number(address);
  // A shift by 32 is one by 0.
  const network = length === 0 ? 0 : (number & (-1 << (32 - length))) >>> 0;
  return network === number ? prefix : { address: ipv4Text(network), length };
}

function ipv6NetworkOf(prefix: Prefix): Prefix {
  const bytes = ipv6Bytes(prefix.address);
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, prefix.length - i * 8));
    bytes[i] = (bytes[i] ?? 0) & (0xff << (8 - kept));
  }
  return { address: addressFromBytes(bytes) ?? prefix.address, length: prefix.length };
}

export function isHost(prefix: Prefix): boolean {
  return prefix.length === bitsOf(familyOf(prefix.address));
}

export function contains(prefix: Prefix, address: IpAddress): boolean {
  const family = familyOf(prefix.address);
  if (family !== familyOf(address)) return false;
  if (family === "ipv4") {
    const differing = (ipv4Number(prefix.address) ^ ipv4Number(address)) >>> 0;
    return differing < 2 ** (32 - prefix.length);
  }
  return networkOf({ address, length: prefix.length }).address === networkOf(prefix).address;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}

/** `203.0.113.1:10000`, `[2001:db8::1]:10000`; without a port the address alone. */
export function formatEndpoint(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  if (port === 0) return address;
  return familyOf(address) === "ipv6" ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The inverse of {@link formatEndpoint}; undefined for anything else, names included. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? "");
  const port = Number(match?.[3]);
  return address === undefined || !(port <= 65535) ? undefined : { address, port };
}

export function sameEndpoint(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return a?.address === b?.address && a?.port === b?.port;
}

function ipv4Bytes(address: IpAddress): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  writeAddress(address, bytes, 0);
  return bytes;
}

/** By hand: a hub's start asks a million times, and split() takes ten times as long. */
function ipv4Number(address: IpAddress): number {
  let number = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const character = address.charCodeAt(i);
    if (character === DOT) {
      number = number * 256 + part;
      part = 0;
    } else part = part * 10 + character - 0x30;
  }
  return number * 256 + part;
}

/** Four numbers up to 255 with dots between, none with a zero in front. */
function isIpv4(text: string): boolean {
  let start = 0;
  for (let dots = 0; ; dots++) {
    const dot = text.indexOf(".", start);
    const end = dot < 0 ? text.length : dot;
    const part = decimal(text, start, end);
    if (part === undefined || part > 255) return false;
    if (dot < 0) return dots === 3;
    start = dot + 1;
  }
}

/** The number that one to three digits stand for; none with a zero in front. */
function decimal(text: string, start: number, end: number): number | undefined {
  const digits = end - start;
  if (digits < 1 || digits > 3) return undefined;
  let number = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return digits > 1 && number < 10 ** (digits - 1) ? undefined : number;
}

function ipv4Text(number: number): IpAddress {
  const [a, b, c, d] = [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
  return `${a}.${b}.${c}.${d}` as IpAddress;
}

function ipv6Bytes(address: IpAddress): Buffer {
  const [head = "", tail] = expandDotted(address).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(8 - left.length - right.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...left, ...zeros, ...right].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  });
  return bytes;
}

/** `::ffff:192.0.2.1` to `::ffff:c000:201`: Node prints mapped addresses with a dotted tail. */
function expandDotted(address: string): string {
  const dotted = /[0-9.]+$/.exec(address)?.[0];
  if (dotted === undefined || !dotted.includes(".")) return address;
  const bytes = ipv4Bytes(dotted as IpAddress);
  const groups = `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
  return address.slice(0, -dotted.length) + groups;
}
