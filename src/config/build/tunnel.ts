/** One tunnel: its interface, where it listens, and its peers side by side. */
import { Complaint } from "../complaint.ts";
import { nodePort } from "../hosts.ts";
import {
  type Identity,
  type InnerAddress,
  type Listen,
  mostKeys,
  type PeerConfig,
  type TunnelConfig,
} from "../model.ts";
import { formatName, type Problems } from "../problems.ts";
import { checkInterfaceName } from "../schema/scalars.ts";
import type { TunnelPart } from "../schema/tunnel.ts";
import type { Path } from "../source/document.ts";
import { buildDirectory } from "./directory.ts";
import { mobilityOf } from "./mobility.ts";
import { buildPeer } from "./peer.ts";
import { checkPlainTunnel } from "./plain.ts";
import { hasSecret, takeSecret } from "./secrets.ts";

/** ipipou's: number N had 10000 + N. */
const defaultPort = 10_000;

export function buildTunnel(name: string, part: TunnelPart, problems: Problems): TunnelConfig {
  const path = ["tunnels", name];
  const plain = part.encapsulation === "none";
  if (plain) checkPlainTunnel(part, path, problems);
  const seed = takeSecret(part, "privateKey", path, problems);
  const tunnelKey: Identity = Object.freeze(
    seed === undefined ? { kind: "none" } : { kind: "key", seed },
  );
  const peers = buildPeers(part, tunnelKey, path, problems);
  const interfaceName = part.interface ?? name;
  const hub = part.directory !== undefined || peers.length > 1;
  const nameComplaint = part.interface === undefined ? checkInterfaceName(name) : undefined;
  if (nameComplaint !== undefined) {
    const mend = "rename the tunnel, or add `interface` with 1 to 15 printable characters";
    problems.add(path, new Complaint(`${nameComplaint.what}: the tunnel's own`, mend), {
      at: "key",
    });
  }
  const listen = listenOf(part, peers);
  if (listen.device === interfaceName) {
    problems.add(
      [...path, "listen"],
      new Complaint("a tunnel that listens on its own interface", "name the device below it"),
    );
  }
  const addresses = addressesOf(part, path, problems);
  return Object.freeze({
    name,
    interface: interfaceName,
    mtu: part.mtu,
    addresses,
    encapsulation: part.encapsulation ?? "fou",
    checksum: part.checksum,
    ttl: part.ttl ?? 0,
    tos: part.tos ?? 0,
    pathMtuDiscovery: pathMtuDiscoveryOf(part, path, problems),
    listen,
    fwmark: part.fwmark,
    ...mobilityOf(part, { path, interfaceName, peers, hub, problems }),
    peers,
    directory: buildDirectory(part.directory, {
      ...{ tunnel: name, tunnelKey, addresses, path: [...path, "directory"], problems },
    }),
  });
}

function buildPeers(
  part: TunnelPart,
  tunnelKey: Identity,
  path: Path,
  problems: Problems,
): readonly PeerConfig[] {
  const parts = part.peers ?? {};
  const names = Object.keys(parts);
  const alone = part.directory === undefined;
  if (names.length === 0 && alone) {
    problems.add(path, new Complaint("a tunnel without peers", "add a peer under `peers`"), {
      at: "key",
    });
  }
  const plain = part.encapsulation === "none";
  const single = names.length === 1 && alone;
  const tunnelHasKey = hasSecret(part, "privateKey");
  const place = [...path, "peers"];
  const peers: PeerConfig[] = [];
  for (const name of names) {
    const own = { path: [...place, name], plain, single, tunnelKey, tunnelHasKey, problems };
    peers.push(buildPeer(name, parts[name] ?? {}, own));
  }
  checkSideBySide(peers, place, problems);
  return Object.freeze(peers);
}

