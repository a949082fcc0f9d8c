/** One configuration at work: everything is put together here, started in order and stopped in reverse. */
import { demandNoConflict, findingsOf } from "../apply/findings.ts";
import { firstSituation } from "../apply/first.ts";
import { KernelApplier } from "../apply/kernel-applier.ts";
import { lookAtHost, lookAtLinks } from "../apply/look.ts";
import type { Observation } from "../apply/observation.ts";
import { observe } from "../apply/observe.ts";
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration, TunnelConfig } from "../config/model.ts";
import { openQueue, type PacketQueue } from "../kernel/nfqueue.ts";
import type { Addon } from "../native/addon.ts";
import { formatEndpoint, type IpAddress } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { foreignIpipOf } from "../plan/foreign.ts";
import { markOf } from "../plan/full-tunnel.ts";
import { epochs } from "../plan/gate-of.ts";
import { assignIds, type Ids, idOf, placeholder } from "../plan/ids.ts";
import type { KnownEndpoint, Situation, Underlay } from "../plan/situation.ts";
import { followsDefaultRoute, type Host, underlayOf } from "../plan/underlay.ts";
import { Dialler } from "../tunnel/dialler.ts";
import { Door } from "../tunnel/door.ts";
import type { EventSink } from "../tunnel/events.ts";
import { type Peer, Peers } from "../tunnel/peers.ts";
import { resolveEndpoint } from "../tunnel/resolver.ts";
import { type Status, tunnelStatus } from "../tunnel/status.ts";
import { TrafficReader } from "../tunnel/traffic.ts";
import { Tunnels } from "../tunnel/tunnels.ts";
import { Waiting } from "../tunnel/waiting.ts";
import { Writer } from "../tunnel/writer.ts";
import { patternsFor } from "../wire/patterns.ts";
import type { Signatures } from "../wire/signatures.ts";
import { RawSenders } from "./raw-senders.ts";
import { watchHost } from "./watch.ts";

export interface InstanceOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  readonly sockets: Sockets;
  readonly signatures: Signatures;
  readonly emit: EventSink;
}

/** How often it is looked whether the clock has moved on to another value of the time's upper bits. */
const CLOCK_INTERVAL = 10_000;

export class Instance {
  readonly #options: InstanceOptions;
  readonly #ids: Ids;
  readonly #peers: Peers;
  readonly #underlays = new Map<string, Underlay>();
  readonly #diallers = new Map<Peer, Dialler>();
  readonly #closers: (() => void)[] = [];
  readonly #applier: KernelApplier;
  readonly #writer: Writer;
  readonly #tunnels: Tunnels;
  #queue: PacketQueue | undefined;
  #waiting: Waiting | undefined;
  #started = false;
  #host: Host = { links: [], addresses: [], routes: [] };

