/**
 * What ipipou 0.1 makes of its options: which of several holds, its defaults, what it refuses to start
 * with. One set of options is one tunnel.
 */
import { Complaint } from "../config/complaint.ts";
import type { Problem } from "../config/problems.ts";
import { type IpAddress, ipAddress } from "../net/address.ts";
import { type Given, parseOptions } from "./argparse.ts";
import { type Field, nameOf } from "./options.ts";
import { addressPlus, isPort, readBase64, readInteger, readIpv4 } from "./values.ts";
import { type Origin, problemAt, type Word } from "./words.ts";

/** A value and the options that it comes from; none where it is ipipou 0.1's default. */
export interface Setting<T> {
  readonly value: T;
  readonly from: readonly Given[];
}

export interface OldTunnel {
  readonly mode: "client" | "server";
  readonly modeFrom: readonly Given[];
  readonly interface: Setting<string>;
  /** 0 to 3 and more: errors, warnings, information, everything. */
  readonly verbosity: Setting<number>;
  readonly localIp: Setting<IpAddress | undefined>;
  readonly localPort: Setting<number>;
  readonly device: Setting<string | undefined>;
  /** A client's is an address or a name. */
  readonly remoteHost: Setting<string | undefined>;
  readonly remotePort: Setting<number | undefined>;
  readonly innerIp: Setting<IpAddress>;
  readonly innerPeerIp: Setting<IpAddress>;
  readonly checksum: Setting<boolean | undefined>;
  /** Undefined where none is used; `bytes` are never empty. */
  readonly token: Setting<
    { readonly bytes: Buffer; readonly text: string | undefined } | undefined
  >;
  readonly privateKey: Setting<Buffer | undefined>;
  readonly publicKey: Setting<Buffer | undefined>;
  readonly secret: Setting<string>;
  readonly byRemoteIp: Setting<boolean>;
  readonly byRemotePort: Setting<boolean>;
  /** Seconds, as the following. 0: none. */
  readonly timeDiscrepancy: Setting<number>;
  readonly authLifetime: Setting<number>;
  readonly keepalive: Setting<number>;
  readonly reply: Setting<boolean>;
  readonly authTtl: Setting<number | undefined>;
  readonly queueNumber: Setting<number | undefined>;
  readonly queueLength: Setting<number | undefined>;
  readonly table: Setting<string | undefined>;
  readonly noCounters: Setting<boolean>;
  /** All options in the order in which they were given. */
  readonly given: readonly Given[];
}

const defaults = {
  secret: "netprickle.com",
  port: 10_000,
  innerIp: ipAddress("172.28.0.0"),
} as const;

/** IFNAMSIZ with its final zero; ipipou 0.1 lets one more through, and `ip` refuses it. */
const longestInterface = 15;

/** Above it no common MTU carries the packet. */
const longestToken = 1472;

/** @param origin where to look for what nobody gave */
export function readOldTunnel(
  words: readonly Word[],
  origin: Origin,
): OldTunnel | readonly Problem[] {
  const { given, problems } = parseOptions(words);
  const found = new Options(given, problems);
  const tunnel = resolve(found, origin);
  return found.problems.length > 0 ? found.problems : tunnel;
}

