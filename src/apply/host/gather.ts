/** Looks at the host around our tunnels; changes nothing. */
import { lookup } from "node:dns/promises";
import { version } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Configuration } from "../../config/model.ts";
import { readQueues } from "../../kernel/nfqueue-state.ts";
import { readSysctl } from "../../kernel/sysctl.ts";
import { readUdpSockets } from "../../kernel/udp-state.ts";
import { familyOf, type IpAddress, parseAddress } from "../../net/address.ts";
import type { Devices } from "../../net/objects.ts";
import { marksOf } from "../../plan/full-tunnel.ts";
import { peerKey } from "../../plan/ids.ts";
import type { Situation } from "../../plan/situation.ts";
import type { Change } from "../change.ts";
import { observeFirewall } from "../nftables/foreign.ts";
import { rehearse } from "../nftables/rehearsal.ts";
import type { Observation } from "../observation.ts";
import { lookUpRoute } from "../route-lookup.ts";
import type { Sockets } from "../sockets.ts";
import type { Clock, HostFacts, PlaceProblem, UdpSocket, Way } from "./facts.ts";
import {
  changedAt,
  holderOf,
  isPublic,
  isThere,
  namesIn,
  placeProblem,
  socketHolders,
  textOf,
} from "./look.ts";
import { interfaceOfProfile, managedByNetworkd } from "./managers.ts";
import { moduleStates } from "./modules.ts";
import {
  isFirstUserNamespace,
  kernelBuilt,
  legacyTables,
  listeningPaths,
  missingCapabilities,
  openFilesLimit,
} from "./proc.ts";
import { secretFiles } from "./secrets.ts";
import { sysctlsOfInterest } from "./sysctls.ts";

export interface Subject {
  readonly configuration: Configuration;
  readonly configurationFiles: readonly string[];
  readonly observation: Observation;
  readonly situation: Situation;
  /** What a start would do. */
  readonly change: Change;
}

/** Names are looked up for so many peers, and for so long (milliseconds): more would be a wait. */
const MOST_NAMES = 64;
const PATIENCE = 5000;

export async function gatherFacts(sockets: Sockets, subject: Subject): Promise<HostFacts> {
  const { configuration, configurationFiles, observation, situation, change } = subject;
  const hidden = observation.ruleset.kind === "hidden";
  const unix = listeningPaths((await textOf("/proc/net/unix")) ?? "");
  const names = await resolveNames(configuration);
  const mayRehearse = !hidden && observation.ruleset.kind !== "foreign";
  const changes = [...change.gateBefore, ...change.gateAfter];
  const daemonRuns = unix.has(`@ipipoud/${configuration.table}`);
  return {
    missingCapabilities: missingCapabilities((await textOf("/proc/self/status")) ?? ""),
    inFirstUserNamespace: isFirstUserNamespace((await textOf("/proc/self/uid_map")) ?? ""),
    modules: await moduleStates(sockets),
    refusals: mayRehearse ? await rehearse(sockets.netfilter, configuration.table, changes) : [],
    daemonRuns,
    queueHolder: await queueHolder(configuration),
    udpSockets: await socketsAtOurPorts(situation),
    sysctls: await readAll(sysctlsOfInterest(configuration, observation, situation)),
    ways: await waysTo(sockets, subject, names.resolved),
    unresolved: names.unresolved,
    firewall: hidden ? undefined : await observeFirewall(sockets.netfilter),
    legacyTables: legacyTables((await textOf("/proc/net/ip_tables_names")) ?? ""),
    networkd: await networkdManages(),
    networkManagerProfiles: await networkManagerProfiles(configuration),
    clock: await lookAtClock(configurationFiles),
    publicSecrets: await onlyPublic(secretFiles(configuration, configurationFiles)),
    stateDirectory: await placeProblem(configuration.stateDirectory),
    control: await controlProblem(configuration.control, unix, daemonRuns),
    openFiles: openFilesLimit((await textOf("/proc/self/limits")) ?? ""),
  };
}

async function queueHolder({ queue }: Configuration): Promise<HostFacts["queueHolder"]> {
  const held = readQueues()?.find(({ number }) => number === queue.number);
  return held === undefined ? undefined : await holderOf(held.port);
}

async function socketsAtOurPorts({ underlays }: Situation): Promise<UdpSocket[]> {
  const ports = new Set([...underlays.values()].map(({ port }) => port));
  const all = (readUdpSockets() ?? []).filter(({ port }) => ports.has(port));
  const holders = await socketHolders(new Set(all.map(({ inode }) => inode)));
  return all.map(({ local, port, inode }) => ({ local, port, holder: holders.get(inode) }));
}

