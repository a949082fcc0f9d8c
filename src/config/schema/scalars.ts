/**
 * How single values are written: durations, rates, addresses, names, keys. Each is a pure function from
 * the text to the value or to a complaint that never holds the text.
 */
import {
  bitsOf,
  contains,
  type Endpoint,
  familyOf,
  type IpAddress,
  ipAddress,
  networkOf,
  type Prefix,
  parseAddress,
  parsePrefix,
} from "../../net/address.ts";
import { LOCAL_TABLE, MAIN_TABLE } from "../../net/objects.ts";
import { Complaint } from "../complaint.ts";
import type { InnerAddress, Listen, Mark, Ports } from "../model.ts";

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Timers of Node take 31 bits of milliseconds and fire at once for more. */
const longest = 596;

const durationMend = "write 500ms, 27s, 5m or 1h";

/** Milliseconds. */
export function readDuration(text: string): number | Complaint {
  const match = /^(0|[1-9][0-9]{0,9})(ms|s|m|h)$/.exec(text);
  const unit = match?.[2] as keyof typeof unitMs | undefined;
  if (unit === undefined) return new Complaint("not a duration", durationMend);
  const value = Number(match?.[1]) * unitMs[unit];
  return value > longest * unitMs.h
    ? new Complaint("too long a duration", `at most ${longest}h`)
    : value;
}

/** How often something is done: milliseconds. */
export function readInterval(text: string): number | Complaint {
  const value = readDuration(text);
  if (value instanceof Complaint || value >= 1000) return value;
  return new Complaint("less than a second", "want at least 1s");
}

/** Packets a second. */
export function readRate(text: string): number | Complaint {
  const match = /^([1-9][0-9]{0,6})\/s$/.exec(text);
  return match === null ? new Complaint("not a rate", "write 10/s") : Number(match[1]);
}

/** A packet mark: decimal, or hexadecimal with 0x. */
export function readMark(text: string): number | Complaint {
  const value = /^(?:0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text) ? Number(text) : Number.NaN;
  return value <= 0xffffffff
    ? value
    : new Complaint("not a mark", "write 1 or 0x1, at most 0xffffffff");
}

/** `1`, `0x1/0xff` */
export function readMaskedMark(text: string): Mark | Complaint {
  const [valueText = "", maskText, more] = text.split("/");
  const value = readMark(valueText);
  const mask = maskText === undefined ? 0xffff_ffff : readMark(maskText);
  if (more !== undefined || value instanceof Complaint || mask instanceof Complaint) {
    return new Complaint("not a mark", "write 1 or 0x1/0xff, at most 0xffffffff");
  }
  if (mask === 0 || (value & ~mask) >>> 0 !== 0) {
    return new Complaint("a mark with bits outside its mask", "write 0x1/0xff, or no mask");
  }
  return Object.freeze({ value, mask });
}

/** Number of a routing table; `local` is the kernel's own. */
export function readTable(text: string): number | Complaint {
  if (text === "main") return MAIN_TABLE;
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= 0xffff_ffff && value !== LOCAL_TABLE
    ? value
    : new Complaint("not a routing table", "write main, or a number but 0 and 255");
}

/** A network, or `default`. */
export function readDestination(text: string): Prefix | Complaint {
  return text === "default" ? everything : readPrefix(text);
}

/** `25`, `1000-2000` */
export function readPorts(text: string): Ports | Complaint {
  const [, one = "", other = one] = /^([0-9]+)(?:-([0-9]+))?$/.exec(text) ?? [];
  const [first, last] = [readPort(one), readPort(other)];
  if (first instanceof Complaint || last instanceof Complaint) {
    return new Complaint("not a port", "write 25, or 1000-2000; ports are 1 to 65535");
  }
  return first <= last
    ? Object.freeze({ first, last })
    : new Complaint("the last port before the first", "write the smaller one first");
}

/** Of those that people name; the others have their numbers (IANA, "Protocol Numbers"). */
const protocols: Readonly<Record<string, number>> = {
  ...{ icmp: 1, igmp: 2, ipip: 4, tcp: 6, udp: 17, gre: 47, esp: 50, ah: 51, ospf: 89, sctp: 132 },
};

export function readProtocol(text: string): number | Complaint {
  if (Object.hasOwn(protocols, text)) return protocols[text] ?? 0;
  const value = /^[0-9]{1,3}$/.test(text) ? Number(text) : 256;
  return value >= 1 && value <= 255
    ? value
    : new Complaint("not a protocol", `write ${Object.keys(protocols).join(", ")} or a number`);
}

