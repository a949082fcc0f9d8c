/**
 * One tunnel of ipipou 0.1 as one of ours: what it did is what ours does, so its defaults that differ
 * from ours are written out, and where ours is meant to differ a comment says so.
 */
import { Complaint } from "../config/complaint.ts";
import type { Problem } from "../config/problems.ts";
import type { Given } from "./argparse.ts";
import type { Entry, Remark } from "./entry.ts";
import type { OldTunnel, Setting } from "./old.ts";
import { nameOf } from "./options.ts";
import { problemAt } from "./words.ts";

export interface NewTunnel {
  /** Of the tunnel and of its interface. */
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly peerName: string;
  readonly peerEntries: readonly Entry[];
  /** Keys that somebody may want, as comments behind the peer's. */
  readonly hints: readonly string[];
  readonly remarks: readonly Remark[];
  /** Options whose comments stand above the tunnel's name. */
  readonly nameFrom: readonly Given[];
  readonly problems: readonly Problem[];
}

/** Who the other side proves to be, as ipipou 0.1 decides it. */
type Proof = "token" | "key" | "none";

/** RFC 5737: nobody's address. It stands where an endpoint must have one and none is compared. */
const anyAddress = "192.0.2.1";

export function newTunnel(old: OldTunnel): NewTunnel {
  const proof = proofOf(old);
  const peer = old.mode === "server" ? waitedFor(old, proof) : dialled(old, proof);
  const tunnel = {
    name: old.interface.value,
    entries: [
      listen(old),
      address(old),
      ...optional("checksum", old.checksum),
      ...privateKey(old, proof),
    ],
    peerName: old.mode === "server" ? "client" : "server",
    peerEntries: peer.entries,
    hints: peer.hints,
    nameFrom: [...old.modeFrom, ...old.interface.from],
    problems: peer.problems,
  };
  return { ...tunnel, remarks: remarksOf(old, tunnel, peer.remarks) };
}

function proofOf({ mode, token, privateKey, publicKey }: OldTunnel): Proof {
  if (token.value !== undefined) return "token";
  const key = mode === "server" ? publicKey : privateKey;
  return key.value === undefined ? "none" : "key";
}

function listen({ localIp, localPort, device }: OldTunnel): Entry {
  const at = device.value === undefined ? "" : `@${device.value}`;
  const value = `${localIp.value ?? ""}:${localPort.value}${at}`;
  const note =
    localIp.value === undefined
      ? "no address: the device's, and another one as soon as it changes"
      : undefined;
  return { key: "listen", value, from: union(localIp, localPort, device), note };
}

function address({ innerIp, innerPeerIp }: OldTunnel): Entry {
  const value = { local: innerIp.value, peer: innerPeerIp.value };
  return { key: "address", value, from: union(innerIp, innerPeerIp) };
}

function privateKey({ mode, privateKey, publicKey, reply }: OldTunnel, proof: Proof): Entry[] {
  if (privateKey.value === undefined) return [];
  const answers = reply.value && publicKey.value !== undefined;
  const used = mode === "client" ? proof === "key" : answers;
  const note = used ? undefined : "ipipou 0.1 signed nothing with it here";
  const value = privateKey.value.toString("base64");
  return [{ key: "privateKey", value, from: privateKey.from, note }];
}

interface NewPeer {
  readonly entries: readonly Entry[];
  readonly hints: readonly string[];
  readonly remarks: readonly Remark[];
  readonly problems: readonly Problem[];
}

