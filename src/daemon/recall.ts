/** What is remembered of peers that prove themselves by keys, beyond the end of an instance. */
import { type Configuration, mayHaveKeys } from "../config/model.ts";
import { formatEndpoint, parseEndpoint } from "../net/address.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import { bootId, Marks } from "./marks.ts";

/** Undefined where nobody proves itself by a key, nor ever will. */
export function openMarks(
  configuration: Configuration,
  peers: Peers,
  former: Peers | undefined,
  onTrouble: (reason: string) => void,
): Marks | undefined {
  if (keysOf(peers).length === 0 && !configuration.tunnels.some(mayHaveKeys)) return undefined;
  const since = former === undefined ? 0 : performance.now();
  return new Marks({
    directory: configuration.stateDirectory,
    table: configuration.table,
    boot: bootId(),
    uptime: () => performance.now() - since,
    // Whatever its name is by now, and where its marks were kept.
    known: keysOf(former).flatMap(({ peer: { mark }, key }) => (mark ? [[key, mark]] : [])),
    onTrouble,
  });
}

/** Tells those of the peers that do not know it which of their packets were taken before, and from where. */
export function recall(peers: Peers, marks: Marks): void {
  for (const { peer, key } of keysOf(peers)) {
    peer.mark ??= marks.of(key);
    const last = marks.last(key);
    if (last === undefined) continue;
    peer.seenAt ??= parseEndpoint(last.from)?.address;
    // What was taken over from the kernel is that very proof.
    if (peer.wanted !== undefined && formatEndpoint(peer.wanted) === last.from) {
      peer.lastAuthentication ??= last.at;
    }
  }
}

/** Whoever proves by a key that it is who we wait for. */
function keysOf(peers: Peers | undefined): { readonly peer: Peer; readonly key: Uint8Array }[] {
  return [...(peers?.all() ?? [])].flatMap((peer) => {
    const { role, proof } = peer.config;
    return role === "wait" && proof.kind === "key" ? [{ peer, key: proof.publicKey }] : [];
  });
}