export const wantTos = "write inherit, or 0 to 0xfc without the lowest two bits, which are ECN's";

/** Type of service; the kernel takes 1 for the inner packet's. */
export function readTos(text: string): number | Complaint {
  if (text === "inherit") return 1;
  const value = /^(?:0x[0-9a-fA-F]{1,2}|[0-9]{1,3})$/.test(text) ? Number(text) : Number.NaN;
  return value <= 0xfc && value % 4 === 0 ? value : new Complaint("not a TOS", wantTos);
}

/** net/core/dev.c dev_valid_name(), and nothing that would surprise in a shell or in /proc. */
export function checkInterfaceName(name: string): Complaint | undefined {
  if (name.length > 15) {
    return new Complaint(`${name.length} characters, an interface's name has at most 15`);
  }
  const printable = /^[!-~]+$/.test(name) && !/[/:%]/.test(name);
  if (!printable || [".", "..", "all", "default"].includes(name)) {
    return new Complaint("not a name for an interface");
  }
  return undefined;
}

export function readInterfaceName(name: string): string | Complaint {
  const complaint = checkInterfaceName(name);
  if (complaint === undefined) return name;
  return new Complaint(complaint.what, "1 to 15 printable characters, no / : % and space");
}

const noIpv6 = new Complaint("IPv6 is not supported yet by this version", "write an IPv4 address");

/** What a host can have as its address. */
export function readUnicast(text: string): IpAddress | Complaint {
  const address = parseAddress(text);
  if (address === undefined)
    return new Complaint("not an IP address", "write one such as 203.0.113.1");
  if (familyOf(address) === "ipv6") return noIpv6;
  return checkUnicast(address) ?? address;
}

const unspecified = ipAddress("0.0.0.0");
const everything: Prefix = Object.freeze({ address: unspecified, length: 0 });
const multicast: Prefix = { address: ipAddress("224.0.0.0"), length: 4 };
/** Placeholders for peers without an endpoint; routed by Linux and used by nobody. */
const classE: Prefix = { address: ipAddress("240.0.0.0"), length: 4 };

function checkUnicast(address: IpAddress): Complaint | undefined {
  if (address === unspecified) {
    return new Complaint("0.0.0.0 is not a host's address", "write the address, or none at all");
  }
  if (contains(multicast, address)) {
    return new Complaint("a multicast address", "write the address of one host");
  }
  return contains(classE, address) ? ownClassE : undefined;
}

const ownClassE = new Complaint(
  "240.0.0.0/4 is not usable: ipipoud takes its placeholders from it",
  "choose another address",
);

/** `[ADDRESS][:PORT][@DEVICE]` */
export function readListen(text: string): Listen | Complaint {
  const match = /^(\[[^\]]*\]|[^:@[\]]*)(?::([^:@]*))?(?:@(.*))?$/s.exec(text);
  if (match === null && /^[0-9a-fA-F:.]+(@.*)?$/s.test(text)) return noIpv6;
  if (match === null || text === "") {
    return new Complaint("not a place to listen", "write [ADDRESS][:PORT][@DEVICE]");
  }
  const [, host = "", portText, device] = match;
  if (/^[0-9]+$/.test(host)) {
    return new Complaint(
      "an address that is a number",
      'a port alone has a colon before it: ":10000"',
    );
  }
  const address = host === "" ? undefined : readUnicast(host.replace(/^\[|\]$/g, ""));
  if (address instanceof Complaint) return address;
  const port = portText === undefined ? undefined : readPort(portText);
  if (port instanceof Complaint) return port;
  const name = device === undefined ? undefined : readInterfaceName(device);
  if (name instanceof Complaint) return name;
  return Object.freeze({ address, port, device: name });
}

const loopback = ipAddress("127.0.0.1");

/** `PORT` or `:PORT`, on this host's loopback alone, or `ADDRESS:PORT` of either family. */
export function readMetricsListen(text: string): Endpoint | Complaint {
  const match = /^(\[[^\]]*\]|[^:[\]]*):?([^:]*)$/.exec(/^[0-9]*$/.test(text) ? `:${text}` : text);
  if (match === null) {
    return new Complaint("neither PORT nor ADDRESS:PORT", "write 9787, or [2001:db8::1]:9787");
  }
  const [, host = "", portText = ""] = match;
  const address = host === "" ? loopback : parseAddress(host.replace(/^\[(.*)\]$/, "$1"));
  if (address === undefined) {
    return new Complaint(
      "no address to listen at",
      "write 9787 for this host alone, or 0.0.0.0:9787",
    );
  }
  if (portText === "") return new Complaint("no port", `write ${host}:9787`);
  const port = readPort(portText);
  return port instanceof Complaint ? port : Object.freeze({ address, port });
}