async function readAll(names: Iterable<string>): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const name of names) {
    const value = await readSysctl(name).catch(() => undefined);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

interface Names {
  readonly resolved: ReadonlyMap<string, IpAddress>;
  readonly unresolved: ReadonlyMap<string, string>;
}

async function resolveNames({ tunnels }: Configuration): Promise<Names> {
  const hosts = new Set<string>();
  for (const { peers } of tunnels) {
    for (const { endpoint } of peers) {
      if (endpoint === undefined || hosts.size === MOST_NAMES) continue;
      if (parseAddress(endpoint.host) === undefined) hosts.add(endpoint.host);
    }
  }
  const resolved = new Map<string, IpAddress>();
  const unresolved = new Map<string, string>();
  await Promise.all(
    [...hosts].map(async (host) => {
      const answer = await Promise.race([resolveName(host), silence()]);
      const address = parseAddress(answer);
      if (address === undefined) unresolved.set(host, answer);
      else resolved.set(host, address);
    }),
  );
  return { resolved, unresolved };
}

/** The address, or why there is none. */
async function resolveName(host: string): Promise<string> {
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "no answer";
  }
}

function silence(): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(`no answer within ${PATIENCE / 1000} s`), PATIENCE).unref();
  });
}

async function waysTo(
  { route }: Sockets,
  { configuration, situation, observation }: Subject,
  resolved: Names["resolved"],
): Promise<Map<string, Way>> {
  const ways = new Map<string, Way>();
  const marks = marksOf(configuration.tunnels);
  for (const tunnel of configuration.tunnels) {
    const mark = marks.get(tunnel.name) ?? 0;
    for (const peer of tunnel.peers) {
      if (ways.size === MOST_NAMES) return ways;
      const key = peerKey(tunnel.name, peer.name);
      const host = peer.endpoint?.host ?? "";
      const known = situation.endpoints.get(key)?.endpoint.address;
      const address = known ?? parseAddress(host) ?? resolved.get(host);
      if (address === undefined || familyOf(address) !== "ipv4") continue;
      ways.set(key, await wayTo(route, address, mark, observation.devices));
    }
  }
  return ways;
}

async function wayTo(
  route: Sockets["route"],
  address: IpAddress,
  mark: number,
  devices: Devices,
): Promise<Way> {
  const answer = await lookUpRoute(route, address, mark === 0 ? {} : { mark }, devices);
  const found = "error" in answer ? ({ device: undefined, type: "unreachable" } as const) : answer;
  return { address, device: found.device, type: found.type };
}

const NETWORKD_FOLDERS = [
  "/usr/lib/systemd",
  "/usr/local/lib/systemd",
  "/run/systemd",
  "/etc/systemd",
];

async function networkdManages(): Promise<HostFacts["networkd"]> {
  // It keeps its state there as long as it runs.
  if (!(await isThere("/run/systemd/netif/state"))) return undefined;
  const files = new Map<string, string>();
  for (const folder of NETWORKD_FOLDERS) {
    const dropIns = join(folder, "networkd.conf.d");
    // One of the same name in a stronger folder stands in for it.
    for (const name of await namesIn(dropIns)) {
      if (name.endsWith(".conf")) files.set(name, join(dropIns, name));
    }
  }
  const inOrder = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
  const all = [...NETWORKD_FOLDERS.map((folder) => join(folder, "networkd.conf")), ...inOrder];
  const texts = await Promise.all(all.map((file) => textOf(file)));
  return managedByNetworkd(texts.flatMap((text) => text ?? []));
}

async function networkManagerProfiles({ tunnels }: Configuration): Promise<Map<string, string>> {
  const ours = new Set(tunnels.map((tunnel) => tunnel.interface));
  const found = new Map<string, string>();
  if (!(await isThere("/run/NetworkManager"))) return found;
  for (const folder of ["/etc/NetworkManager", "/run/NetworkManager", "/usr/lib/NetworkManager"]) {
    const profiles = join(folder, "system-connections");
    for (const name of await namesIn(profiles)) {
      const device = interfaceOfProfile((await textOf(join(profiles, name))) ?? "");
      if (device !== undefined && ours.has(device)) found.set(device, join(profiles, name));
    }
  }
  return found;
}

async function lookAtClock(configurationFiles: readonly string[]): Promise<Clock> {
  const built = kernelBuilt(version());
  const past = built === undefined ? [] : [{ what: "the running kernel was built", time: built }];
  for (const file of configurationFiles) {
    const changed = await changedAt(file);
    if (changed !== undefined) past.push({ what: `${file} was written`, time: changed / 1000 });
  }
  // systemd-timesyncd's: the folder stands as long as it runs, the file from its first answer on.
  const runs = await isThere("/run/systemd/timesync");
  const synchronised = runs ? await isThere("/run/systemd/timesync/synchronized") : undefined;
  return { now: Date.now() / 1000, synchronised, past };
}

async function onlyPublic(files: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) if (await isPublic(file)) found.push(file);
  return found;
}

async function controlProblem(
  path: string,
  listening: ReadonlySet<string>,
  daemonRuns: boolean,
): Promise<PlaceProblem | undefined> {
  // Where our own daemon runs it has its place.
  if (daemonRuns) return undefined;
  if (listening.has(path)) return { path, why: "held" };
  return await placeProblem(basename(path) === "" ? path : dirname(path));
}