function resolve(options: Options, origin: Origin): OldTunnel {
  for (const given of options.all) {
    if (given.option.instead !== undefined) {
      const mend = `remove it: here that is ${given.option.instead}`;
      options.refuse(given, new Complaint("makes no tunnel", mend));
    }
  }
  const modeGiven = options.last("mode");
  const mode = modeGiven?.option.names.includes("--server") ? "server" : "client";
  const modeFrom = modeGiven === undefined ? [] : [modeGiven];
  // Told only where nothing else is wrong: what seems to be missing may stand there, misspelt.
  const absent: Problem[] = [];
  const missing = (where: string, what: string, mend: string): void => {
    absent.push(problemAt(modeGiven?.origin ?? origin, where, new Complaint(what, mend)));
  };

  const queueNumber = options.number("queueNumber");
  const number = numberOf(mode, options, queueNumber);
  const local = splitLocal(options);
  const localPort = local.port ?? { ...number, value: defaults.port + number.value };
  if (!isPort(localPort.value)) {
    options.refuseSetting(localPort, origin, new Complaint("not a port", "a port is 1 to 65535"));
  }
  if (local.ip.value === undefined && local.device.value === undefined) {
    missing(
      "fou-dev",
      "neither an address nor a device to bind",
      "add `fou-dev` or `fou-local-ip`",
    );
  }
  const remote = splitRemote(options);
  const byRemoteIp = options.flag("byRemoteIp");
  const byRemotePort = options.flag("byRemotePort");
  if (remote.port.value !== undefined && !isPort(remote.port.value)) {
    options.refuseSetting(remote.port, origin, new Complaint("not a port", "1 to 65535"));
  }
  if (remote.host.value === undefined) {
    if (mode === "client") missing("fou-remote", "a client without a server", "add `fou-remote`");
    else if (byRemoteIp.value) {
      missing("auth-by-remote-ip", "no address to compare with", "add `fou-remote-ip`");
    }
  }
  if (remote.port.value === undefined) {
    if (mode === "client") {
      if (remote.host.value !== undefined) {
        missing("fou-remote", "a server without a port", "add `fou-remote-port`");
      }
    } else if (byRemotePort.value) {
      missing("auth-by-remote-port", "no port to compare with", "add `fou-remote-port`");
    }
  }

  const token = tokenOf(options);
  const privateKey = keyOf(options, "privateKey");
  const publicKey = keyOf(options, "publicKey");
  const keyType = options.text("keyType");
  const hasKey = privateKey.value !== undefined || publicKey.value !== undefined;
  if (keyType !== undefined && keyType.value !== "ed25519" && hasKey) {
    options.refuse(keyType.from[0], new Complaint("no such type of key", "there is ed25519"));
  }

  const name = options.text("interface");
  if (name !== undefined && name.value.length > longestInterface) {
    const what = `${name.value.length} characters, an interface's name has at most ${longestInterface}`;
    options.refuse(name.from[0], new Complaint(what, "choose a shorter one"));
  } else if (name !== undefined && /[/\p{Cc}]/u.test(name.value)) {
    options.refuse(
      name.from[0],
      new Complaint("not a name for an interface", "choose another one"),
    );
  }
  const inner = innerOf(mode, options, number);
  if (inner === undefined && options.last("innerIp") === undefined && mode === "client") {
    missing("tunl-ip", "a client without an inner address", "add `tunl-ip`");
  } else if (inner === undefined) {
    const from = options.last("innerIp") ?? options.last("number");
    const complaint = new Complaint("no address is left for the inner side", "choose another");
    if (from === undefined) missing("tunl-ip", complaint.what, "choose another");
    else options.refuse(from, complaint);
  }
  if (options.problems.length === 0) options.problems.push(...absent);
  const verbosity = verbosityOf(options);
  return {
    mode,
    modeFrom,
    interface:
      name === undefined || name.value === ""
        ? { value: `ipipou${number.value}`, from: number.from }
        : name,
    verbosity,
    localIp: local.ip,
    localPort,
    device: local.device,
    remoteHost: remote.host,
    remotePort: remote.port,
    innerIp: inner?.ip ?? { value: defaults.innerIp, from: [] },
    innerPeerIp: inner?.peer ?? { value: defaults.innerIp, from: [] },
    checksum: options.choice("checksum", (given) => given.option.names.includes("--encap-csum")),
    token,
    privateKey,
    publicKey,
    secret: options.text("secret") ?? { value: defaults.secret, from: [] },
    byRemoteIp,
    byRemotePort,
    timeDiscrepancy: options.number("timeDiscrepancy") ?? zero,
    authLifetime: options.number("authLifetime") ?? zero,
    keepalive: options.number("keepalive") ?? zero,
    reply: options.flag("reply"),
    authTtl: options.number("authTtl") ?? nothing,
    queueNumber: queueNumber ?? nothing,
    queueLength: options.number("queueLength") ?? nothing,
    table: options.text("table") ?? nothing,
    noCounters: options.flag("counters"),
    given: options.all,
  };
}