function readPort(text: string): number | Complaint {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : new Complaint("not a port", "a port is 1 to 65535");
}

export const noPort = new Complaint("not HOST:PORT", "write hub.example.net:10000");

const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const hostName = new RegExp(`^${label}(?:\\.${label})*\\.?$`);

/** `HOST:PORT`, or `HOST` alone, which gives port 0; RFC 1123 names, and `_` for who uses it. */
export function readEndpoint(text: string): { host: string; port: number } | Complaint {
  const match = /^(\[[^\]]*\]|[^:[\]]+)(?::([^:]*))?$/.exec(text);
  if (match === null) {
    return (text.match(/:/g) ?? []).length > 1 ? noIpv6 : noPort;
  }
  const [, hostText = "", portText] = match;
  const port = portText === undefined ? 0 : readPort(portText);
  if (port instanceof Complaint) return port;
  if (hostText.startsWith("[")) return noIpv6;
  // A last label of digits alone would be taken for an address by resolvers: RFC 3696, section 2.
  if (/(?:^|\.)[0-9]+\.?$/.test(hostText)) {
    const host = readUnicast(hostText);
    return host instanceof Complaint ? host : Object.freeze({ host, port });
  }
  if (hostText.length > 253 || !hostName.test(hostText)) {
    return new Complaint("neither a host name nor an address", "write hub.example.net:10000");
  }
  return Object.freeze({ host: hostText, port });
}

/** `A/LEN`, or `A` alone for a single address. */
export function readInnerAddress(text: string): InnerAddress | Complaint {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    return new Complaint("not an address with a length", "write 172.28.0.1/24");
  if (familyOf(prefix.address) === "ipv6") return noIpv6;
  const complaint = checkUnicast(prefix.address);
  if (complaint !== undefined) return complaint;
  return Object.freeze({ local: prefix.address, length: prefix.length, peer: undefined });
}

/** `{ local: A, peer: B }` */
export function readPointToPoint(local: string, peer: string): InnerAddress | Complaint {
  const ours = readUnicast(local);
  if (ours instanceof Complaint) return ours;
  const theirs = readUnicast(peer);
  if (theirs instanceof Complaint) return theirs;
  return Object.freeze({ local: ours, length: bitsOf(familyOf(theirs)), peer: theirs });
}

/** A network; bits behind its length are cleared, as everybody who routes does. */
export function readPrefix(text: string): Prefix | Complaint {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return new Complaint("not a network", "write 172.28.0.0/24");
  if (familyOf(prefix.address) === "ipv6") return noIpv6;
  if (prefix.length >= classE.length && contains(classE, prefix.address)) return ownClassE;
  return Object.freeze(networkOf(prefix));
}

/** 32 bytes in base64, as `wg genkey` prints them: 43 characters and a `=`. */
export function readKey(text: string): Buffer | Complaint {
  const bytes = readBase64(text);
  if (bytes instanceof Complaint) return bytes;
  return bytes.length === 32
    ? bytes
    : new Complaint(`${bytes.length} bytes, want 32`, "`ipipoud keygen` makes a key");
}

/** RFC 4648, section 4, canonical: no line breaks, with padding, unused bits zero. */
export function readBase64(text: string): Buffer | Complaint {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    return new Complaint("not base64", "only A-Z a-z 0-9 + / and = at the end, on one line");
  }
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") === text) return bytes;
  if (text.replace(/=+$/, "").length % 4 === 1) {
    return new Complaint("base64 cut short", "copy the whole text");
  }
  return text.length % 4 !== 0
    ? new Complaint("base64 without its closing =", "copy the whole text")
    : new Complaint("base64 with unused bits that are not zero", "copy it from where it was made");
}

/** NFT_NAME_MAXLEN, and what `nft` can write as a name. */
export function readTableName(text: string): string | Complaint {
  return /^[A-Za-z][A-Za-z0-9/\\_.-]{0,254}$/.test(text)
    ? text
    : new Complaint(
        "not a name for an nf_tables table",
        "a letter, then letters, digits and _ . - /",
      );
}
