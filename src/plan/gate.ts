/**
 * What a packet meets on its way in, and what hubs and translated tunnels need on the way out: the planner's answer to "who
 * has which endpoint and which inner addresses", with no word of how it is written into the kernel
 * (nf_tables today; BPF could stand beside it).
 */
import type { MarkConfig } from "../config/model.ts";
import type { Secret } from "../config/secret.ts";
import type { Endpoint, IpAddress, Prefix } from "../net/address.ts";
import type { Standing } from "./standing.ts";

export interface Gate {
  /** Name of our table; one daemon per network namespace and table. */
  readonly table: string;
  /** A counter on every set element. */
  readonly counters: boolean;
  readonly queue: {
    readonly number: number;
    /** Packets a second from one source that no peer has yet. */
    readonly ratePerSource: number;
    /** The same, from all of them. */
    readonly rateTotal: number;
  };
  /**
   * The upper 24 bits of the time field (steps of 65536 s) that a fresh authentication can carry now;
   * one or two values. Used where {@link AuthenticationLength.timed}.
   */
  readonly epochs: readonly number[];
  readonly tunnels: readonly GateTunnel[];
  /** Tunnels without UDP. */
  readonly plain: readonly GatePlain[];
  readonly marks: readonly GateMark[];
  readonly clamps: readonly GateClamp[];
  /** Devices of others that take bare protocol 4 from this remote (undefined: from anyone) at this local address. */
  readonly foreignIpip: readonly {
    readonly local: IpAddress;
    readonly remote: IpAddress | undefined;
  }[];
}

/** A mark for what is forwarded, and for what is sent here. */
export interface GateMark extends MarkConfig {
  /** The interface whose tunnel it is for. */
  readonly tunnel: string;
}

/** TCP through this interface has no larger segments. */
export interface GateClamp {
  readonly tunnel: string;
  readonly segment: number;
}

/** Bare protocol 4 from one address, and from nobody else. */
export interface GatePlain {
  /** The interface's name. */
  readonly name: string;
  /** Outer address; class E while it is not known. */
  readonly local: IpAddress;
  /** undefined: not known yet. */
  readonly remote: IpAddress | undefined;
  /** Inner sources that it may use; `0.0.0.0/0` for any. */
  readonly inner: readonly Prefix[];
  readonly conntrack: "bypass" | "track";
}

export interface GateTunnel {
  /** The interface's name. */
  readonly name: string;
  /** Outer address; class E while it is not known. */
  readonly local: IpAddress;
  readonly port: number;
  /**
   * What its device has in place of `local`, which another device has: incoming packets are written to it,
   * outgoing ones from it. undefined: nothing is translated for the tunnel as a whole.
   */
  readonly standIn: IpAddress | undefined;
  readonly form: "direct" | "hub";
  /** Of outer packets; 0: none. */
  readonly mark: number;
  readonly conntrack: "bypass" | "track";
  /** Outer UDP checksums: decides how the port is rewritten on the way out. */
  readonly checksum: boolean;
  /** What a peer that waits may send to prove itself; empty: nobody is waited for. */
  readonly authentications: readonly AuthenticationLength[];
  /** Proofs by key with something behind the salt: nobody is known to send any, but they verify too. */
  readonly longer: LongerAuthentications | undefined;
  /** Bytes of UDP payload, each once: what a peer that we dial may answer, from its endpoint alone. */
  readonly replies: readonly number[];
  /** Of peers that prove themselves by heartbeats, at ports of their own. */
  readonly heartbeats: readonly GateHeartbeat[];
  /** Ports to which we send heartbeats, from the tunnel's own: what goes there is no data. */
  readonly heartbeatPorts: readonly number[];
  /** Peers come and go while it runs: no set has a size that one more would exceed. */
  readonly grows: boolean;
  readonly peers: readonly GatePeer[];
}

export interface GateHeartbeat {
  readonly port: number;
  /** For a hash of it. */
  readonly secret: Secret;
}

export interface AuthenticationLength {
  /** Bytes of UDP payload. */
  readonly payload: number;
  /** Protocol 1 with a key and replay not off: bytes 64 to 66 are the upper part of the time. */
  readonly timed: boolean;
}

export interface LongerAuthentications {
  /** Bytes of UDP payload, the first and the last length. */
  readonly least: number;
  readonly most: number;
  readonly timed: boolean;
}

/** `translated`: its next hop is its id, and the packets are written to its endpoint. */
export interface GatePeer extends Standing {
  /** 28 bits, unique on this host: see plan/ids.ts. */
  readonly id: number;
  readonly name: string;
  /** Data from any port of its address is let in, as a node's. */
  readonly anyPort: boolean;
  /** undefined: not proven (or expired). */
  readonly endpoint: Endpoint | undefined;
  /** Inner sources it may use; `0.0.0.0/0` for any. */
  readonly inner: readonly Prefix[];
  /** Narrower networks of other peers inside its own: their addresses are not its to use. */
  readonly others: readonly Prefix[];
  /** Milliseconds one proof lasts; 0: until it roams. Elements carry it as their timeout. */
  readonly lifetime: number;
  /** Milliseconds left of the present proof where less than the whole lifetime (after a restart). */
  readonly remaining: number | undefined;
}