const zero: Setting<number> = { value: 0, from: [] };
const nothing: Setting<undefined> = { value: undefined, from: [] };

/** A server that was given no number, but one for its queue, takes that. */
function numberOf(
  mode: OldTunnel["mode"],
  options: Options,
  queueNumber: Setting<number> | undefined,
): Setting<number> {
  const number = options.number("number") ?? zero;
  if (mode === "client") return number;
  const queue = queueNumber ?? number;
  if (queue.value < 0 || queue.value > 65535) {
    options.refuse(queue.from[0], new Complaint("not a queue's number", "0 to 65535"));
  }
  return number.value === 0 && queue.value > 0 && queue.value <= 999 ? queue : number;
}

interface Local {
  readonly ip: Setting<IpAddress | undefined>;
  readonly port: Setting<number> | undefined;
  readonly device: Setting<string | undefined>;
}

/** `[IP][:PORT][@DEVICE]`, whose parts go before the options for each of them. */
function splitLocal(options: Options): Local {
  const whole = options.text("local");
  const device = options.text("device");
  const own: Local = {
    ip: options.address("localIp") ?? nothing,
    port: options.number("localPort"),
    device: device === undefined || device.value === "" ? nothing : device,
  };
  if (whole === undefined) return own;
  const { from } = whole;
  const [place, name] = cut(whole.value, "@");
  const [ipText, portText] = cut(place, ":");
  const port = portText === undefined ? undefined : readInteger(portText);
  const ip = ipText === "" ? undefined : readIpv4(ipText);
  for (const part of [port, ip]) {
    if (part instanceof Complaint) options.refuse(from[0], part);
  }
  return {
    ip: ip === undefined || ip instanceof Complaint ? own.ip : { value: ip, from },
    port: typeof port === "number" ? { value: port, from } : own.port,
    device: name === undefined ? own.device : { value: name === "" ? undefined : name, from },
  };
}

/** `[HOST][:PORT]`, in the same way. */
function splitRemote(options: Options): {
  host: Setting<string | undefined>;
  port: Setting<number | undefined>;
} {
  const whole = options.text("remote");
  const own = {
    host: options.address("remoteIp") ?? nothing,
    port: options.number("remotePort") ?? nothing,
  };
  if (whole === undefined) return own;
  const { from } = whole;
  const [host, portText] = cut(whole.value, ":");
  const port = portText === undefined ? undefined : readInteger(portText);
  if (port instanceof Complaint) options.refuse(from[0], port);
  return {
    host: host === "" ? own.host : { value: host, from },
    port: typeof port === "number" ? { value: port, from } : own.port,
  };
}

function cut(text: string, at: string): [before: string, behind: string | undefined] {
  const i = text.indexOf(at);
  return i < 0 ? [text, undefined] : [text.slice(0, i), text.slice(i + at.length)];
}

function tokenOf(options: Options): OldTunnel["token"] {
  const given = options.last("token");
  const text = given?.text;
  if (given === undefined || text === undefined) return nothing;
  const isText = given.option.takes === "text";
  const bytes = isText ? Buffer.from(text, "utf8") : readBase64(text);
  // What is no base64 was complained of already.
  if (bytes instanceof Complaint || bytes.length === 0) return { value: undefined, from: [given] };
  if (bytes.length > longestToken) {
    options.refuse(given, new Complaint(`a token of ${bytes.length} bytes`, "at most 1000"));
  }
  return { value: { bytes, text: isText ? text : undefined }, from: [given] };
}

