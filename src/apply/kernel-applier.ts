/** Writes to this host's kernel, and so does what {@link Applier} says. */
import { constants } from "node:os";
import type { Configuration, PeerConfig, TunnelConfig } from "../config/model.ts";
import type { NftObject } from "../kernel/nftables/objects.ts";
import { sameEndpoint } from "../net/address.ts";
import { KernelError } from "../netlink/errors.ts";
import { contextOf, type Desired, desiredState } from "../plan/desired.ts";
import { diff, inOrder } from "../plan/diff.ts";
import { formOfTunnel, isPlain, translatedTunnels } from "../plan/form.ts";
import { marksOf } from "../plan/full-tunnel.ts";
import type { Gate, GatePeer, GateTunnel } from "../plan/gate.ts";
import { type Ids, idOfPeer } from "../plan/ids.ts";
import { endpointResources, plainGate, standInOf, type TunnelContext } from "../plan/peer.ts";
import type { Situation } from "../plan/situation.ts";
import type { Step } from "../plan/step.ts";
import { type Remembered, sysctlNames } from "../plan/sysctls.ts";
import type { Applier, Move } from "./applier.ts";
import { inWords } from "./change.ts";
import { compare, compareWithEarlier, compareWithNothing, inPassing, inTwo } from "./compare.ts";
import { execute } from "./execute.ts";
import { diffRuleset, renewal } from "./nftables/diff.ts";
import type { NftChange } from "./nftables/nft-change.ts";
import { plainObjects } from "./nftables/plain.ts";
import { peerObjects, tunnelObjects } from "./nftables/ruleset.ts";
import { type Needs, needsOf } from "./nftables/sets.ts";
import type { Observation } from "./observation.ts";
import { observe } from "./observe.ts";
import { inPassage } from "./passage.ts";
import { inRounds } from "./rounds.ts";
import type { Sockets } from "./sockets.ts";

interface WrittenTunnel {
  readonly tunnel: GateTunnel;
  readonly needs: Needs;
  /** By id. */
  readonly peers: ReadonlyMap<number, GatePeer>;
}

interface Written {
  readonly gate: Gate;
  /** By interface. */
  readonly tunnels: ReadonlyMap<string, WrittenTunnel>;
}

export class KernelApplier implements Applier {
  readonly #sockets: Sockets;
  #configuration: Configuration;
  #ids: Ids;
  /** By tunnel name; reckoned once: it takes a look at all peers, and a roam must not. */
  #marks: ReadonlyMap<string, number>;
  /** What peers' elements depend on beside their endpoints; reckoned once, as it takes all peers. */
  #written: Written | undefined;
  /** What parameters were before we wrote them. The table says so too, as long as nobody empties it. */
  #remembered: readonly Remembered[] = [];
  readonly #known: () => ReadonlyMap<number, string>;

  /** @param known Devices that were ours a moment ago, by index: somebody may take their sign away. */
  constructor(
    sockets: Sockets,
    configuration: Configuration,
    ids: Ids,
    known: () => ReadonlyMap<number, string> = () => new Map(),
  ) {
    this.#sockets = sockets;
    this.#known = known;
    this.#configuration = configuration;
    this.#ids = ids;
    this.#marks = marksOf(configuration.tunnels);
  }

  /** Tunnels have other peers now; what that means for the kernel the next {@link reconcile} writes. */
  exchange(configuration: Configuration, ids: Ids): void {
    this.#configuration = configuration;
    this.#ids = ids;
    this.#marks = marksOf(configuration.tunnels);
  }