/** What no two peers of a tunnel, and so of a port, may share. */
function checkSideBySide(peers: readonly PeerConfig[], path: Path, problems: Problems): void {
  // By length and address, and by kind and bytes: no text is put together for each of 100,000 peers.
  const sources = new Map<number, Map<string, string>>();
  const proofs = { key: new Map<string, string>(), token: new Map<string, string>() };
  for (const peer of peers) {
    for (const { address, length } of peer.allowedIPs ?? []) {
      const sameLength = getOrAdd(sources, length);
      const other = sameLength.get(address);
      if (other !== undefined) {
        const what = `${address}/${length} is in the allowedIPs of ${formatName(other)} already`;
        problems.add(
          [...path, peer.name, "allowedIPs"],
          new Complaint(what, "give it to one peer"),
          { at: "key" },
        );
      }
      sameLength.set(address, peer.name);
    }
    const proof = proofText(peer);
    const { kind } = peer.proof;
    if (proof === undefined || kind === "none" || kind === "heartbeat") continue;
    const sameKind = proofs[kind];
    const other = sameKind.get(proof);
    if (other !== undefined) {
      const what = `the same proof as ${formatName(other)}, on one port`;
      problems.add([...path, peer.name], new Complaint(what, "every peer needs its own"), {
        at: "key",
      });
    }
    sameKind.set(proof, peer.name);
  }
  const keys = peers.filter(({ role, proof }) => role === "wait" && proof.kind === "key").length;
  if (keys > mostKeys) {
    const what = `${keys} keys of protocol 1 on one port, at most ${mostKeys}`;
    const mend =
      "spread the peers over several tunnels with a port each; protocol 2, which has no such limit, is not there yet";
    problems.add(path, new Complaint(what, mend), { at: "key" });
  }
}

function getOrAdd(maps: Map<number, Map<string, string>>, key: number): Map<string, string> {
  const there = maps.get(key);
  if (there !== undefined) return there;
  const made = new Map<string, string>();
  maps.set(key, made);
  return made;
}

/** What a peer that we wait for is known by, one character a byte; for comparing only. */
function proofText({ role, proof }: PeerConfig): string | undefined {
  if (role !== "wait") return undefined;
  switch (proof.kind) {
    case "key":
      return Buffer.from(proof.publicKey).toString("latin1");
    case "token":
      return proof.token.revealText();
    // Of all tunnels side by side: checkHeartbeats.
    case "heartbeat":
    case "none":
      return undefined;
  }
}

/** The kernel keeps it on where the TTL is fixed: packets that loop must end somehow (ip_tunnel_ctl). */
function pathMtuDiscoveryOf(part: TunnelPart, path: Path, problems: Problems): boolean {
  const on = part.pathMtuDiscovery ?? true;
  if (!on && (part.ttl ?? 0) > 0) {
    const what = "no path-MTU discovery with a fixed TTL, which the kernel does not do";
    problems.add([...path, "pathMtuDiscovery"], new Complaint(what, "remove it, or `ttl`"));
  }
  return on;
}

function listenOf(part: TunnelPart, peers: readonly PeerConfig[]): Listen {
  const onlyDials = part.encapsulation === "none" || peers.every((peer) => peer.role === "dial");
  const usual = part.directory === undefined ? defaultPort : nodePort;
  const chosen = onlyDials && part.directory === undefined;
  return Object.freeze({
    address: part.listen?.address,
    port: part.listen?.port ?? (chosen ? undefined : usual),
    device: part.listen?.device,
  });
}

function addressesOf(part: TunnelPart, path: Path, problems: Problems): readonly InnerAddress[] {
  const addresses = [
    ...(part.address === undefined ? [] : [part.address]),
    ...(part.addresses ?? []),
  ];
  const seen = new Set<string>();
  for (const { local, length, peer } of addresses) {
    const text = `${local}/${length} ${peer}`;
    if (seen.has(text)) {
      const key = part.addresses === undefined ? "address" : "addresses";
      problems.add(
        [...path, key],
        new Complaint(`the address ${local}/${length} is given twice`, "remove one"),
        { at: "key" },
      );
    }
    seen.add(text);
  }
  return Object.freeze(addresses);
}
