/**
 * One outer address and port at which peers are waited for, and who they are. A packet of protocol 1
 * names no key, so each waiting key is tried: first the holder of the very endpoint, then the one last
 * seen at that address, then the others, for as long as the budget of verifications lasts; the next packet
 * of that source goes on from there.
 */
import { type Endpoint, sameEndpoint } from "../net/address.ts";
import { judgeProof } from "../wire/proof.ts";
import { type KeyProof, parseKeyProof } from "../wire/protocol1.ts";
import { judge, type ReplayMark, raised, type Stamp } from "../wire/replay.ts";
import type { Signatures } from "../wire/signatures.ts";
import type { Peer } from "./peers.ts";
import { TokenIndex } from "./token-index.ts";

export type Answer =
  | {
      readonly kind: "proven";
      readonly peer: Peer;
      /** Where its data comes from, if not from where the proof came. */
      readonly endpoint?: Endpoint;
    }
  | { readonly kind: "refused"; readonly peer: Peer | undefined; readonly reason: string };

/** Makes sure that this packet is not taken again after a restart. */
export type Keep = (peer: Peer, stamp: Stamp, mark: ReplayMark, source: Endpoint) => void;

/** Seconds since 1970: nothing that this peer signed by then is taken. */
export type Floor = (peer: Peer) => number;

export interface Allowance {
  /** Which of all keys is tried first, but for the likely ones. */
  readonly start: number;
  /** The budget ended before this one. */
  stopped(at: number): void;
  /** One signature verification (100 µs) for who is likely. */
  likely(): boolean;
  /** One for anybody else. */
  verification(): boolean;
  /** Runs a verification. */
  measured<T>(verify: () => T): T;
  /** One packet for which more is verified only to be able to say why it is refused. */
  explanation(): boolean;
  /** One verification for that. */
  explaining(): boolean;
}

export class Door {
  readonly #keys: readonly Peer[];
  readonly #tokens = new TokenIndex<Peer>();
  readonly #open: readonly Peer[];
  readonly #lastAt = new Map<string, Peer>();
  readonly #signatures: Signatures;
  readonly #keep: Keep;
  readonly #floor: Floor;

  /** `keep` is told of each packet of a key before it takes effect. */
  constructor(
    waiting: readonly Peer[],
    signatures: Signatures,
    keep: Keep = () => {},
    floor: Floor = () => 0,
  ) {
    this.#signatures = signatures;
    this.#keep = keep;
    this.#floor = floor;
    this.#keys = waiting.filter(({ config }) => config.proof.kind === "key");
    for (const peer of this.#keys) {
      if (peer.seenAt !== undefined) this.#lastAt.set(peer.seenAt, peer);
    }
    this.#open = waiting.filter(({ config }) => config.proof.kind === "none");
    for (const peer of waiting) {
      const { proof } = peer.config;
      if (proof.kind === "token") this.#tokens.set(proof.token, peer);
    }
  }

  judge(payload: Uint8Array, source: Endpoint, now: number, allowance: Allowance): Answer {
    if (payload.length === 0) return this.#judgeEmpty(source);
    const byToken = this.#tokens.get(payload);
    if (byToken !== undefined) return admit(byToken, source);
    return this.#judgeKeys(payload, source, now, allowance);
  }