  /**
   * Everything for the first time; gives what it changed, in words for whoever asks (of a large start they
   * are many, and mostly nobody does). What fails is undone: the kernel is then as it was observed.
   */
  async start(situation: Situation, observation: Observation): Promise<() => readonly string[]> {
    const change = compare(this.#desired(situation), observation, { raise: true });
    try {
      await execute(this.#sockets, change);
    } catch (error) {
      await this.#undo(observation).catch(() => undefined);
      throw error;
    }
    this.#remembered = change.remembered;
    return () => inWords(change);
  }

  async reconcile(situation: Situation): Promise<readonly string[]> {
    const observation = await this.#observe();
    const change = compare(this.#desired(situation), observation, {
      raise: false,
      remembered: this.#remembered,
    });
    await execute(this.#sockets, change);
    this.#remembered = change.remembered;
    return inWords(change);
  }

  async move(all: readonly Move[], situation: Situation): Promise<void> {
    // Who has come since the whole was written last is written with the next.
    const moves = all.filter(({ tunnel, peer }) => this.#isWritten(tunnel, peer));
    const translated = translatedTunnels(this.#configuration.tunnels, situation);
    const { room, first, second } = inRounds(moves);
    const changesOf = (round: readonly Move[]): [NftChange[], Step[]] => {
      const steps: Step[] = [];
      const gate: NftChange[] = [];
      for (const move of round) {
        const context = this.#context(move.tunnel, situation, translated);
        const before = endpointResources(context, move.peer, move.before);
        steps.push(...diff(endpointResources(context, move.peer, move.after), before));
        gate.push(...this.#gateChanges(context, move));
      }
      return [gate, inOrder(steps)];
    };
    for (const change of inPassage(...changesOf(room))) await execute(this.#sockets, change);
    await execute(this.#sockets, inTwo(...changesOf(first)));
    await execute(this.#sockets, inPassing(...changesOf(second)));
  }

  /** Nothing of ours stays behind. What is refused is tried once more. */
  async removeAll(): Promise<void> {
    try {
      await this.#removeAll();
    } catch {
      await this.#removeAll();
    }
  }

  async #removeAll(): Promise<void> {
    const { table } = this.#configuration;
    await execute(
      this.#sockets,
      compareWithNothing(table, await this.#observe(), this.#remembered),
    );
  }

  async #undo(before: Observation): Promise<void> {
    const { table } = this.#configuration;
    await execute(this.#sockets, compareWithEarlier(table, before, await this.#observe()));
  }

  #gateChanges(context: TunnelContext, move: Move): NftChange[] {
    if (isPlain(context.tunnel)) return this.#plainChanges(context, move);
    const { peer, before, after } = move;
    const { gate, tunnels } = this.#writtenNow();
    const of = tunnels.get(context.tunnel.interface);
    const written = of?.peers.get(idOfPeer(this.#ids, peer));
    if (of === undefined || written === undefined)
      throw new Error(`peer ${peer.name} is not in the gate`);
    const moved = (known: Move["after"]): GatePeer => ({
      ...written,
      endpoint: known?.endpoint,
      remaining: known?.remaining,
      translated: known?.translated ?? false,
      second: known?.second ?? false,
    });
    const standIn = standInOf(context, after);
    if (formOfTunnel(context.tunnel) === "direct" && standIn !== of.tunnel.standIn) {
      return this.#reform(of, standIn, moved(before), moved(after));
    }
    const objects = (known: Move["after"]): NftObject[] =>
      peerObjects(gate, of.tunnel, moved(known), of.needs);
    const now = objects(after);
    const changes = diffRuleset(gate.table, now, objects(before));
    const renewed = before !== undefined && sameEndpoint(before.endpoint, after?.endpoint);
    return renewed ? [...changes, ...this.#renewals(gate, now, changes)] : changes;
  }

  #plainChanges(context: TunnelContext, { peer, before, after }: Move): NftChange[] {
    const { table, conntrack = "track" } = this.#configuration;
    const objects = (known: Move["after"]): NftObject[] =>
      plainObjects(plainGate(context, peer, known, conntrack));
    return diffRuleset(table, objects(after), objects(before));
  }

  /** A direct tunnel becomes translated, or is no longer: its chains change, and what leads to them. */
  #reform(
    of: WrittenTunnel,
    standIn: GateTunnel["standIn"],
    before: GatePeer,
    after: GatePeer,
  ): NftChange[] {
    const { gate, tunnels } = this.#writtenNow();
    const was: GateTunnel = { ...of.tunnel, peers: [before] };
    const is: GateTunnel = { ...of.tunnel, standIn, peers: [after] };
    const withTunnel = (one: GateTunnel): Gate => ({
      ...gate,
      tunnels: gate.tunnels.map((other) => (other.name === one.name ? one : other)),
    });
    const now = withTunnel(is);
    this.#written = { gate: now, tunnels: new Map([...tunnels, [is.name, { ...of, tunnel: is }]]) };
    const wanted = tunnelObjects(now, is);
    const changes = diffRuleset(gate.table, wanted, tunnelObjects(withTunnel(was), was));
    return sameEndpoint(before.endpoint, after.endpoint)
      ? [...changes, ...this.#renewals(gate, peerObjects(now, is, after, of.needs), changes)]
      : changes;
  }

  /** For a proof may have been renewed in the same moment. */
  #renewals(
    { table }: Gate,
    objects: readonly NftObject[],
    changes: readonly NftChange[],
  ): NftChange[] {
    const changed = new Set(changes.map(({ object }) => object));
    return renewal(
      table,
      objects.filter((object) => !changed.has(object)),
    );
  }

  #isWritten(tunnel: TunnelConfig, peer: PeerConfig): boolean {
    const id = this.#ids.byPeer.get(peer)?.id;
    const of = this.#writtenNow().tunnels.get(tunnel.interface);
    return id !== undefined && of?.peers.has(id) === true;
  }

  #writtenNow(): Written {
    if (this.#written === undefined) throw new Error("moved before anything was written");
    return this.#written;
  }

  #desired(situation: Situation): Desired {
    const desired = desiredState(this.#configuration, situation, this.#ids);
    const { gate } = desired;
    const tunnels = gate.tunnels.map((tunnel) => ({
      tunnel,
      needs: needsOf(gate, tunnel),
      peers: new Map(tunnel.peers.map((peer) => [peer.id, peer])),
    }));
    this.#written = { gate, tunnels: new Map(tunnels.map((one) => [one.tunnel.name, one])) };
    return desired;
  }

  async #observe(): Promise<Observation> {
    const { table, tunnels } = this.#configuration;
    const observation = await observe(this.#sockets, table, {
      whole: false,
      sysctls: sysctlNames(tunnels),
      known: this.#known(),
    });
    // What can't be seen is not absent.
    if (observation.ruleset.kind === "hidden") {
      throw new KernelError(`NFT_MSG_GETTABLE ${table}`, constants.errno.EPERM);
    }
    return observation;
  }

  #context(
    tunnel: TunnelConfig,
    situation: Situation,
    translated: ReadonlySet<string>,
  ): TunnelContext {
    const reckoned = { translated, marks: this.#marks };
    return contextOf(this.#configuration, this.#ids, tunnel, situation, reckoned);
  }
}
