/** What stands in the way of a start, or is worth a word, found by looking at what a start looks at. Pure. */
import type { Configuration, PeerConfig } from "../config/model.ts";
import {
  formatEndpoint,
  formatPrefix,
  type IpAddress,
  networkOf,
  type Prefix,
} from "../net/address.ts";
import { exitCode } from "../net/failure.ts";
import { isPlain, translatedTunnels } from "../plan/form.ts";
import { peerKey } from "../plan/ids.ts";
import { tunnelOfAlias } from "../plan/ownership.ts";
import type { Situation } from "../plan/situation.ts";
import { type Finding, hindrance, listed, note, warning } from "./finding.ts";
import { mobilityFindings, sourceFindings } from "./mobility-findings.ts";
import type { Observation } from "./observation.ts";

/** What a start would end with: all that it has to know, and no more, as there may be 100,000 peers. */
export function hindrancesOf(
  configuration: Configuration,
  observation: Observation,
  situation: Situation,
): Finding[] {
  return [
    ...kernelFindings(configuration, observation),
    ...tableFindings(configuration, observation),
    ...interfaceFindings(configuration, observation),
    ...listenerFindings(configuration, observation, situation),
    ...pairFindings(configuration, situation),
    ...sourceFindings(configuration, observation),
  ];
}

export function findingsOf(
  configuration: Configuration,
  observation: Observation,
  situation: Situation,
): Finding[] {
  return [
    ...hindrancesOf(configuration, observation, situation),
    ...sharedFindings(configuration, situation),
    ...listenFindings(configuration, observation, situation),
    ...loopFindings(configuration, situation),
    ...silenceFindings(configuration),
    ...proofFindings(configuration),
    ...mobilityFindings(configuration, observation, situation),
  ];
}

function kernelFindings({ tunnels }: Configuration, { listeners }: Observation): Finding[] {
  if (listeners !== undefined || tunnels.every(isPlain)) return [];
  return [
    hindrance(
      exitCode.kernel,
      "no-fou",
      "the kernel has no generic netlink family `fou`",
      "load the module: `modprobe fou` (at boot: a line `fou` in /etc/modules-load.d/ipipoud.conf)",
    ),
  ];
}

function tableFindings({ table }: Configuration, { ruleset }: Observation): Finding[] {
  if (ruleset.kind === "hidden") return [HIDDEN];
  if (ruleset.kind !== "foreign") return [];
  return [
    hindrance(
      exitCode.conflict,
      "foreign-table",
      `there is an nf_tables table \`ip ${table}\` that ipipoud did not make`,
      "remove it (`nft delete table ip NAME`), or set `table` to another name",
    ),
  ];
}

const HIDDEN = hindrance(
  exitCode.privilege,
  "no-privilege",
  "without CAP_NET_ADMIN much can't be seen: our nf_tables table, the host's firewall, who has the queue, what the kernel lacks",
  "run it as root; the steps take our table for absent",
);

function interfaceFindings(configuration: Configuration, { links }: Observation): Finding[] {
  const findings: Finding[] = [];
  for (const tunnel of configuration.tunnels) {
    const link = links.find(({ name }) => name === tunnel.interface);
    if (link === undefined || tunnelOfAlias(configuration.table, link.alias) !== undefined)
      continue;
    findings.push(
      hindrance(
        exitCode.conflict,
        "foreign-interface",
        `tunnel ${tunnel.name}: there is an interface ${link.name} that ipipoud did not make`,
        "remove it, or set `interface` to another name",
      ),
    );
  }
  return findings;
}

/** A hub's device takes what comes from anyone, so who shares its outer address is translated. */
function sharedFindings({ tunnels }: Configuration, situation: Situation): Finding[] {
  return [...translatedTunnels(tunnels, situation)].map((name) =>
    note(
      "translated",
      `tunnel ${name} shares its outer address ${situation.underlays.get(name)?.local} with another that comes before it: its packets are translated, which costs`,
      "give it an address of its own in `listen`, or make them one tunnel",
    ),
  );
}

function listenerFindings(
  configuration: Configuration,
  { listeners = [], resources }: Observation,
  situation: Situation,
): Finding[] {
  const ours = new Set(
    resources.flatMap((r) => (r.object === "fou" ? [`${r.spec.local}:${r.spec.port}`] : [])),
  );
  const findings: Finding[] = [];
  for (const tunnel of configuration.tunnels) {
    const underlay = situation.underlays.get(tunnel.name);
    if (underlay?.local === undefined || isPlain(tunnel)) continue;
    const { local, port } = underlay;
    const other = listeners.find(
      (listener) =>
        listener.port === port &&
        (listener.local === undefined || listener.local === local) &&
        !ours.has(`${listener.local}:${port}`),
    );
    if (other === undefined) continue;
    findings.push(
      hindrance(
        exitCode.conflict,
        "foreign-listener",
        `tunnel ${tunnel.name}: a FOU listener that is not ours holds ${formatEndpoint({ address: local, port })}`,
        `remove it (\`ip fou del port ${port}\`), or set another port in \`listen\``,
      ),
    );
  }
  return findings;
}

