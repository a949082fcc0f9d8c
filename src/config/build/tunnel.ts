/** One tunnel: its interface, where it listens, and its peers side by side. */
import { formatPrefix } from "../../net/address.ts";
import { Complaint } from "../complaint.ts";
import type { Identity, InnerAddress, Listen, PeerConfig, TunnelConfig } from "../model.ts";
import { formatName, type Problems } from "../problems.ts";
import { checkInterfaceName } from "../schema/scalars.ts";
import type { TunnelPart } from "../schema/tunnel.ts";
import type { Path } from "../source/document.ts";
import { buildPeer } from "./peer.ts";
import { hasSecret, takeSecret } from "./secrets.ts";

/** ipipou's: number N had 10000 + N. */
const defaultPort = 10_000;

/** Protocol 1 names no key, so each key on a port may cost a verification per packet. */
const mostKeys = 256;

export function buildTunnel(name: string, part: TunnelPart, problems: Problems): TunnelConfig {
  const path = ["tunnels", name];
  const peers = buildPeers(part, path, problems);
  const interfaceName = part.interface ?? name;
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
  return Object.freeze({
    name,
    interface: interfaceName,
    mtu: part.mtu,
    addresses: addressesOf(part, path, problems),
    encapsulation: part.encapsulation ?? "fou",
    checksum: part.checksum,
    ttl: part.ttl ?? 0,
    listen,
    fwmark: part.fwmark,
    peers,
  });
}

function buildPeers(part: TunnelPart, path: Path, problems: Problems): readonly PeerConfig[] {
  const entries = Object.entries(part.peers ?? {});
  if (entries.length === 0) {
    problems.add(path, new Complaint("a tunnel without peers", "add a peer under `peers`"), {
      at: "key",
    });
  }
  const seed = takeSecret(part, "privateKey", path, problems);
  const tunnelKey: Identity = Object.freeze(
    seed === undefined ? { kind: "none" } : { kind: "key", seed },
  );
  const single = entries.length === 1;
  const tunnelHasKey = hasSecret(part, "privateKey");
  const place = [...path, "peers"];
  const peers = entries.map(([name, peer]) =>
    buildPeer(name, peer, { path: [...place, name], single, tunnelKey, tunnelHasKey, problems }),
  );
  checkSideBySide(peers, place, problems);
  return Object.freeze(peers);
}

/** What no two peers of a tunnel, and so of a port, may share. */
function checkSideBySide(peers: readonly PeerConfig[], path: Path, problems: Problems): void {
  const sources = new Map<string, string>();
  const proofs = new Map<string, string>();
  let keys = 0;
  for (const peer of peers) {
    for (const prefix of peer.allowedIPs ?? []) {
      const network = formatPrefix(prefix);
      const other = sources.get(network);
      if (other !== undefined) {
        const what = `${network} is in the allowedIPs of ${formatName(other)} already`;
        problems.add(
          [...path, peer.name, "allowedIPs"],
          new Complaint(what, "give it to one peer"),
          { at: "key" },
        );
      }
      sources.set(network, peer.name);
    }
    const proof = proofText(peer);
    if (proof === undefined) continue;
    if (peer.proof.kind === "key") keys++;
    const other = proofs.get(proof);
    if (other !== undefined) {
      const what = `the same proof as ${formatName(other)}, on one port`;
      problems.add([...path, peer.name], new Complaint(what, "every peer needs its own"), {
        at: "key",
      });
    }
    proofs.set(proof, peer.name);
  }
  if (keys > mostKeys) {
    const what = `${keys} keys of protocol 1 on one port, at most ${mostKeys}`;
    const mend =
      "spread the peers over several tunnels with a port each; protocol 2, which has no such limit, is not there yet";
    problems.add(path, new Complaint(what, mend), { at: "key" });
  }
}

/** What a peer that we wait for is known by; for comparing only. */
function proofText({ role, proof }: PeerConfig): string | undefined {
  if (role !== "wait") return undefined;
  switch (proof.kind) {
    case "key":
      return `key ${Buffer.from(proof.publicKey).toString("latin1")}`;
    case "token":
      return `token ${proof.token.reveal().toString("latin1")}`;
    case "none":
      return undefined;
  }
}

function listenOf(part: TunnelPart, peers: readonly PeerConfig[]): Listen {
  const onlyDials = peers.every((peer) => peer.role === "dial");
  return Object.freeze({
    address: part.listen?.address,
    port: part.listen?.port ?? (onlyDials ? undefined : defaultPort),
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
