/**
 * Heartbeats on a port of their own, beside the tunnels': footunnel's. Who knows no secret is told by a hash of
 * what he sends, in the kernel, so that no flood of strangers is in a client's way; whether the secret is right to
 * the last byte is the daemon's to say. No secret stands here.
 */

import { hexOf } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import { hashOf } from "../../kernel/nftables/expressions/hash.ts";
import type { Chain, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import type { IpAddress } from "../../net/address.ts";
import type { Gate, GateTunnel } from "../../plan/gate.ts";
import { chain } from "./chains.ts";
import {
  drop,
  goTo,
  hexHost,
  hexPort,
  is,
  PROTOCOL_UDP,
  protocolIs,
  rule,
  UDP_HEADER,
  udp,
} from "./fields.ts";
import { lackingIn } from "./lacking.ts";
import { rateLimit } from "./limits.ts";
import { HEARTBEAT, heartbeatChain, STRANGERS } from "./names.ts";

/** Any number: it only has to be the same each time. */
const SEED = 0x666f_6f74;
/** Bytes of a heartbeat that are hashed: a load takes no more than 64. */
const MOST_HASHED = 48;
/** Wrong ones a second that are looked at, so that the log can say so. */
const LOOKED_AT = 1;

/** Ports of one local address at which somebody is waited for. */
function portsOf(tunnels: readonly GateTunnel[]): number[] {
  return [...new Set(tunnels.flatMap(({ heartbeats }) => heartbeats.map(({ port }) => port)))];
}

/** What leads there, from the chain of the local address; after data, which it costs nothing. */
export function heartbeatDoors(local: IpAddress, tunnels: readonly GateTunnel[]): Rule[] {
  return portsOf(tunnels).map((port) =>
    rule(
      protocolIs(PROTOCOL_UDP),
      is(udp.destinationPort, hexPort(port)),
      goTo(heartbeatChain(local, port)),
    ),
  );
}

/** @param first Rules about what never is a heartbeat. @param look What hands it to the daemon. */
export function heartbeatChains(
  local: IpAddress,
  tunnels: readonly GateTunnel[],
  { queue }: Pick<Gate, "queue">,
  { first, look }: { readonly first: readonly Rule[]; readonly look: readonly Expression[] },
): Chain[] {
  return portsOf(tunnels).map((port) => {
    const rules = new Map<string, Rule>();
    for (const { port: of, secret } of tunnels.flatMap(({ heartbeats }) => heartbeats)) {
      if (of !== port) continue;
      const { length, hash } = signOf(secret.reveal());
      rules.set(
        `${length} ${hash}`,
        rule(isSign(length, hash), [rateLimit(queue.rateTotal, false)], look),
      );
    }
    return chain(heartbeatChain(local, port), [
      ...first,
      ...rules.values(),
      rule([rateLimit(LOOKED_AT, false)], goTo(STRANGERS)),
      rule(drop),
    ]);
  });
}

function signOf(bytes: Uint8Array): { length: number; hash: number } {
  return { length: bytes.length, hash: hashOf(bytes.subarray(0, MOST_HASHED), SEED) };
}

function isSign(length: number, hash: number): Expression[] {
  const hashed = Math.min(length, MOST_HASHED);
  return [
    ...is(udp.length, hexOf(length + UDP_HEADER, 2)),
    { kind: "payload", base: "transport", offset: UDP_HEADER, length: hashed, to: 0 },
    { kind: "hash", from: 0, to: 0, length: hashed, seed: SEED },
    { kind: "cmp", from: 0, operator: "eq", value: hexHost(hash) },
  ];
}

/** Whether the kernel has refused such a chain because it can't hash: it has no nft_hash. */
export function lacksHash(error: unknown): boolean {
  return lackingIn(error)?.startsWith(HEARTBEAT) === true;
}

/** For such a kernel: by length alone, within the limits of all strangers. */
export function withoutHash(object: NftObject): NftObject {
  if (object.kind !== "chain" || !object.name.startsWith(HEARTBEAT)) return object;
  const rules = object.rules.map((one) => {
    const at = one.expressions.findIndex(({ kind }) => kind === "hash");
    // What stands before the load: the test of the length.
    return at < 0 ? one : rule(one.expressions.slice(0, at - 1), goTo(STRANGERS));
  });
  // Secrets of one length are one rule then.
  const seen = new Set<string>();
  const once = rules.filter((one) => {
    const text = JSON.stringify(one);
    return !seen.has(text) && seen.add(text);
  });
  return { ...object, rules: once };
}
