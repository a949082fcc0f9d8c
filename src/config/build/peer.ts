/** One peer: who dials whom, who proves what and how, and whether the keys make sense together. */
import { contains, parseAddress } from "../../net/address.ts";
import { Complaint } from "../complaint.ts";
import type { Identity, Monitor, PeerConfig, Proof } from "../model.ts";
import type { Note, Problems } from "../problems.ts";
import type { PeerPart } from "../schema/peer.ts";
import { noPort, readKey } from "../schema/scalars.ts";
import { Secret } from "../secret.ts";
import type { Path } from "../source/document.ts";
import { passesForData } from "../token.ts";
import { buildHeartbeat, heartbeatInterval } from "./heartbeat.ts";
import { buildPlainPeer } from "./plain.ts";
import { withoutRepeats } from "./prefixes.ts";
import { hasSecret, takeSecret } from "./secrets.ts";

/** What a peer needs to know of its tunnel. */
export interface PeerContext {
  readonly path: Path;
  /** The tunnel has no UDP. */
  readonly plain: boolean;
  /** It is the tunnel's only peer. */
  readonly single: boolean;
  /** How the tunnel as a whole proves itself. */
  readonly tunnelKey: Identity;
  /** The tunnel has a private key, even if it could not be read. */
  readonly tunnelHasKey: boolean;
  readonly problems: Problems;
}

const second = 1000;
const minute = 60 * second;

const noSecret = new Secret(Buffer.alloc(0));
const none = Object.freeze({ kind: "none" } as const);

export function buildPeer(name: string, part: PeerPart, context: PeerContext): PeerConfig {
  if (context.plain) return buildPlainPeer(name, part, context);
  const role = roleOf(part);
  checkKeys(part, role, context);
  const { path, problems } = context;
  const token =
    takeSecret(part, "token", path, problems) ?? takeSecret(part, "tokenBase64", path, problems);
  const heartbeat = buildHeartbeat(part, role, path, problems);
  const proof = role === "wait" && heartbeat ? heartbeat : proofOf(part, role, token, context);
  if (role === "wait") checkToken(part, token, context);
  const identity =
    role === "dial" && heartbeat ? heartbeat : identityOf(part, role, token, context);
  const authenticated = role === "dial" && identity.kind !== "none";
  return Object.freeze({
    name,
    endpoint: part.endpoint,
    proof,
    pinAddress: part.pinAddress ?? false,
    pinPort: part.pinPort ?? false,
    role,
    identity,
    secret: takeSecret(part, "secret", path, problems) ?? noSecret,
    allowedIPs: withoutRepeats(part.allowedIPs),
    keepalive: part.keepalive ?? (authenticated ? defaultKeepalive(part) : 0),
    authLifetime: part.authLifetime ?? 0,
    maxClockSkew: part.maxClockSkew ?? 5 * minute,
    replay: part.replay ?? "strict",
    authTtl: part.authTtl ?? 64,
    replyOnAuth: part.replyOnAuth ?? false,
    resolveInterval: part.resolveInterval ?? 5 * minute,
    monitor: part.monitor && monitorOf(part.monitor),
    node: false,
  });
}

/**
 * A peer with an endpoint is dialled, unless a pin says that the endpoint is where it must come from: then
 * it is waited for if it has a proof, and simply there if it has none.
 */
export function roleOf(part: PeerPart): PeerConfig["role"] {
  if (part.endpoint === undefined) return "wait";
  if (part.pinAddress !== true && part.pinPort !== true) return "dial";
  return part.auth === "none" ? "static" : "wait";
}

const tokenNames = ["token", "tokenBase64"] as const;

