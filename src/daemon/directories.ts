/** The directories of a started instance: who is asked, and what becomes of the answers. */
import { type Configuration, isOpenNode, type Nodes, type TunnelConfig } from "../config/model.ts";
import type { Secret } from "../config/secret.ts";
import { type Endpoint, type IpAddress, parseAddress } from "../net/address.ts";
import { withNodes } from "../plan/directory.ts";
import { Directory, type Remembered } from "../tunnel/directory/directory.ts";
import { Keeper } from "../tunnel/directory/keeper.ts";
import { keptPath } from "../tunnel/directory/kept.ts";
import { Names } from "../tunnel/directory/names.ts";
import { Publisher } from "../tunnel/directory/publisher.ts";
import type { DirectorySource } from "../tunnel/directory/source.ts";
import { sourceOf } from "../tunnel/directory/sources.ts";
import { nodesAtStart } from "../tunnel/directory/start.ts";
import type { EventSink } from "../tunnel/events.ts";
import { fewOf } from "../tunnel/few.ts";
import type { Peer } from "../tunnel/peers.ts";
import type { DirectoryStatus } from "../tunnel/status.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";

/** Names of nodes are resolved again this often. Milliseconds. */
const RESOLVE_INTERVAL = 300_000;

/** What outlasts an instance: the last good answers, and who gives none now. */
export class DirectoryMemory {
  readonly #byPath = new Map<string, Remembered>();
  readonly #keepers = new Map<string, Keeper>();

  /** The nodes that a tunnel begins with. */
  atStart(configuration: Configuration, tunnel: TunnelConfig): Nodes | undefined {
    const path = pathOf(configuration, tunnel);
    if (path === undefined) return undefined;
    const { nodes: before, trouble } = this.of(path);
    const nodes = nodesAtStart(configuration, tunnel, before);
    this.remember(path, { nodes, trouble });
    return nodes;
  }

  of(path: string): Remembered {
    return this.#byPath.get(path) ?? { nodes: undefined, trouble: undefined };
  }

  remember(path: string, now: Remembered): void {
    this.#byPath.set(path, now);
  }

  /** One for each path, or an instance that ends and the next one would write over each other. */
  keeperOf(path: string, folder: string, onTrouble: (reason: string) => void): Keeper {
    const keeper = this.#keepers.get(path) ?? new Keeper(path, folder, onTrouble);
    this.#keepers.set(path, keeper);
    return keeper;
  }
}

export interface DirectoriesOptions {
  readonly configuration: Configuration;
  readonly memory: DirectoryMemory;
  readonly emit: EventSink;
  readonly tunnels: Tunnels;
  /** Where our outer packets come from, as far as that is known. */
  readonly outerOf: (tunnel: TunnelConfig) => Endpoint | undefined;
  /** Whoever is dialled there may know us only now. */
  readonly nudge: (tunnel: string) => void;
  /** By which whoever has this seed proves itself. */
  readonly publicKeyOf: (seed: Secret) => Uint8Array;
  /** The peers of this tunnel as they are now. */
  readonly peersOf: (tunnel: string) => Iterable<Peer>;
  readonly resolve: (host: string) => Promise<IpAddress>;
  /** These are the tunnel's nodes now. */
  readonly exchange: (tunnel: string, nodes: Nodes) => void;
  readonly onError: (error: Error) => void;
}

interface Followed {
  /** Its name. */
  readonly source: string;
  readonly path: string;
  readonly directory: Directory;
  readonly names: Names;
  readonly publisher: Publisher | undefined;
  /** Peers whose host is a name. */
  byHost: ReadonlyMap<string, readonly Peer[]>;
}

export class Directories {
  readonly #options: DirectoriesOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #leftOut = new Map<string, string>();

  constructor(options: DirectoriesOptions) {
    this.#options = options;
    for (const tunnel of options.configuration.tunnels) {
      const path = pathOf(options.configuration, tunnel);
      if (path === undefined || tunnel.directory === undefined) continue;
      this.#followed.set(tunnel.name, this.#follow(tunnel, sourceOf(tunnel.directory), path));
      this.arrived(tunnel.name);
      const { nodes } = options.memory.of(path);
      if (nodes !== undefined) this.leftOut(tunnel.name, withNodes(tunnel, nodes).refused);
    }
  }

  /** undefined: it has none. */
  statusOf(tunnel: string): DirectoryStatus | undefined {
    const followed = this.#followed.get(tunnel);
    if (followed === undefined) return undefined;
    const { nodes, trouble } = this.#options.memory.of(followed.path);
    return { source: followed.source, nodes: nodes?.size ?? null, trouble: trouble ?? null };
  }

