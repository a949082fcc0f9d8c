/** The gate as nf_tables objects: everything that our table holds. Pure. */
import { NFPROTO_IPV4 } from "../../kernel/nftables/constants.ts";
import type { NftObject, TableName } from "../../kernel/nftables/objects.ts";
import type { Gate, GateTunnel } from "../../plan/gate.ts";
import { clockChains, SharedRules } from "./authentications.ts";
import { hostElement, peerObjects } from "./elements.ts";
import { forwardingObjects } from "./forwarding.ts";
import { OWNER_COMMENT } from "./names.ts";
import { plainObjects } from "./plain.ts";
import { receivingObjects, tunnelChains } from "./receive.ts";
import { sendingObjects } from "./send.ts";
import { hostsOf, needsOf, setExpressions, tunnelSets } from "./sets.ts";

export type { NftObject } from "../../kernel/nftables/objects.ts";
export { peerObjects } from "./elements.ts";

/** Tables of family ip only: tunnels have IPv4 outside. */
export function tableNamed(name: string): TableName {
  return { family: NFPROTO_IPV4, name };
}

export function ruleset(gate: Gate): NftObject[] {
  const objects: NftObject[] = [
    { kind: "table", name: gate.table, comment: OWNER_COMMENT },
    ...receivingObjects(gate),
    ...sendingObjects(gate),
    ...forwardingObjects(gate),
  ];
  for (const tunnel of gate.plain) objects.push(...plainObjects(tunnel));
  const shared = new SharedRules(gate);
  const expressions = setExpressions(gate);
  for (const tunnel of gate.tunnels) {
    const needs = needsOf(gate, tunnel);
    objects.push(
      ...tunnelSets(tunnel, needs, expressions),
      ...tunnelChains(gate, tunnel, needs, shared),
    );
    if (needs.hosts) for (const host of hostsOf(tunnel)) objects.push(hostElement(tunnel, host));
    for (const peer of tunnel.peers) {
      for (const object of peerObjects(gate, tunnel, peer, needs)) objects.push(object);
    }
  }
  return objects;
}

/** What all tunnels have in common, and this one's own. */
export function tunnelObjects(gate: Gate, tunnel: GateTunnel): NftObject[] {
  const needs = needsOf(gate, tunnel);
  return [
    ...receivingObjects(gate),
    ...sendingObjects(gate),
    ...tunnelChains(gate, tunnel, needs),
    ...tunnel.peers.flatMap((peer) => peerObjects(gate, tunnel, peer, needs)),
  ];
}

/** The part that the clock changes: nothing where no authentication is awaited. */
export function epochObjects(gate: Gate): NftObject[] {
  const waits = gate.tunnels.some(({ authentications }) => authentications.length > 0);
  return waits ? clockChains(gate) : [];
}