/** Which keys may and must stand together; one complaint for each thing that does not fit. */
function checkKeys(part: PeerPart, role: PeerConfig["role"], context: PeerContext): void {
  const { path, problems, single } = context;
  const complain = (key: string | undefined, what: string, mend: string, note?: Note): void => {
    problems.add(key === undefined ? path : [...path, key], new Complaint(what, mend), note);
  };
  const given: string[] = [];
  if (part.publicKey !== undefined) given.push("publicKey");
  for (const name of tokenNames) if (hasSecret(part, name)) given.push(name);
  const tokens = given.length > (part.publicKey === undefined ? 0 : 1);
  if (part.heartbeat !== undefined) given.push("heartbeat");
  if (part.auth !== undefined) given.push("auth");
  const ownKey = hasSecret(part, "privateKey");
  if (role === "dial") {
    const ways = [
      ...(ownKey ? ["privateKey"] : []),
      ...given.filter((name) => name !== "publicKey"),
    ];
    if (ways.length > 1) {
      complain(undefined, `several ways to prove ourselves: ${ways.join(", ")}`, "keep one");
    } else if (ways.length === 0 && !context.tunnelHasKey) {
      complain(
        undefined,
        "a peer that we dial, and no way to prove ourselves",
        "add privateKey (here or to the tunnel), token, or `auth: none`",
      );
    } else if (part.auth === "none" && part.publicKey !== undefined) {
      complain(undefined, "both `publicKey` and `auth: none`", "keep one");
    } else if (part.heartbeat !== undefined && part.publicKey !== undefined) {
      complain("publicKey", "a key, and heartbeats are not answered", "remove it");
    }
  } else if (given.length > 1) {
    complain(undefined, `several proofs: ${given.join(", ")}`, "keep one");
  } else if (given.length === 0) {
    complain(
      undefined,
      "a peer that we wait for, and no proof of it",
      "add publicKey, token or tokenBase64, `auth: none`, or an endpoint to dial it",
    );
  }

  if (part.endpoint?.port === 0) problems.add([...path, "endpoint"], noPort);
  if (part.endpoint === undefined) {
    for (const pin of ["pinAddress", "pinPort"] as const) {
      if (part[pin] === true)
        complain(pin, "a pin without an endpoint", "add the endpoint, or remove the pin", {
          at: "key",
        });
    }
  }
  if (
    part.pinAddress === true &&
    part.endpoint !== undefined &&
    parseAddress(part.endpoint.host) === undefined
  ) {
    complain(
      "endpoint",
      "a name where the address is pinned",
      "write the address: names are not followed for pinned peers yet",
    );
  }
  if (part.auth === "none" && part.pinAddress !== true && !single) {
    const pin =
      part.endpoint === undefined ? "add endpoint and pinAddress: true" : "add pinAddress: true";
    complain("auth", "no proof of one peer among several", `${pin}, or give it a proof`);
  }
  if (part.allowedIPs === undefined && !single) {
    complain(undefined, "no allowedIPs for one peer among several", "add allowedIPs");
  }
  if (role !== "dial" && (part.keepalive ?? 0) > 0) {
    complain("keepalive", "a keepalive to a peer that we do not dial", "remove it, or write 0");
  }
  if (part.monitor !== undefined && role !== "dial") {
    complain("monitor", "a monitor of a peer that we do not dial", "remove it", { at: "key" });
  }
  const { ping } = part.monitor ?? {};
  const accepted = part.allowedIPs?.some((prefix) => ping && contains(prefix, ping)) ?? true;
  if (ping !== undefined && !accepted) {
    const mend = "ping an address of theirs, or add it to allowedIPs";
    problems.add([...path, "monitor", "ping"], new Complaint("outside the allowedIPs", mend));
  }
  if (role !== "wait" && (part.authLifetime ?? 0) > 0) {
    complain(
      "authLifetime",
      "a lifetime for the proof of a peer that we do not wait for",
      "remove it, or write 0",
    );
  }
  if (part.heartbeat !== undefined && part.replyOnAuth === true) {
    complain("replyOnAuth", "answers to heartbeats", "remove it, or write false");
  }
  if (role === "dial" && part.replyOnAuth === true) {
    complain("replyOnAuth", "answers to a peer that we dial", "remove it, or write false");
  }
  const signs =
    part.publicKey !== undefined || (role === "dial" && !tokens && part.auth === undefined);
  if (hasSecret(part, "secret") && !signs) {
    const key = part.secret === undefined ? "secretFile" : "secret";
    complain(key, "a secret, and no signature to mix it into", "remove it, or use a key", {
      at: "key",
    });
  }
}

function defaultKeepalive({ heartbeat }: PeerPart): number {
  return heartbeat === undefined ? 25 * second : (heartbeat.interval ?? heartbeatInterval);
}

function monitorOf({ ping, interval, failures }: NonNullable<PeerPart["monitor"]>): Monitor {
  return Object.freeze({ ping, interval: interval ?? 10 * second, failures: failures ?? 3 });
}

/** Its token must reach us, whatever form its packets take: see {@link passesForData}. */
function checkToken(
  { allowedIPs }: PeerPart,
  token: Secret | undefined,
  { path, problems }: PeerContext,
): void {
  if (token === undefined || !passesForData(token, allowedIPs)) return;
  const what =
    "a token that the gate takes for data: an allowed inner address is in its bytes 13 to 16";
  problems.add(path, new Complaint(what, "choose another one"), { at: "key" });
}

function proofOf(
  part: PeerPart,
  role: PeerConfig["role"],
  token: Secret | undefined,
  context: PeerContext,
): Proof {
  if (part.publicKey !== undefined) {
    const publicKey = readKey(part.publicKey);
    if (!(publicKey instanceof Complaint)) return Object.freeze({ kind: "key", publicKey });
    context.problems.add([...context.path, "publicKey"], publicKey);
  }
  return role === "wait" && token !== undefined ? Object.freeze({ kind: "token", token }) : none;
}

function identityOf(
  part: PeerPart,
  role: PeerConfig["role"],
  token: Secret | undefined,
  context: PeerContext,
): Identity {
  const seed = takeSecret(part, "privateKey", context.path, context.problems);
  if (part.auth === "none") return none;
  if (role === "dial" && token !== undefined) return Object.freeze({ kind: "token", token });
  return seed === undefined ? context.tunnelKey : Object.freeze({ kind: "key", seed });
}
