/** What the parts of tunnel/ stand on in tests: a kernel that writes when told to, and a list of events. */
import type { Applier, Move } from "../../src/apply/applier.ts";
import type { Configuration } from "../../src/config/model.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { ForeignIpip, KnownEndpoint, Situation } from "../../src/plan/situation.ts";
import type { TunnelEvent } from "../../src/tunnel/events.ts";
import { knownEndpoint, type Peer, Peers } from "../../src/tunnel/peers.ts";
import { Tunnels } from "../../src/tunnel/tunnels.ts";
import { Writer } from "../../src/tunnel/writer.ts";
import { situation } from "./configuration.ts";

/** Takes note of what it is asked; `hold` keeps writes under way until `release`. */
export class FakeApplier implements Applier {
  readonly moves: (readonly Move[])[] = [];
  readonly reconciled: Situation[] = [];
  /** What the next writes fail with. */
  failures: Error[] = [];
  /** What a reconcile says it has changed. */
  repairs: string[] = [];
  #held: (() => void)[] | undefined;

  hold(): void {
    this.#held = [];
  }

  release(): void {
    for (const go of this.#held ?? []) go();
    this.#held = undefined;
  }

  async reconcile(now: Situation): Promise<readonly string[]> {
    this.reconciled.push(now);
    await this.#write();
    return this.repairs;
  }

  async move(moves: readonly Move[]): Promise<void> {
    this.moves.push(moves);
    await this.#write();
  }

  async #write(): Promise<void> {
    if (this.#held !== undefined) await new Promise<void>((go) => this.#held?.push(go));
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }
}

export function world(config: Configuration) {
  const events: TunnelEvent[] = [];
  const emit = (event: TunnelEvent): void => void events.push(event);
  const peers = new Peers(config);
  const applier = new FakeApplier();
  const now = (): Situation => {
    const endpoints = new Map<string, KnownEndpoint>();
    for (const peer of peers.all()) {
      const known = knownEndpoint(peer);
      if (known !== undefined) endpoints.set(peer.key, known);
    }
    return { ...situation(config), endpoints };
  };
  const writer = new Writer(applier, peers, now, emit);
  writer.begin();
  const locals = new Map<string, string>();
  const localOf = (peer: Peer) =>
    ipAddress(locals.get(peer.tunnel.name) ?? peer.tunnel.listen.address ?? "240.0.0.1");
  /** Devices of somebody else. */
  const foreign: ForeignIpip[] = [];
  const tunnels = new Tunnels({ peers, writer, emit, localOf, foreign: () => foreign });
  const peer = (key: string): Peer => {
    const found = peers.get(key);
    if (found === undefined) throw new TypeError(`no peer ${key}`);
    return found;
  };
  return {
    events,
    emit,
    peers,
    applier,
    situation: now,
    writer,
    tunnels,
    peer,
    locals,
    localOf,
    foreign,
  };
}

/** Lets promises that are ready go on, without a timer. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