/** What a server had. */
function waitedFor(old: OldTunnel, proof: Proof): NewPeer {
  const pins = union(old.byRemoteIp, old.byRemotePort);
  const pinned = pins.length > 0;
  const problems: Problem[] = [];
  const discrepancy = old.timeDiscrepancy.from[0];
  if (discrepancy !== undefined && old.timeDiscrepancy.value < 0) {
    const complaint = new Complaint("less than 0", "0, or as many seconds as clocks may differ");
    problems.push(problemAt(discrepancy.origin, "auth-max-time-discrepancy", complaint));
  }
  // Without a proof but at a known place it is simply there: nothing is waited for that could expire.
  const waits = proof !== "none" || !(old.byRemoteIp.value && old.byRemotePort.value);
  const entries: Entry[] = [
    ...(pinned ? [pinnedEndpoint(old, proof)] : []),
    ...proofEntries(old, proof),
    ...(old.byRemoteIp.value
      ? [{ key: "pinAddress", value: true, from: old.byRemoteIp.from }]
      : []),
    ...(old.byRemotePort.value
      ? [{ key: "pinPort", value: true, from: old.byRemotePort.from }]
      : []),
    ...(proof === "key" ? secret(old) : []),
    ...(waits ? waitingEntries(old, proof) : []),
    ...optional("authTtl", old.authTtl),
  ];
  const gone = "not needed: a peer that is simply there proves nothing";
  const remarks = [
    ...(waits ? [] : remark([old.authLifetime, old.reply], gone)),
    ...(proof === "key"
      ? []
      : remark([old.timeDiscrepancy], "not needed: there is no signed time to compare")),
    ...(pinned
      ? []
      : remark(
          [old.remoteHost, old.remotePort],
          "not needed: ipipou 0.1 forgot it with the first authentication",
        )),
    ...(proof === "token" && old.publicKey.value !== undefined
      ? remark([old.publicKey], "not used: ipipou 0.1 looks at the token alone")
      : []),
  ];
  return { entries, hints: [...replayHint(proof), allowedHint(old)], remarks, problems };
}

function pinnedEndpoint({ byRemoteIp, byRemotePort, ...old }: OldTunnel, proof: Proof): Entry {
  const first = proof === "none" ? "; until the peer shows its own, packets go to this one" : "";
  const port = old.remotePort.value ?? old.localPort.value;
  const host = old.remoteHost.value ?? anyAddress;
  return {
    key: "endpoint",
    value: `${host}:${port}`,
    from: union(old.remoteHost, old.remotePort),
    note: byRemoteIp.value
      ? byRemotePort.value
        ? undefined
        : `the port is not compared${first}`
      : `the address is not compared${first}`,
  };
}

function waitingEntries(old: OldTunnel, proof: Proof): Entry[] {
  const { authLifetime, timeDiscrepancy, reply } = old;
  const entries: Entry[] = [];
  if (authLifetime.from.length > 0) {
    const note =
      authLifetime.value > 0
        ? "at its end traffic stops, for ipipou 0.1 only once connection tracking had forgotten it: the client's keepalive must be shorter"
        : undefined;
    entries.push({
      key: "authLifetime",
      value: duration(authLifetime.value),
      from: authLifetime.from,
      note,
    });
  }
  if (proof === "key" && timeDiscrepancy.value > 0) {
    const value = duration(timeDiscrepancy.value);
    entries.push({ key: "maxClockSkew", value, from: timeDiscrepancy.from });
  }
  if (reply.value) {
    const signed = old.privateKey.value !== undefined && old.publicKey.value !== undefined;
    const note =
      proof === "token" && signed
        ? "ipipou 0.1 signed it here, though its client proves itself by a token; ipipoud sends the token in reverse"
        : undefined;
    entries.push({ key: "replyOnAuth", value: true, from: reply.from, note });
  }
  return entries;
}

/** What a client had. */
function dialled(old: OldTunnel, proof: Proof): NewPeer {
  // Answers were not looked at, but the key is there to look at them.
  const verifies = old.publicKey.value !== undefined && proof !== "none";
  const { keepalive } = old;
  const entries: Entry[] = [
    {
      key: "endpoint",
      value: `${old.remoteHost.value ?? ""}:${old.remotePort.value ?? ""}`,
      from: union(old.remoteHost, old.remotePort),
    },
    ...(proof === "key" ? [] : proofEntries(old, proof)),
    ...(verifies
      ? publicKey(old, "answers of the server must be signed by it; ipipou 0.1 looked at none")
      : []),
    ...(proof === "key" || verifies ? secret(old) : []),
    {
      key: "keepalive",
      value: keepalive.value > 0 ? duration(keepalive.value) : 0,
      from: keepalive.from,
      note: keepalive.from.length > 0 ? undefined : "ipipou 0.1's default; ipipoud's is 25s",
    },
    ...optional("authTtl", old.authTtl),
  ];
  const remarks = verifies ? [] : remark([old.publicKey], "not needed: no answer can be signed");
  return { entries, hints: [allowedHint(old)], remarks, problems: [] };
}