/** Without UDP nothing can be translated: the pair of outer addresses has to be free. */
function pairFindings({ tunnels }: Configuration, situation: Situation): Finding[] {
  return tunnels.filter(isPlain).flatMap(({ name, peers: [peer] }) => {
    const local = situation.underlays.get(name)?.local;
    const remote = peer && situation.endpoints.get(peerKey(name, peer.name))?.endpoint.address;
    const other = situation.foreignIpip.find(
      (one) => one.local === local && one.remote === remote && remote !== undefined,
    );
    if (other === undefined) return [];
    return [
      hindrance(
        exitCode.conflict,
        "foreign-pair",
        `tunnel ${name}: the interface ${other.device}, which ipipoud did not make, has the same outer addresses (${local} and ${remote})`,
        `remove it (\`ip link del ${other.device}\`), or use UDP (leave \`encapsulation\` out)`,
      ),
    ];
  });
}

/** `listen` against what the host has now. Devices may come later, so these are no errors. */
function listenFindings(
  configuration: Configuration,
  { links }: Observation,
  { underlays }: Situation,
): Finding[] {
  return configuration.tunnels.flatMap(({ name, listen }) => {
    const { address, device } = listen;
    const findings: Finding[] = [];
    if (device !== undefined && !links.some((link) => link.name === device)) {
      const message = `tunnel ${name}: there is no interface ${device} here`;
      findings.push(warning("no-device", message, "correct `listen`, or make the interface first"));
    }
    if (address === undefined && underlays.get(name)?.local === undefined) {
      const where = device === undefined ? "no default route" : `no address on ${device}`;
      const message = `tunnel ${name}: there is ${where} yet, so it can't be reached`;
      findings.push(
        warning("no-underlay", message, "it follows by itself, or name an address in `listen`"),
      );
    }
    return findings;
  });
}

/** Outer packets that would go into their own tunnel; `0.0.0.0/0` alone has rules that keep them out. */
function loopFindings(configuration: Configuration, { endpoints }: Situation): Finding[] {
  return configuration.tunnels.flatMap(({ name, peers }) => {
    const networks = new Networks(peers);
    return peers.flatMap((peer) => {
      const outer = endpoints.get(peerKey(name, peer.name))?.endpoint.address;
      const around = outer && networks.around(outer);
      if (outer === undefined || around === undefined) return [];
      const message = `tunnel ${name}: the allowedIPs ${formatPrefix(around)} contain ${outer}, where ${peer.name} is reached: without a narrower route outside, what goes there loops`;
      const mend = "write 0.0.0.0/0 for everything, or leave that address out";
      return [warning("outer-loop", message, mend)];
    });
  });
}

/** The allowedIPs of a tunnel by their length: there are 32, whatever number of peers. */
class Networks {
  readonly #byLength = new Map<number, Set<string>>();

  constructor(peers: readonly PeerConfig[]) {
    for (const { allowedIPs } of peers) {
      for (const prefix of allowedIPs ?? []) {
        if (prefix.length === 0) continue;
        const same = this.#byLength.get(prefix.length) ?? new Set();
        this.#byLength.set(prefix.length, same.add(networkOf(prefix).address));
      }
    }
  }

  around(address: IpAddress): Prefix | undefined {
    for (const [length, networks] of this.#byLength) {
      const network = networkOf({ address, length });
      if (networks.has(network.address)) return network;
    }
    return undefined;
  }
}

/** What is legal and mostly forgotten. */
function silenceFindings(configuration: Configuration): Finding[] {
  return configuration.tunnels.flatMap(({ name, addresses, peers }) => {
    const findings: Finding[] = [];
    if (addresses.length === 0) {
      const message = `tunnel ${name} has no inner address`;
      findings.push(
        warning("no-inner-address", message, "add `address: A/LEN`, or give it one yourself"),
      );
    }
    for (const peer of peers) {
      if (peer.allowedIPs !== undefined) continue;
      const message = `peer ${name}/${peer.name} has no allowedIPs: it may send from any address, and nothing is routed to it`;
      findings.push(warning("no-allowed-ips", message, "add allowedIPs, or routes of your own"));
    }
    return findings;
  });
}

function proofFindings(configuration: Configuration): Finding[] {
  const replayable = configuration.tunnels.flatMap(({ name, peers }) =>
    peers
      .filter(
        ({ role, proof, replay }) => role === "wait" && (proof.kind !== "key" || replay === "off"),
      )
      .map((peer) => `${name}/${peer.name}`),
  );
  if (replayable.length === 0) return [];
  return [
    note(
      "replayable",
      `whoever captures an authentication of ${listed(replayable)} can send it again`,
      "prove these peers by `publicKey`, with `replay` not off",
    ),
  ];
}