  #judgeEmpty(source: Endpoint): Answer {
    for (const peer of this.#open) {
      const answer = admit(peer, source);
      if (answer.kind === "proven") return answer;
    }
    return refuse(undefined, "an empty packet, and no peer with `auth: none` may come from there");
  }

  #judgeKeys(payload: Uint8Array, source: Endpoint, now: number, allowance: Allowance): Answer {
    const stamp = parseKeyProof(payload);
    if (stamp === undefined) {
      const what = this.#tokens.isEmpty ? "not the form of a proof" : "wrong token";
      return refuse(undefined, `it fits no peer that is waited for: ${what}`);
    }
    const old: Peer[] = [];
    for (const { peer, at } of this.#candidates(source, allowance.start)) {
      // What costs no verification is paid by nobody.
      const mark = this.#markOf(peer);
      if (!isFresh(peer, mark, stamp, now)) {
        old.push(peer);
        continue;
      }
      if (!(at === undefined ? allowance.likely() : allowance.verification())) {
        allowance.stopped(at ?? allowance.start);
        return refuse(undefined, "more proofs at once than can be verified");
      }
      const outcome = allowance.measured(() =>
        judgeProof(payload, peer.config, mark, now, this.#signatures, false),
      );
      if (outcome.verdict === "proven") {
        const answer = admit(peer, source);
        if (answer.kind === "proven") {
          if (outcome.mark !== undefined && outcome.mark !== mark) {
            this.#keep(peer, stamp, outcome.mark, source);
          }
          peer.mark = outcome.mark;
          this.#remember(source, peer);
        }
        return answer;
      }
    }
    if (old.length > 0 && allowance.explanation()) {
      const answer = this.#explain(payload, old, now, allowance);
      if (answer !== undefined) return answer;
    }
    const reason =
      old.length === this.#keys.length
        ? "it is no fresh proof of any peer that is waited for"
        : "its signature fits no peer that is waited for: wrong key or wrong secret";
    return refuse(undefined, reason);
  }

  /** A genuine packet whose time is off deserves a word about clocks; strangers' junk pays for it rarely. */
  #explain(
    payload: Uint8Array,
    candidates: readonly Peer[],
    now: number,
    allowance: Allowance,
  ): Answer | undefined {
    for (const peer of candidates) {
      if (!allowance.explaining()) return undefined;
      const mark = this.#markOf(peer);
      const outcome = judgeProof(payload, peer.config, mark, now, this.#signatures, true);
      if (outcome.verdict === "refused") return refuse(peer, outcome.reason);
    }
    return undefined;
  }

  #markOf(peer: Peer): ReplayMark | undefined {
    return peer.config.replay === "off" ? peer.mark : raised(peer.mark, this.#floor(peer));
  }

  /** `at`: where in the list; undefined for the likely ones. */
  *#candidates(
    source: Endpoint,
    start: number,
  ): Generator<{ readonly peer: Peer; readonly at: number | undefined }> {
    const holder = this.#keys.find(({ wanted }) => sameEndpoint(wanted, source));
    const likely = this.#lastAt.get(source.address);
    if (holder !== undefined) yield { peer: holder, at: undefined };
    if (likely !== undefined && likely !== holder) yield { peer: likely, at: undefined };
    const count = this.#keys.length;
    for (let i = 0; i < count; i++) {
      const at = (start + i) % count;
      const peer = this.#keys[at];
      if (peer !== undefined && peer !== likely && peer !== holder) yield { peer, at };
    }
  }

  /** One entry a key at most, so strangers can't make it grow. */
  #remember(source: Endpoint, peer: Peer): void {
    peer.seenAt = source.address;
    if (this.#lastAt.get(source.address) === peer) return;
    for (const [address, other] of this.#lastAt) {
      if (other === peer) this.#lastAt.delete(address);
    }
    this.#lastAt.set(source.address, peer);
  }
}

function isFresh(
  { config }: Peer,
  mark: ReplayMark | undefined,
  stamp: KeyProof,
  now: number,
): boolean {
  const { replay: policy, maxClockSkew } = config;
  return judge(mark, stamp, now, { policy, maxClockSkew }).verdict === "fresh";
}

/** A proof is good; is the peer also where it must be? */
export function admit(peer: Peer, source: Endpoint): Answer {
  const { pinAddress, pinPort, endpoint } = peer.config;
  const address = pinAddress ? endpoint?.host : source.address;
  const port = pinPort ? endpoint?.port : source.port;
  if (address === source.address && port === source.port) return { kind: "proven", peer };
  const pin = address === source.address ? "port" : "address";
  const reason = `it comes from elsewhere than its pinned ${pin}`;
  return refuse(peer, reason);
}

export function refuse(peer: Peer | undefined, reason: string): Answer {
  return { kind: "refused", peer, reason };
}
