/** Writes to this host's kernel, and so does what {@link Applier} says. */
import type { Configuration, TunnelConfig } from "../config/model.ts";
import type { NftObject } from "../kernel/nftables/objects.ts";
import { sameEndpoint } from "../net/address.ts";
import { contextOf, type Desired, desiredState } from "../plan/desired.ts";
import { diff, inOrder, type Step } from "../plan/diff.ts";
import { markOf } from "../plan/full-tunnel.ts";
import type { Gate, GatePeer, GateTunnel } from "../plan/gate.ts";
import { type Ids, idOfPeer } from "../plan/ids.ts";
import { endpointResources, type TunnelContext } from "../plan/peer.ts";
import type { Situation } from "../plan/situation.ts";
import type { Applier, Move } from "./applier.ts";
import { inWords } from "./change.ts";
import { compare, compareWithEarlier, compareWithNothing, inTwo } from "./compare.ts";
import { execute } from "./execute.ts";
import { diffRuleset, type NftChange, renewal } from "./nftables/diff.ts";
import { peerObjects } from "./nftables/ruleset.ts";
import { type Needs, needsOf } from "./nftables/sets.ts";
import type { Observation } from "./observation.ts";
import { observe } from "./observe.ts";
import type { Sockets } from "./sockets.ts";

interface WrittenTunnel {
  readonly tunnel: GateTunnel;
  readonly needs: Needs;
  /** By id. */
  readonly peers: ReadonlyMap<number, GatePeer>;
}

export class KernelApplier implements Applier {
  readonly #sockets: Sockets;
  readonly #configuration: Configuration;
  readonly #ids: Ids;
  /** Reckoned once: it takes a look at all peers, and a roam must not. */
  readonly #marks: ReadonlyMap<TunnelConfig, number>;
  /** What peers' elements depend on beside their endpoints; reckoned once, as it takes all peers. */
  #written:
    | {
        readonly gate: Gate;
        /** By interface. */
        readonly tunnels: ReadonlyMap<string, WrittenTunnel>;
      }
    | undefined;

  constructor(sockets: Sockets, configuration: Configuration, ids: Ids) {
    this.#sockets = sockets;
    this.#configuration = configuration;
    this.#ids = ids;
    this.#marks = new Map(configuration.tunnels.map((tunnel) => [tunnel, markOf(tunnel)]));
  }

  /**
   * Everything for the first time; gives what it changed, in words. What fails is undone: the kernel is then
   * as it was observed.
   */
  async start(situation: Situation, observation: Observation): Promise<readonly string[]> {
    const change = compare(this.#desired(situation), observation, { raise: true });
    try {
      await execute(this.#sockets, change);
    } catch (error) {
      await this.#undo(observation).catch(() => undefined);
      throw error;
    }
    return inWords(change);
  }

  async reconcile(situation: Situation): Promise<readonly string[]> {
    const observation = await this.#observe();
    const change = compare(this.#desired(situation), observation, { raise: false });
    await execute(this.#sockets, change);
    return inWords(change);
  }

  async move(moves: readonly Move[], situation: Situation): Promise<void> {
    const steps: Step[] = [];
    const gate: NftChange[] = [];
    for (const move of moves) {
      const context = this.#context(move.tunnel, situation);
      const before = endpointResources(context, move.peer, move.before);
      steps.push(...diff(endpointResources(context, move.peer, move.after), before));
      gate.push(...this.#gateChanges(context, move));
    }
    await execute(this.#sockets, inTwo(gate, inOrder(steps)));
  }

  /** Nothing of ours stays behind. */
  async removeAll(): Promise<void> {
    const { table } = this.#configuration;
    await execute(this.#sockets, compareWithNothing(table, await this.#observe()));
  }

  async #undo(before: Observation): Promise<void> {
    const { table } = this.#configuration;
    await execute(this.#sockets, compareWithEarlier(table, before, await this.#observe()));
  }

  #gateChanges(context: TunnelContext, { peer, before, after }: Move): NftChange[] {
    const { gate, tunnels } = this.#written ?? { gate: undefined, tunnels: undefined };
    const of = tunnels?.get(context.tunnel.interface);
    if (gate === undefined || of === undefined)
      throw new Error("moved before anything was written");
    const written = of.peers.get(idOfPeer(this.#ids, peer));
    if (written === undefined) throw new Error(`peer ${peer.name} is not in the gate`);
    const objects = (known: Move["after"]): NftObject[] => {
      const moved = { ...written, endpoint: known?.endpoint, remaining: known?.remaining };
      return peerObjects(gate, of.tunnel, moved, of.needs);
    };
    const now = objects(after);
    const renewed = before !== undefined && sameEndpoint(before.endpoint, after?.endpoint);
    return renewed ? renewal(gate.table, now) : diffRuleset(gate.table, now, objects(before));
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

  #observe(): Promise<Observation> {
    return observe(this.#sockets, this.#configuration.table, false);
  }

  #context(tunnel: TunnelConfig, situation: Situation): TunnelContext {
    const underlay = situation.underlays.get(tunnel.name);
    if (underlay === undefined) throw new RangeError(`no underlay for tunnel ${tunnel.name}`);
    return contextOf(this.#configuration, this.#ids, tunnel, underlay, this.#marks.get(tunnel));
  }
}
