import { Complaint } from "./complaint.ts";
import { type Environment, resolvePath } from "./files.ts";
import type { Part } from "./merge.ts";
import type { Problems } from "./problems.ts";
import type { PeerPart } from "./schema/peer.ts";
import type { Path } from "./source/document.ts";

/**
 * Makes every path of a file absolute while it is still known which file names it: merged with others,
 * nobody could tell.
 */
export function resolvePaths(part: Part, environment: Environment, problems: Problems): void {
  const { document, content } = part;
  const resolveKeys = (mapping: object, keys: readonly string[], path: Path): void => {
    const values = mapping as Record<string, unknown>;
    for (const key of keys) {
      const written = values[key];
      if (typeof written !== "string") continue;
      const resolved = resolvePath(written, document.file, environment);
      if (resolved instanceof Complaint) problems.add([...path, key], resolved);
      else values[key] = resolved;
    }
  };
  resolveKeys(content, ["stateDirectory", "control"], []);
  for (const [tunnelName, tunnel] of Object.entries(content.tunnels ?? {})) {
    resolveKeys(tunnel, ["privateKeyFile"], ["tunnels", tunnelName]);
    if (tunnel.directory !== undefined) {
      resolveKeys(tunnel.directory, directoryFileKeys, ["tunnels", tunnelName, "directory"]);
    }
    const peers = tunnel.peers ?? {};
    for (const peerName in peers) {
      const peer = peers[peerName];
      if (peer?.heartbeat !== undefined) {
        const at = ["tunnels", tunnelName, "peers", peerName, "heartbeat"];
        resolveKeys(peer.heartbeat, ["secretFile"], at);
      }
      if (peer === undefined || !namesFile(peer)) continue;
      resolveKeys(peer, secretFileKeys, ["tunnels", tunnelName, "peers", peerName]);
    }
  }
}

const secretFileKeys = ["privateKeyFile", "secretFile", "tokenFile", "tokenBase64File"];

const directoryFileKeys = ["file", "caFile", "passwordFile", "certFile", "keyFile"];

function namesFile(peer: PeerPart): boolean {
  const { privateKeyFile, secretFile, tokenFile, tokenBase64File } = peer;
  return (privateKeyFile ?? secretFile ?? tokenFile ?? tokenBase64File) !== undefined;
}
