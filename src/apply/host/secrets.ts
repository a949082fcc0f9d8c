/** Where the configuration's secrets are kept. Pure. */
import type { Configuration, PeerConfig } from "../../config/model.ts";
import type { Secret } from "../../config/secret.ts";

/** Files that hold one: those that secrets were read from, and the configuration's own where one stands in it. */
export function secretFiles(
  { tunnels }: Configuration,
  configurationFiles: readonly string[],
): Set<string> {
  const files = new Set<string>();
  let inline = false;
  const note = (secret: Secret): void => {
    if (secret.file !== undefined) files.add(secret.file);
    else if (secret.length > 0) inline = true;
  };
  for (const { peers, directory } of tunnels) {
    const { from, limits } = directory ?? {};
    if (from?.kind === "store") {
      if (from.password !== undefined) note(from.password);
      if (from.keyFile !== undefined) files.add(from.keyFile);
    }
    if (limits?.proving?.kind === "key") note(limits.proving.seed);
    for (const peer of peers) {
      // What a node's peer has as its secret is made of keys.
      if (!peer.node) for (const secret of secretsOf(peer)) note(secret);
    }
  }
  if (inline) for (const file of configurationFiles) files.add(file);
  return files;
}

function secretsOf({ secret, proof, identity }: PeerConfig): Secret[] {
  return [secret, ...secretIn(proof), ...secretIn(identity)];
}

function secretIn(known: PeerConfig["proof"] | PeerConfig["identity"]): Secret[] {
  switch (known.kind) {
    case "key":
      // We know of another's key what all may know.
      return "seed" in known ? [known.seed] : [];
    case "token":
      return [known.token];
    case "heartbeat":
      return [known.secret];
    case "none":
      return [];
  }
}