  /** Nodes that can't be peers: one event for as long as they are the same. */
  leftOut(tunnel: string, refused: readonly string[]): void {
    const words = refused.length === 0 ? undefined : fewOf(refused);
    if (words === this.#leftOut.get(tunnel)) return;
    if (words === undefined) this.#leftOut.delete(tunnel);
    else {
      this.#leftOut.set(tunnel, words);
      const reason = `left out of the directory: ${words}`;
      this.#options.emit({ event: "failed", tunnel, peer: null, endpoint: null, reason });
    }
  }

  /** Its peers are others now: those whose host is an address are there, the others are looked up. */
  arrived(tunnel: string): void {
    const { peersOf, tunnels } = this.#options;
    const followed = this.#followed.get(tunnel);
    if (followed === undefined) return;
    const byHost = new Map<string, Peer[]>();
    for (const peer of peersOf(tunnel)) {
      const { endpoint } = peer.config;
      if (!isOpenNode(peer.config) || endpoint === undefined) continue;
      const address = parseAddress(endpoint.host);
      if (address === undefined) {
        const same = byHost.get(endpoint.host);
        if (same === undefined) byHost.set(endpoint.host, [peer]);
        else same.push(peer);
      } else if (peer.wanted === undefined) {
        tunnels.resolved(peer, { address, port: endpoint.port });
      }
    }
    followed.byHost = byHost;
    followed.names.follow(new Set(byHost.keys()));
  }

  close(): void {
    for (const { directory, names, publisher } of this.#followed.values()) {
      directory.close();
      names.close();
      void publisher?.close(false);
    }
  }

  /** What we have written of ourselves goes from where it stands. */
  async withdraw(): Promise<void> {
    const all = [...this.#followed.values()];
    await Promise.all(all.map(({ publisher }) => publisher?.close(true)));
  }

  #publisher(tunnel: TunnelConfig): Publisher | undefined {
    const { emit, outerOf, publicKeyOf, peersOf, nudge } = this.#options;
    const { from, limits } = tunnel.directory ?? {};
    if (from?.kind !== "store" || from.publish === undefined) return undefined;
    const { proving } = limits ?? {};
    return new Publisher({
      ...{ tunnel, from, publish: from.publish, emit },
      publicKey:
        proving?.kind === "key"
          ? Buffer.from(publicKeyOf(proving.seed)).toString("base64")
          : undefined,
      outer: () => outerOf(tunnel),
      peers: () => peersOf(tunnel.name),
      known: () => nudge(tunnel.name),
    });
  }

  #follow(config: TunnelConfig, source: DirectorySource, path: string): Followed {
    const { name: tunnel } = config;
    const { configuration, memory, emit, exchange, resolve, onError } = this.#options;
    const complain = (reason: string): void => onError(new Error(reason));
    const keeper = memory.keeperOf(path, configuration.stateDirectory, complain);
    const known = memory.of(path);
    const directory = new Directory({
      ...{ tunnel, source, emit, known },
      remember: (now) => {
        memory.remember(path, now);
        if (now.nodes !== undefined && now.trouble === undefined) keeper.keep(now.nodes);
      },
      changed: (nodes) => exchange(tunnel, nodes),
    });
    // What was read at the start may be news to the disk.
    if (known.nodes !== undefined) keeper.keep(known.nodes);
    const names = new Names({
      ...{ resolve, interval: RESOLVE_INTERVAL },
      found: (host, address) => this.#found(tunnel, host, address),
      unresolved: (host, reason) =>
        emit({ event: "unresolved", tunnel, peer: null, endpoint: host, reason }),
    });
    const publisher = this.#publisher(config);
    return { source: source.name, path, directory, names, publisher, byHost: new Map() };
  }

  #found(tunnel: string, host: string, address: IpAddress): void {
    for (const peer of this.#followed.get(tunnel)?.byHost.get(host) ?? []) {
      const { endpoint } = peer.config;
      if (endpoint !== undefined) {
        this.#options.tunnels.resolved(peer, { address, port: endpoint.port });
      }
    }
  }
}

/** Where its last good answer is kept, which also names it; undefined: it has no directory. */
function pathOf(
  { stateDirectory, table }: Configuration,
  { name: tunnel, directory }: TunnelConfig,
): string | undefined {
  if (directory === undefined) return undefined;
  return keptPath({ stateDirectory, table, tunnel, from: directory.from });
}
