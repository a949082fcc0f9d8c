/** What the host around us looks like, as far as it bears on our tunnels: observed by gather.ts, judged by the findings. */
import type { IpAddress } from "../../net/address.ts";
import type { RouteType } from "../../net/objects.ts";
import type { FirewallTable } from "../nftables/foreign.ts";
import type { Refusal } from "../nftables/rehearsal.ts";

export interface HostFacts {
  /** CAP_NET_ADMIN and CAP_NET_RAW, those that we have not. */
  readonly missingCapabilities: readonly string[];
  /** FOU listeners can be made from the first user namespace alone. */
  readonly inFirstUserNamespace: boolean;
  /** Whether a module is there, or comes when it is needed. */
  readonly modules: ReadonlyMap<string, ModuleState>;
  /** What the kernel said to a rehearsal of our ruleset, in words with the mend. */
  readonly refusals: readonly Refusal[];
  /** A daemon with our table runs in this network namespace: it holds the queue and the control socket. */
  readonly daemonRuns: boolean;
  /** Of our queue's number; undefined: nobody, or it could not be seen. */
  readonly queueHolder: Holder | undefined;
  /** Sockets that programs have open at our ports. */
  readonly udpSockets: readonly UdpSocket[];
  /** Kernel parameters by name, with slashes; those that could not be read are not there. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** By `tunnel/peer`: where the kernel would send what is for a peer whose address we know; of so many. */
  readonly ways: ReadonlyMap<string, Way>;
  /** By host name of an endpoint: why it has no address. */
  readonly unresolved: ReadonlyMap<string, string>;
  /** Other people's tables that see packets on their way in; undefined: they may not be seen. */
  readonly firewall: readonly FirewallTable[] | undefined;
  /** Tables of the kernel's older packet filter (iptables-legacy), which netlink knows nothing of. */
  readonly legacyTables: readonly string[];
  /** What systemd-networkd removes when others made it; undefined: it does not run. */
  readonly networkd: readonly ForeignKind[] | undefined;
  /** Connection profiles of NetworkManager, by the interface that they name. */
  readonly networkManagerProfiles: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** Files that hold secrets, of those that anybody may read. */
  readonly publicSecrets: readonly string[];
  readonly stateDirectory: PlaceProblem | undefined;
  readonly control: PlaceProblem | undefined;
  /** RLIMIT_NOFILE, hard: node raises the soft one by itself. undefined: unlimited, or not seen. */
  readonly openFiles: number | undefined;
}

/** "unknown": this file system has no modules of the running kernel, as in a container. */
export type ModuleState = "there" | "loadable" | "absent" | "unloadable" | "unknown";

export interface Holder {
  readonly pid: number | undefined;
  readonly program: string | undefined;
}

export interface UdpSocket {
  /** undefined: any. */
  readonly local: IpAddress | undefined;
  readonly port: number;
  readonly holder: Holder | undefined;
}

export interface Way {
  readonly address: IpAddress;
  /** undefined: the kernel knows none. */
  readonly device: string | undefined;
  readonly type: RouteType;
}

export type ForeignKind = "routes" | "rules" | "nexthops";

export interface Clock {
  /** Seconds since 1970. */
  readonly now: number;
  /** By systemd-timesyncd; undefined: it does not run, and others leave no sign. */
  readonly synchronised: boolean | undefined;
  /** Times that have passed for sure, with what they are of. */
  readonly past: readonly { readonly what: string; readonly time: number }[];
}

/** Why a file can't be made in a place. */
export interface PlaceProblem {
  readonly path: string;
  /** "held": another process listens there. */
  readonly why: "denied" | "read-only" | "no-folder" | "held";
}