function proofEntries(old: OldTunnel, proof: Proof): Entry[] {
  const { mode, token } = old;
  if (proof === "key") return publicKey(old);
  if (token.value !== undefined) {
    const { bytes, text } = token.value;
    return text === undefined
      ? [{ key: "tokenBase64", value: bytes.toString("base64"), from: token.from }]
      : [{ key: "token", value: text, from: token.from }];
  }
  const note =
    mode === "server" && union(old.byRemoteIp, old.byRemotePort).length === 0
      ? "whoever sends an empty UDP packet takes the tunnel over; ipipou 0.1 took any packet"
      : "there was no proof";
  return [{ key: "auth", value: "none", from: token.from, note }];
}

function publicKey({ publicKey }: OldTunnel, note?: string): Entry[] {
  const value = publicKey.value?.toString("base64") ?? "";
  return [{ key: "publicKey", value, from: publicKey.from, note }];
}

function secret({ secret }: OldTunnel): Entry[] {
  const { value, from } = secret;
  // An empty secret is none, and none is ours.
  if (value === "") return [];
  const note =
    from.length > 0
      ? undefined
      : "ipipou 0.1's default, which everybody knows: better another one, on both sides";
  return [{ key: "secret", value, from, note }];
}

function allowedHint({ innerPeerIp }: OldTunnel): string {
  return `allowedIPs: [${innerPeerIp.value}/32]  # would take packets from there alone; ipipou 0.1 looks at no inner address`;
}

function replayHint(proof: Proof): string[] {
  if (proof !== "key") return [];
  const old = "as ipipou 0.1, which takes a captured packet again and again, and looks at no clock";
  return [
    `replay: off  # ${old}`,
    "without it each packet counts once, and clocks may differ by maxClockSkew, 5m unless said otherwise",
  ];
}

/** Remarks about every option that ends up in no key, in words of its own or of the table. */
function remarksOf(
  old: OldTunnel,
  { entries, peerEntries, nameFrom }: Pick<NewTunnel, "entries" | "peerEntries" | "nameFrom">,
  remarks: readonly Remark[],
): Remark[] {
  const placed = new Set([
    ...nameFrom,
    ...[...entries, ...peerEntries].flatMap(({ from }) => from),
    ...wholeDaemon(old).flatMap(({ from }) => from),
  ]);
  const said = new Set(remarks.map(({ given }) => given));
  const more: Remark[] = [];
  for (const given of old.given) {
    if (placed.has(given) || said.has(given)) continue;
    more.push({ given, text: remarkOf(given, old) });
  }
  return [...remarks.filter(({ given }) => !placed.has(given)), ...more];
}

function remarkOf(given: Given, { mode, given: all }: OldTunnel): string {
  const { notNeeded, notUsed, field } = given.option;
  const last = all.findLast(({ option }) => option.field === field);
  if (last !== undefined && last !== given) {
    const { line } = last.origin;
    return `not used: \`${nameOf(last.option)}\` is given ${line === undefined ? "again" : `in line ${line}`}`;
  }
  if (notUsed?.mode === mode) return `not used: ${notUsed.why}`;
  return notNeeded ?? "not used: another option goes before it, or nothing needs it";
}

/** What ipipou 0.1 had for each tunnel and a daemon has once. */
export function wholeDaemon(old: OldTunnel): readonly Setting<unknown>[] {
  const { mode, verbosity, table, queueNumber, queueLength, noCounters } = old;
  return [verbosity, table, ...(mode === "server" ? [queueNumber, queueLength, noCounters] : [])];
}

function remark(settings: readonly Setting<unknown>[], text: string): Remark[] {
  return union(...settings).map((given) => ({ given, text }));
}

function optional(key: string, { value, from }: Setting<number | boolean | undefined>): Entry[] {
  return value === undefined ? [] : [{ key, value, from }];
}

/** The options of several settings, each once. */
function union(...settings: readonly Setting<unknown>[]): readonly Given[] {
  return [...new Set(settings.flatMap(({ from }) => from))];
}

/** 0 and what is below it was no limit. */
function duration(seconds: number): string | number {
  return seconds > 0 ? `${seconds}s` : 0;
}
