/**
 * What `explain` looks at and what it says. The walkers are generators: they read nothing themselves, but
 * ask for a route where they need one, and whoever drives them asks the kernel (or, in a test, a table).
 */
import type { Configuration, PeerConfig, TunnelConfig } from "../../config/model.ts";
import type { QueueState } from "../../kernel/nfqueue-state.ts";
import type { Endpoint, IpAddress } from "../../net/address.ts";
import type { Ids } from "../../plan/ids.ts";
import type { ObservedLimits } from "../nftables/observe.ts";
import type { Observation } from "../observation.ts";
import type { RouteAnswer } from "../route-lookup.ts";

/** What the kernel says of itself at one moment, and the names that we have for it. */
export interface Scene {
  /** For names alone: of peers, of tunnels, of whose an inner address is. */
  readonly configuration: Configuration;
  readonly ids: Ids;
  readonly observation: Observation;
  readonly limits: ObservedLimits;
  /** undefined: this user may not see them. */
  readonly queues: readonly QueueState[] | undefined;
  /** Seconds since 1970. */
  readonly now: number;
}

export interface RouteQuestion {
  readonly to: IpAddress;
  readonly from?: IpAddress;
  /** Device that the packet came in by. */
  readonly iif?: string;
  /** Device that it must leave by. */
  readonly oif?: string;
  readonly mark?: number;
}

export type Walk<T> = Generator<RouteQuestion, T, RouteAnswer>;

export type StepName =
  | "tunnel"
  | "gate"
  | "limit"
  | "queue"
  | "route"
  | "listener"
  | "device"
  | "nexthop"
  | "encapsulation";

export interface ExplainStep {
  readonly step: StepName;
  readonly what: string;
  /** Set or map of our table that was asked. */
  readonly set?: string;
  /** Seconds that its element has left; null: it has no end. */
  readonly secondsLeft?: number | null;
}

export type Outcome =
  /** It comes out of one of our tunnels, or is for this host itself. */
  | "delivered"
  /** The daemon is asked. */
  | "queued"
  /** It leaves for a peer. */
  | "sent"
  /** It leaves in clear, by no tunnel of ours. */
  | "elsewhere"
  | "dropped"
  /** A rule of somebody else decides. */
  | "unknown";

export interface Verdict {
  readonly outcome: Outcome;
  /** What becomes of it, and why. */
  readonly verdict: string;
  /** What to do where that is not what was wanted; null: nothing. */
  readonly mend: string | null;
}

export type PacketKind = "data" | "proof" | "answer" | "junk" | "protocol 4";

/** One packet, from what it is to what becomes of it. `explain --json` prints these as they are. */
export interface Explained extends Verdict {
  readonly direction: "in" | "out";
  readonly packet: PacketKind;
  /** By the configuration's names; null: none that it has. */
  readonly tunnel: string | null;
  readonly peer: string | null;
  /** Outer ends; null for what has none. */
  readonly from: string | null;
  readonly to: string | null;
  /** Inner ends. */
  readonly source: string | null;
  readonly destination: string | null;
  readonly steps: readonly ExplainStep[];
}

export interface Explanation {
  readonly address: string;
  readonly kind: "outer" | "inner";
  readonly packets: readonly Explained[];
  /** Tunnels of which nothing is said because there are so many. */
  readonly omitted: number;
}

/** A packet that comes in, and what is known of it. */
export interface Incoming {
  readonly packet: PacketKind;
  readonly tunnel: TunnelConfig;
  /** Who is meant to have sent it; undefined: nobody that is known. */
  readonly peer: PeerConfig | undefined;
  readonly from: Endpoint;
  /** The port of `from` is one of many. */
  readonly anyPort: boolean;
  /** Inner source, of what has one. */
  readonly source: IpAddress | undefined;
}