  constructor(options: InstanceOptions) {
    this.#options = options;
    const { configuration, sockets, emit } = options;
    this.#ids = assignIds(configuration);
    this.#peers = new Peers(configuration);
    this.#applier = new KernelApplier(sockets, configuration, this.#ids);
    this.#writer = new Writer(this.#applier, this.#peers, () => this.#situation(), emit);
    this.#tunnels = new Tunnels({
      peers: this.#peers,
      writer: this.#writer,
      emit,
      localOf: (peer) => this.#localOf(peer.tunnel),
    });
  }

  /**
   * Brings all interfaces up. Throws a {@link Failure} or a KernelError, and then the kernel is as it was.
   */
  async start(): Promise<void> {
    const { configuration, sockets } = this.#options;
    const observation = await observe(sockets, configuration.table, this.#followsDefault());
    const situation = await firstSituation(configuration, this.#ids, observation);
    demandNoConflict(findingsOf(configuration, observation, situation));
    this.#take(observation, situation);
    try {
      this.#openDiallers();
      // Bound before anything is changed: it may be somebody else's.
      this.#openQueue();
      const first = new Map([...this.#peers.all()].map((peer) => [peer, peer.wanted]));
      await this.#applier.start(this.#situation(), observation);
      for (const [peer, endpoint] of first) peer.applied = endpoint;
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#listen();
    // Proofs that came meanwhile are written now.
    this.#writer.begin();
    this.#started = true;
    for (const dialler of this.#diallers.values()) dialler.now();
  }

  /** Ends all activity; with `remove` everything of ours leaves the kernel too. */
  async stop(remove: boolean): Promise<void> {
    this.#close();
    await this.#writer.close();
    if (remove) await this.#applier.removeAll();
  }

  /** Compares everything with the kernel and mends what differs. */
  reconcile(reason: string): void {
    this.#writer.reconcile(reason);
  }

  /** Authenticates to dialled peers now; gives how many. */
  reauth(tunnel?: string, peer?: string): number {
    this.#demandStarted();
    const chosen = this.#select(tunnel, peer).filter((one) => this.#diallers.has(one));
    for (const one of chosen) this.#diallers.get(one)?.now();
    return chosen.length;
  }

  /** Their proofs and replay marks are forgotten; gives how many. */
  forget(tunnel: string, peer: string): number {
    this.#demandStarted();
    const chosen = this.#select(tunnel, peer);
    for (const one of chosen) this.#tunnels.forget(one);
    return chosen.length;
  }

  async status(): Promise<Status> {
    this.#demandStarted();
    const links = await lookAtLinks(this.#options.sockets);
    const counters = this.#queue?.counters();
    const received = counters?.received ?? 0;
    return {
      tunnels: this.#options.configuration.tunnels.map((tunnel) => {
        const underlay = this.#underlay(tunnel);
        return tunnelStatus({
          tunnel,
          local: this.#localOf(tunnel),
          port: underlay.port,
          device: underlay.device,
          link: links.get(tunnel.interface),
          peers: this.#select(tunnel.name, undefined),
        });
      }),
      queue: {
        received,
        accepted: this.#waiting?.accepted ?? 0,
        refused: this.#waiting?.refused ?? 0,
        dropped: (counters?.rejected ?? 0) + (counters?.malformed ?? 0),
      },
    };
  }

  #take(observation: Observation, situation: Situation): void {
    this.#host = observation;
    for (const [name, underlay] of situation.underlays) this.#underlays.set(name, underlay);
    for (const [key, { endpoint, remaining }] of situation.endpoints) {
      const peer = this.#peers.get(key);
      if (peer !== undefined) this.#tunnels.adopt(peer, endpoint, remaining);
    }
  }

  /** One for every peer with an endpoint that is not waited for. */
  #openDiallers(): void {
    const senders = new RawSenders();
    this.#closers.push(() => senders.close());
    const traffic = new TrafficReader(() => lookAtLinks(this.#options.sockets));
    for (const peer of this.#peers.all()) {
      const { role, endpoint } = peer.config;
      if (role === "wait" || endpoint === undefined) continue;
      const mark = markOf(peer.tunnel);
      const dialler = new Dialler({
        peer,
        tunnels: this.#tunnels,
        signatures: this.#options.signatures,
        emit: this.#options.emit,
        source: () => {
          const { local, port } = this.#underlay(peer.tunnel);
          return local === undefined ? undefined : { address: local, port };
        },
        resolve: resolveEndpoint,
        send: (packet) => senders.send(packet, mark),
        traffic: () => traffic.of(peer.tunnel.interface),
        settled: () => this.#writer.settled(),
      });
      this.#diallers.set(peer, dialler);
      this.#closers.push(() => dialler.close());
      // Opened now, so that a missing privilege shows at the start.
      if (role === "dial") senders.open(mark);
    }
  }

  #openQueue(): void {
    const { configuration, addon, emit } = this.#options;
    const waiting = configuration.tunnels.filter(({ peers }) =>
      peers.some(({ role }) => role === "wait"),
    );
    if (waiting.length === 0) return;
    const { number, maxLength } = configuration.queue;
    const patterns = waiting.flatMap((tunnel) =>
      patternsFor(
        this.#underlay(tunnel).port,
        tunnel.peers.filter(({ role }) => role === "wait"),
      ),
    );
    this.#queue = openOrFail(addon, { number, maxLength, patterns });
    const queue = this.#queue;
    this.#closers.push(() => queue.close());
    this.#waiting = new Waiting({
      doors: () => this.#doors(waiting),
      tunnels: this.#tunnels,
      emit,
      isKnown: (local, endpoint) =>
        this.#peers.holder(local, endpoint.address)?.wanted?.port === endpoint.port,
    });
    const receiver = this.#waiting;
    queue.start(
      (packet) => receiver.receive(packet),
      (error) => this.#complain(error),
    );
  }

  #doors(waiting: readonly TunnelConfig[]): Map<string, { tunnel: string; door: Door }> {
    const doors = new Map<string, { tunnel: string; door: Door }>();
    for (const tunnel of waiting) {
      const peers = this.#select(tunnel.name, undefined).filter(
        ({ config }) => config.role === "wait",
      );
      const at = { address: this.#localOf(tunnel), port: this.#underlay(tunnel).port };
      doors.set(formatEndpoint(at), {
        tunnel: tunnel.name,
        door: new Door(peers, this.#options.signatures),
      });
    }
    return doors;
  }

  #listen(): void {
    const { addon, configuration } = this.#options;
    const interfaces = new Set(configuration.tunnels.map((tunnel) => tunnel.interface));
    const close = watchHost(addon, interfaces, {
      onTunnelChanged: (device, how) => this.#writer.reconcile(`${device} ${how}`),
      onHostChanged: () => this.#followHost().catch((error) => this.#complain(error)),
      onLoss: () => this.#writer.reconcile("events of the kernel were lost"),
    });
    this.#closers.push(close);
    let last = this.#epochs().join();
    const clock = setInterval(() => {
      const now = this.#epochs().join();
      if (now !== last) this.#writer.reconcile(undefined);
      last = now;
    }, CLOCK_INTERVAL);
    clock.unref();
    this.#closers.push(() => clearInterval(clock));
  }

  #demandStarted(): void {
    if (!this.#started) throw new Failure(exitCode.runtime, "it is still starting", "ask again");
  }

  #complain(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.emit({ event: "failed", tunnel: null, peer: null, endpoint: null, reason });
  }

  /** Addresses or routes outside have changed: do our tunnels still leave from where they did? */
  async #followHost(): Promise<void> {
    this.#host = await lookAtHost(this.#options.sockets, this.#followsDefault());
    const moved = this.#options.configuration.tunnels.filter((tunnel) => {
      const before = this.#underlay(tunnel);
      const now = underlayOf(tunnel, this.#host, before.port);
      this.#underlays.set(tunnel.name, now);
      return before.local !== now.local || before.mtu !== now.mtu;
    });
    if (moved.length === 0) return;
    this.#peers.rehome((peer) => this.#localOf(peer.tunnel));
    this.#waiting?.moved();
    this.#writer.reconcile(undefined);
    await this.#writer.settled();
    for (const tunnel of moved) this.reauth(tunnel.name);
  }

  #followsDefault(): boolean {
    return this.#options.configuration.tunnels.some(followsDefaultRoute);
  }

  #epochs(): number[] {
    const skews = [...this.#peers.all()].map(({ config }) => config.maxClockSkew);
    return epochs(Date.now() / 1000, Math.max(0, ...skews) / 1000);
  }

  #situation(): Situation {
    const endpoints = new Map<string, KnownEndpoint>();
    for (const { key, wanted, remaining } of this.#peers.all()) {
      if (wanted !== undefined) endpoints.set(key, { endpoint: wanted, remaining });
    }
    return {
      underlays: this.#underlays,
      endpoints,
      foreignIpip: foreignIpipOf(this.#host.links, this.#options.configuration.table),
      now: Date.now() / 1000,
    };
  }

  #underlay(tunnel: TunnelConfig): Underlay {
    const underlay = this.#underlays.get(tunnel.name);
    if (underlay === undefined) throw new RangeError(`tunnel ${tunnel.name} has no underlay yet`);
    return underlay;
  }

  #localOf(tunnel: TunnelConfig): IpAddress {
    return this.#underlay(tunnel).local ?? placeholder(idOf(this.#ids, tunnel.name));
  }

  #select(tunnel: string | undefined, peer: string | undefined): Peer[] {
    return [...this.#peers.all()].filter(
      (one) =>
        (tunnel === undefined || one.tunnel.name === tunnel) &&
        (peer === undefined || one.config.name === peer),
    );
  }

  #close(): void {
    this.#tunnels.close();
    for (const close of this.#closers.splice(0)) close();
  }
}

function openOrFail(addon: Addon, settings: Parameters<typeof openQueue>[1]): PacketQueue {
  try {
    return openQueue(addon, settings);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EPERM") throw error;
    throw new Failure(
      exitCode.conflict,
      `queue ${settings.number} is held by another program`,
      "set `queue: { number: … }` to another one",
      { cause: error },
    );
  }
}
