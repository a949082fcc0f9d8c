/** One configuration at work: everything is put together here, started in order and stopped in reverse. */
import { demandNoConflict } from "../apply/finding.ts";
import { hindrancesOf } from "../apply/findings.ts";
import { firstSituation } from "../apply/first.ts";
import { KernelApplier } from "../apply/kernel-applier.ts";
import { lookAtLinks } from "../apply/look.ts";
import type { Observation } from "../apply/observation.ts";
import { observe } from "../apply/observe.ts";
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration, Nodes } from "../config/model.ts";
import { Secret } from "../config/secret.ts";
import type { Addon } from "../native/addon.ts";
import { formatEndpoint } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { withNodes } from "../plan/directory.ts";
import { assignIds, type Ids } from "../plan/ids.ts";
import type { KnownEndpoint, Situation } from "../plan/situation.ts";
import { sysctlNames } from "../plan/sysctls.ts";
import { withKnownNodes } from "../tunnel/directory/start.ts";
import type { EventSink } from "../tunnel/events.ts";
import { inherit } from "../tunnel/inherit.ts";
import { knownEndpoint, type Peer, Peers } from "../tunnel/peers.ts";
import type { Status } from "../tunnel/status.ts";
import { Tunnels } from "../tunnel/tunnels.ts";
import { noted, Writer } from "../tunnel/writer.ts";
import type { Signatures } from "../wire/signatures.ts";
import { Diallers } from "./diallers.ts";
import { Directories, type DirectoryMemory } from "./directories.ts";
import type { Marks } from "./marks.ts";
import type { Measurement } from "./metrics/measurement.ts";
import { startMonitors } from "./monitors.ts";
import { ownerOf } from "./owner.ts";
import { openMarks, recall } from "./recall.ts";
import { openReception, type Reception } from "./reception.ts";
import { measurementOf, type Reported, statusOf } from "./report.ts";
import { Surroundings } from "./surroundings.ts";
import { Tampering } from "./tampering.ts";
import { followWorld } from "./world.ts";

export interface InstanceOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  readonly sockets: Sockets;
  readonly signatures: Signatures;
  readonly emit: EventSink;
  /** What the instance before this one remembered of its peers. */
  readonly former: Peers | undefined;
  readonly directories: DirectoryMemory;
}

