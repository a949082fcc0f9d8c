/** What two entries of the configuration say against each other, or against common sense. Pure. */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { addressBytes, familyOf, formatPrefix, type Prefix } from "../../../net/address.ts";
import { type Finding, listed, warning } from "../../finding.ts";
import type { Judged } from "../judged.ts";

interface Claim {
  readonly first: number;
  readonly last: number;
  readonly prefix: Prefix;
  readonly owner: string;
}

/** One peer's network in another's: the narrower one gets the packets, which is mostly a slip. */
export function allowedFindings({ configuration }: Judged): Finding[] {
  const claims: Claim[] = [];
  for (const { name, peers } of configuration.tunnels) {
    for (const peer of peers) {
      for (const prefix of peer.allowedIPs ?? []) {
        // Everything, and a part of it by another way, is meant so.
        if (prefix.length === 0 || familyOf(prefix.address) !== "ipv4") continue;
        const first = addressBytes(prefix.address).readUInt32BE(0);
        const last = first + 2 ** (32 - prefix.length) - 1;
        claims.push({ first, last, prefix, owner: `${name}/${peer.name}` });
      }
    }
  }
  claims.sort((a, b) => a.first - b.first || b.last - a.last);
  const around: Claim[] = [];
  const pairs: string[] = [];
  for (const claim of claims) {
    while ((around.at(-1)?.last ?? Number.POSITIVE_INFINITY) < claim.first) around.pop();
    const other = around.findLast(({ owner }) => owner !== claim.owner);
    if (other !== undefined) {
      const [inner, outer] = [claim, other].map(
        (one) => `${formatPrefix(one.prefix)} of ${one.owner}`,
      );
      pairs.push(`${inner} is in ${outer}`);
    }
    around.push(claim);
  }
  if (pairs.length === 0) return [];
  const what = `allowedIPs overlap: ${listed(pairs)}; packets go to the narrower`;
  return [warning("overlapping-allowed-ips", what, "give each network to one peer")];
}

/** A peer with our own key: whoever made it took one key for both ends. */
export function keyFindings({ configuration }: Judged): Finding[] {
  const ours = new Set<string>();
  const seeds = new Set<string>();
  for (const { peers } of configuration.tunnels) {
    for (const { identity } of peers) {
      if (identity.kind === "key") seeds.add(identity.seed.reveal().toString("hex"));
    }
  }
  for (const seed of seeds) ours.add(publicKeyOf(seed));
  const same = configuration.tunnels.flatMap(({ name, peers }) =>
    peers.flatMap(({ name: peer, proof }) =>
      proof.kind === "key" && ours.has(Buffer.from(proof.publicKey).toString("hex"))
        ? [`${name}/${peer}`]
        : [],
    ),
  );
  if (same.length === 0) return [];
  const what = `the publicKey of ${listed(same)} is that of our own privateKey: both ends have one key`;
  return [warning("own-key", what, "make a key for each end (`ipipoud keygen`)")];
}

/** PKCS #8 of an ed25519 seed (RFC 8410), and where a public key stands in its SubjectPublicKeyInfo. */
const PKCS8_START = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_START = 12;

function publicKeyOf(seed: string): string {
  const key = Buffer.concat([PKCS8_START, Buffer.from(seed, "hex")]);
  const own = createPrivateKey({ key, format: "der", type: "pkcs8" });
  const spki = createPublicKey(own).export({ format: "der", type: "spki" });
  return spki.subarray(SPKI_START).toString("hex");
}