function keyOf(options: Options, field: "privateKey" | "publicKey"): Setting<Buffer | undefined> {
  const given = options.last(field);
  const bytes = given?.text === undefined ? undefined : readBase64(given.text);
  if (given === undefined || bytes === undefined || bytes instanceof Complaint) return nothing;
  if (bytes.length === 0) return { value: undefined, from: [given] };
  if (bytes.length !== 32) {
    options.refuse(given, new Complaint(`${bytes.length} bytes, want 32`, "copy the whole key"));
  }
  return { value: bytes, from: [given] };
}

interface Inner {
  readonly ip: Setting<IpAddress>;
  readonly peer: Setting<IpAddress>;
}

function innerOf(
  mode: OldTunnel["mode"],
  options: Options,
  number: Setting<number>,
): Inner | undefined {
  const given = options.address("innerIp");
  if (given === undefined && mode === "client") return undefined;
  const first = addressPlus(defaults.innerIp, 2 * number.value);
  const ip = given ?? (first === undefined ? undefined : { value: first, from: number.from });
  if (ip === undefined) return undefined;
  const peerGiven = options.address("innerPeerIp");
  if (peerGiven !== undefined) return { ip, peer: peerGiven };
  const peer = addressPlus(ip.value, mode === "server" ? 1 : -1);
  return peer === undefined ? undefined : { ip, peer: { value: peer, from: ip.from } };
}

function verbosityOf(options: Options): Setting<number> {
  const counted = options.all.filter(({ option }) => option.field === "verbosity");
  const level = options.number("level");
  return {
    value: counted.length + (level?.value ?? 0),
    from: [...counted, ...(level?.from ?? [])],
  };
}

/** The options of one tunnel by what they set; of several the last holds. */
class Options {
  readonly all: readonly Given[];
  readonly problems: Problem[];

  constructor(all: readonly Given[], problems: readonly Problem[]) {
    this.all = all;
    this.problems = [...problems];
    for (const given of all) {
      const complaint = flawOf(given);
      if (complaint !== undefined) this.refuse(given, complaint);
    }
  }

  refuse(given: Given | undefined, complaint: Complaint): void {
    if (given === undefined) return;
    this.problems.push(problemAt(given.origin, nameOf(given.option), complaint));
  }

  refuseSetting(setting: Setting<unknown>, origin: Origin, complaint: Complaint): void {
    const given = setting.from[0];
    if (given === undefined) this.problems.push(problemAt(origin, "", complaint));
    else this.refuse(given, complaint);
  }

  last(field: Field): Given | undefined {
    return this.all.findLast(({ option }) => option.field === field);
  }

  flag(field: Field): Setting<boolean> {
    const given = this.last(field);
    return { value: given !== undefined, from: given === undefined ? [] : [given] };
  }

  choice(field: Field, read: (given: Given) => boolean): Setting<boolean | undefined> {
    const given = this.last(field);
    return given === undefined ? nothing : { value: read(given), from: [given] };
  }

  text(field: Field): Setting<string> | undefined {
    return this.#read(field, (text) => text);
  }

  number(field: Field): Setting<number> | undefined {
    return this.#read(field, readInteger);
  }

  address(field: Field): Setting<IpAddress> | undefined {
    return this.#read(field, readIpv4);
  }

  #read<T>(field: Field, read: (text: string) => T | Complaint): Setting<T> | undefined {
    const given = this.last(field);
    if (given?.text === undefined) return undefined;
    const value = read(given.text);
    return value instanceof Complaint ? undefined : { value, from: [given] };
  }
}

/** What is wrong with a value by itself, whether it holds in the end or not. */
function flawOf({ option, text }: Given): Complaint | undefined {
  if (text === undefined) return undefined;
  const value = {
    nothing: () => undefined,
    text: () => undefined,
    number: () => readInteger(text),
    address: () => readIpv4(text),
    base64: () => readBase64(text),
  }[option.takes]();
  return value instanceof Complaint ? value : undefined;
}
