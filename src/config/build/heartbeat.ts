/** A peer's heartbeat: its proof where we wait for it, ours where we dial it. */
import { Complaint } from "../complaint.ts";
import type { Heartbeat, PeerConfig, TunnelConfig } from "../model.ts";
import { formatName, type Problems } from "../problems.ts";
import type { PeerPart } from "../schema/peer.ts";
import type { Path } from "../source/document.ts";
import { takeSecret } from "./secrets.ts";

/** footunnel's. */
const defaultPort = 42_425;
export const heartbeatInterval = 10_000;
/** Of a datagram that is never a fragment. */
const longestSecret = 1000;

export function buildHeartbeat(
  part: PeerPart,
  role: PeerConfig["role"],
  path: Path,
  problems: Problems,
): Heartbeat | undefined {
  const { heartbeat } = part;
  if (heartbeat === undefined) return undefined;
  const place = [...path, "heartbeat"];
  const complain = (key: string, what: string, mend: string): void =>
    problems.add([...place, key], new Complaint(what, mend), { at: "key" });
  if (heartbeat.interval !== undefined && role !== "dial") {
    complain("interval", "an interval of heartbeats that we wait for", "remove it");
  }
  if (part.keepalive !== undefined && role === "dial") {
    const complaint = new Complaint("both `keepalive` and a heartbeat", "write heartbeat.interval");
    problems.add([...path, "keepalive"], complaint, { at: "key" });
  }
  const secret = takeSecret(heartbeat, "secret", place, problems);
  if (secret === undefined) {
    if (heartbeat.secret === undefined && heartbeat.secretFile === undefined) {
      problems.add(place, new Complaint("a heartbeat without a secret", "add `secretFile`"), {
        at: "key",
      });
    }
    return undefined;
  }
  if (secret.length > longestSecret) {
    const key = heartbeat.secret === undefined ? "secretFile" : "secret";
    complain(key, `a secret of ${secret.length} bytes`, `at most ${longestSecret}`);
  }
  return Object.freeze({ kind: "heartbeat", port: heartbeat.port ?? defaultPort, secret });
}

/** A secret says who somebody is, and a port for heartbeats carries nothing else. */
export function checkHeartbeats(tunnels: readonly TunnelConfig[], problems: Problems): void {
  const owners = new Map<string, string>();
  const ports = new Map<number, string>();
  for (const { name, listen } of tunnels)
    if (listen.port !== undefined) ports.set(listen.port, name);
  for (const tunnel of tunnels) {
    for (const { name, proof, identity } of tunnel.peers) {
      const place = ["tunnels", tunnel.name, "peers", name, "heartbeat"];
      const complain = (what: string, mend: string): void =>
        problems.add(place, new Complaint(what, mend), { at: "key" });
      if (proof.kind === "heartbeat") {
        const key = `${proof.port} ${proof.secret.revealText()}`;
        const other = owners.get(key);
        if (other !== undefined) {
          complain(`the same secret as ${other}`, "every peer needs its own");
        }
        owners.set(key, `${formatName(tunnel.name)}/${formatName(name)}`);
        const taken = ports.get(proof.port);
        if (taken !== undefined) {
          complain(`port ${proof.port} is the tunnel ${formatName(taken)}'s own`, "choose another");
        }
      }
      if (identity.kind === "heartbeat" && identity.port === tunnel.listen.port) {
        complain(`port ${identity.port} is the tunnel's own`, "choose another for one of them");
      }
    }
  }
}