export class Instance {
  readonly #options: InstanceOptions;
  /** With the nodes of its directories. */
  #configuration: Configuration;
  #ids: Ids;
  readonly #peers: Peers;
  readonly #surroundings: Surroundings;
  readonly #tampering: Tampering;
  readonly #applier: KernelApplier;
  readonly #writer: Writer;
  readonly #tunnels: Tunnels;
  #marks: Marks | undefined;
  #diallers: Diallers | undefined;
  #reception: Reception | undefined;
  #directories: Directories | undefined;
  readonly #closers: (() => void)[] = [];
  #started = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    const { sockets, emit, directories } = options;
    const configuration = withKnownNodes(
      options.configuration,
      (tunnel) => directories.atStart(options.configuration, tunnel),
      (seed, publicKey) => this.#pair(seed, publicKey),
    );
    this.#configuration = configuration;
    this.#ids = assignIds(configuration);
    this.#peers = new Peers(configuration, this.#ids);
    this.#surroundings = new Surroundings(configuration, this.#ids, sockets);
    this.#tampering = new Tampering(ownerOf({ configuration, sockets, peers: this.#peers }));
    this.#applier = new KernelApplier(
      sockets,
      configuration,
      this.#ids,
      () => this.#tampering.devices,
    );
    this.#writer = new Writer(this.#applier, this.#peers, () => this.#situation(), emit);
    this.#tunnels = new Tunnels({
      peers: this.#peers,
      writer: this.#writer,
      emit,
      localOf: (peer) => this.#surroundings.deviceLocalOf(peer.tunnel),
      foreign: () => this.#surroundings.foreign,
    });
  }

  get started(): boolean {
    return this.#started;
  }

  get peers(): Peers {
    return this.#peers;
  }

  /** Throws a {@link Failure} where a start would find something in its way. Changes nothing. */
  async rehearse(): Promise<void> {
    await this.#look();
  }

  /**
   * Brings all interfaces up; gives what it changed, in words for whoever asks. Throws a {@link Failure} or a KernelError;
   * the kernel is then as it was.
   */
  async start(): Promise<() => readonly string[]> {
    const { former } = this.#options;
    const { observation, situation } = await this.#look();
    this.#surroundings.take(observation, situation);
    this.#adopt(situation, former === undefined ? new Set() : inherit(this.#peers, former));
    let changes: () => readonly string[];
    try {
      // Sockets and queue before anything is changed: they may be refused.
      this.#open();
      const written = noted(this.#peers.all());
      changes = await this.#applier.start(this.#situation(), observation);
      written();
      this.#follow(observation);
    } catch (error) {
      // Whoever takes over needs the queue that we have opened.
      this.#close();
      throw error;
    }
    // Proofs that came meanwhile are written now.
    this.#writer.begin();
    this.#started = true;
    this.#diallers?.now(this.#peers.all());
    return changes;
  }

  /** Ends all activity; with `remove` everything of ours leaves the kernel too. */
  async stop(remove: boolean): Promise<void> {
    // What is asked of it from now on would be forgotten, or done beside its successor.
    this.#started = false;
    if (remove) await this.#directories?.withdraw();
    this.#close();
    // A proof taken in the last moment, or a peer just forgotten: the successor looks at the kernel.
    if (!remove) await this.#writer.settled();
    await this.#writer.close();
    if (remove) await this.#applier.removeAll();
  }

  /** Authenticates to dialled peers now; gives how many. */
  reauth(tunnel?: string, peer?: string): number {
    this.#demandStarted();
    return this.#diallers?.now(this.#select(tunnel, peer)) ?? 0;
  }

  /** Their proofs and replay marks are forgotten; gives how many. */
  forget(tunnel: string, peer: string): number {
    this.#demandStarted();
    const chosen = this.#select(tunnel, peer);
    for (const one of chosen) {
      this.#tunnels.forget(one);
      const { proof } = one.config;
      if (proof.kind === "key") this.#marks?.forget(proof.publicKey);
    }
    this.#diallers?.now(chosen);
    return chosen.length;
  }

  async status(): Promise<Status> {
    this.#demandStarted();
    return statusOf(this.#reported, await lookAtLinks(this.#options.sockets));
  }

  /** For metrics: the peers one by one only where they are no more than this. */
  async measure(mostPeers: number): Promise<Measurement> {
    this.#demandStarted();
    return measurementOf(this.#reported, await lookAtLinks(this.#options.sockets), mostPeers);
  }

  get #reported(): Reported {
    return {
      configuration: this.#configuration,
      peers: this.#peers,
      surroundings: this.#surroundings,
      directories: this.#directories,
      reception: this.#reception,
    };
  }

  async #look(): Promise<{ observation: Observation; situation: Situation }> {
    const { sockets } = this.#options;
    const configuration = this.#configuration;
    const whole = this.#surroundings.followsDefaultRoute;
    const sysctls = sysctlNames(configuration.tunnels);
    const observation = await observe(sockets, configuration.table, { whole, sysctls });
    const situation = await firstSituation(configuration, this.#ids, observation);
    demandNoConflict(hindrancesOf(configuration, observation, situation));
    return { observation, situation };
  }

  /**
   * Not those who must prove themselves anew. Those that have a place to themselves first, so that they
   * keep it.
   */
  #adopt({ endpoints }: Situation, strangers: ReadonlySet<Peer>): void {
    const all = [...this.#peers.all()].flatMap((peer) => {
      const known = endpoints.get(peer.key);
      const anew = strangers.has(peer) && peer.config.role === "wait";
      return known === undefined || anew ? [] : [{ peer, known }];
    });
    all.sort((a, b) => rank(a.known) - rank(b.known));
    for (const { peer, known } of all) this.#tunnels.adopt(peer, known);
  }

  #open(): void {
    const parts = {
      ...this.#options,
      configuration: this.#configuration,
      surroundings: this.#surroundings,
      peers: this.#peers,
      tunnels: this.#tunnels,
      writer: this.#writer,
    };
    const diallers = new Diallers(parts);
    this.#diallers = diallers;
    this.#closers.push(() => diallers.close());
    this.#recall();
    const reception = openReception({
      ...parts,
      diallers,
      keep: ({ config: { proof } }, stamp, mark, source) => {
        if (proof.kind === "key") {
          this.#marks?.keep(proof.publicKey, stamp, mark, formatEndpoint(source));
        }
      },
      floor: ({ config: { proof, maxClockSkew } }) =>
        proof.kind === "key" ? (this.#marks?.floor(proof.publicKey, maxClockSkew) ?? 0) : 0,
      onError: (error) => this.#complain(error),
    });
    this.#reception = reception;
    this.#closers.push(() => reception?.close());
  }

  /** Which packets were taken before: from the disk, and from the instance before this one. */
  #recall(): void {
    const { configuration, former } = this.#options;
    const marks = openMarks(configuration, this.#peers, former, (reason) =>
      this.#complain(new Error(reason)),
    );
    if (marks === undefined) return;
    this.#marks = marks;
    this.#closers.push(() => marks.close());
    recall(this.#peers, marks);
  }

  #follow({ links }: Observation): void {
    if (this.#diallers === undefined) return;
    const stop = followWorld({
      ...this.#options,
      links,
      tampering: this.#tampering,
      surroundings: this.#surroundings,
      peers: this.#peers,
      writer: this.#writer,
      diallers: this.#diallers,
      reception: this.#reception,
      onError: (error) => this.#complain(error),
    });
    this.#closers.push(stop, startMonitors(this.#peers.all(), this.#diallers));
    this.#ask(this.#diallers);
  }

  #ask(diallers: Diallers): void {
    const { configuration, directories: memory, emit, signatures } = this.#options;
    const directories = new Directories({
      ...{ configuration, memory, emit, tunnels: this.#tunnels },
      outerOf: (tunnel) => {
        const { local, port } = this.#surroundings.underlay(tunnel);
        return local && { address: local, port };
      },
      nudge: (tunnel) => diallers.nudge(this.#select(tunnel, undefined)),
      publicKeyOf: (seed) => signatures.publicKey(seed.reveal()),
      peersOf: (tunnel) => this.#select(tunnel, undefined),
      resolve: (host) => diallers.resolve(host),
      exchange: (tunnel, nodes) =>
        this.#writer.exchange(tunnel, () => this.#exchange(tunnel, nodes)),
      onError: (error) => this.#complain(error),
    });
    this.#directories = directories;
    this.#closers.push(() => directories.close());
  }

  /** Only while nothing is written. */
  #exchange(name: string, nodes: Nodes): void {
    const before = this.#configuration.tunnels.find((tunnel) => tunnel.name === name);
    if (before === undefined) return;
    const { tunnel: next, refused } = withNodes(before, nodes, (seed, publicKey) =>
      this.#pair(seed, publicKey),
    );
    this.#directories?.leftOut(name, refused);
    if (next === before) return;
    for (const peer of this.#peers.leavers(before, next)) this.#tunnels.leave(peer);
    this.#peers.exchange(before, next);
    const tunnels = this.#configuration.tunnels.map((one) => (one === before ? next : one));
    this.#configuration = Object.freeze({ ...this.#configuration, tunnels });
    this.#ids = assignIds(this.#configuration);
    this.#surroundings.exchange(this.#configuration, this.#ids);
    this.#applier.exchange(this.#configuration, this.#ids);
    if (this.#marks !== undefined) recall(this.#peers, this.#marks);
    this.#reception?.exchanged();
    this.#diallers?.exchange(this.#peers);
    this.#directories?.arrived(name);
  }

  #pair(seed: Secret, publicKey: Uint8Array): Secret | undefined {
    const bytes = this.#options.signatures.agree(seed.reveal(), publicKey);
    return bytes && new Secret(bytes);
  }

  #situation(): Situation {
    return this.#surroundings.situation({
      get: (key) => {
        const peer = this.#peers.get(key);
        return peer && knownEndpoint(peer);
      },
    });
  }

  #select(tunnel: string | undefined, peer: string | undefined): Peer[] {
    return [...this.#peers.all()].filter(
      (one) =>
        (tunnel === undefined || one.tunnel.name === tunnel) &&
        (peer === undefined || one.config.name === peer),
    );
  }

  #demandStarted(): void {
    if (!this.#started) throw new Failure(exitCode.runtime, "it is still starting", "ask again");
  }

  #complain(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.emit({ event: "failed", tunnel: null, peer: null, endpoint: null, reason });
  }

  #close(): void {
    this.#tunnels.close();
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}

function rank({ translated, second }: KnownEndpoint): number {
  return (translated ? 2 : 0) + (second ? 1 : 0);
}
