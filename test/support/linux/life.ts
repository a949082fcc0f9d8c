/** A daemon's instances on the small Linux, from a start to a stop, with tunnels in every form. */
import { openSockets, type Sockets } from "../../../src/apply/sockets.ts";
import { loadText } from "../../../src/config/load.ts";
import type { Configuration } from "../../../src/config/model.ts";
import { DirectoryMemory } from "../../../src/daemon/directories.ts";
import { Instance } from "../../../src/daemon/instance.ts";
import { Supervisor } from "../../../src/daemon/supervisor.ts";
import { newAddress } from "../../../src/kernel/address.ts";
import { newRoute } from "../../../src/kernel/route.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { InterfaceAddress, Route } from "../../../src/net/objects.ts";
import { NLM_F_CREATE } from "../../../src/netlink/constants.ts";
import type { Message, Request } from "../../../src/netlink/request.ts";
import type { TunnelEvent } from "../../../src/tunnel/events.ts";
import type { Signatures } from "../../../src/wire/signatures.ts";
import { udp } from "../../e2e/support/packets.ts";
import { prefix } from "../configuration.ts";
import { Linux } from "./linux.ts";

export const OUTER = "203.0.113.1";

const waiting = (name: string, allowed: string) =>
  `${name}: { token: "token of ${name}", allowedIPs: [${allowed}] }`;

/** Direct, a hub, a translated hub, plain IPIP, a full tunnel, a proxy neighbour, a route by hand. */
const before = `
tunnels:
  direct:
    listen: "${OUTER}:10000"
    address: 172.28.0.1/24
    peers: { ${waiting("a", "172.28.0.2/32")} }
  hub:
    listen: "${OUTER}:10001"
    address: 172.28.1.1/24
    proxyArp: [{ address: 203.0.113.77, device: eth0 }]
    peers: { ${waiting("b", "172.28.1.2/32")}, ${waiting("c", "172.28.1.3/32, 10.1.0.0/16")} }
  second:
    listen: "${OUTER}:10002"
    address: 172.28.2.1/24
    peers: { ${waiting("d", "172.28.2.2/32")}, ${waiting("e", "172.28.2.3/32")} }
  plain:
    encapsulation: none
    listen: "${OUTER}"
    address: 172.28.3.1/24
    routes: [{ to: 10.3.0.0/16 }]
    peers: { f: { endpoint: 198.51.100.9, auth: none, allowedIPs: [172.28.3.2/32, 10.3.0.0/16] } }
  whole:
    listen: "${OUTER}:10004"
    address: 172.28.4.2/24
    peers: { g: { endpoint: "198.51.100.10:4000", auth: none, pinAddress: true, allowedIPs: [0.0.0.0/0] } }
`;

/** One goes, one comes, and of the others each is another one in something. */
const after = before
  .replace(/ {2}direct:[\s\S]*? {2}hub:/, "  hub:")
  .replace("172.28.1.2/32]", "172.28.1.2/32, 10.2.0.0/16]")
  .replace("203.0.113.77", "203.0.113.78")
  .replace(`${OUTER}:10002`, `${OUTER}:10012`)
  .replace("endpoint: 198.51.100.9,", "endpoint: 198.51.100.11,")
  .concat(`
  more:
    listen: "${OUTER}:10005"
    address: 172.28.5.1/24
    peers: { ${waiting("h", "172.28.5.2/32")} }
`);

interface Proof {
  readonly name: string;
  readonly from: string;
  readonly port: number;
  readonly to: number;
}

/** The second of the hub's is behind the first one's address. */
const proofs: readonly Proof[] = [
  { name: "a", from: "198.51.100.2", port: 40_001, to: 10_000 },
  { name: "b", from: "198.51.100.3", port: 40_002, to: 10_001 },
  { name: "c", from: "198.51.100.3", port: 40_003, to: 10_001 },
  { name: "d", from: "198.51.100.4", port: 40_004, to: 10_002 },
];

const roams: readonly Proof[] = [
  { name: "a", from: "198.51.100.5", port: 50_001, to: 10_000 },
  { name: "b", from: "198.51.100.6", port: 50_002, to: 10_001 },
  { name: "d", from: "198.51.100.4", port: 50_004, to: 10_002 },
];

export const steps = ["start", "authenticate", "roam", "reload", "stop"] as const;
export type Step = (typeof steps)[number];

export class Life {
  readonly linux = new Linux();
  readonly events: TunnelEvent[] = [];
  readonly fatal: unknown[] = [];
  #configuration: Configuration = configured(before);
  #sockets: Sockets | undefined;
  #supervisor: Supervisor | undefined;

  constructor() {
    const { route } = this.linux;
    const address: InterfaceAddress = {
      ...{ device: "eth0", local: ipAddress(OUTER), prefixLength: 24 },
      ...{ peer: undefined, noPrefixRoute: false, protocol: 0 },
    };
    const way: Route = {
      ...({ type: "unicast", destination: prefix("0.0.0.0/0"), table: 254, metric: 0 } as const),
      ...{ protocol: 3, device: "eth0", gateway: ipAddress("203.0.113.254"), onlink: false },
      ...{ nexthop: undefined, source: undefined },
    };
    route.addDevice("lo");
    route.addDevice("eth0");
    route.request(asMessage(newAddress(address, route.devices)));
    route.request(asMessage(newRoute(way, route.devices)));
  }

  /** Rejects as the daemon would. */
  async take(step: Step): Promise<void> {
    switch (step) {
      case "start":
        this.#configuration = configured(before);
        return await this.start();
      case "authenticate":
        return this.#deliver(proofs);
      case "roam":
        return this.#deliver(roams);
      case "reload":
        this.#configuration = configured(after);
        await this.supervisor.reload();
        return;
      case "stop":
        return await this.stop();
    }
  }

  /** What the next start or reload reads. */
  configure(text: string): void {
    this.#configuration = configured(text);
  }

  /** Of what is configured now: after a kill, or after a start that failed. */
  async start(): Promise<void> {
    this.linux.queues.clear();
    const { addon } = this.linux;
    const sockets = openSockets(addon);
    this.#sockets = sockets;
    const emit = (event: TunnelEvent): void => void this.events.push(event);
    const directories = new DirectoryMemory();
    this.#supervisor = new Supervisor(this.#configuration, {
      load: () => this.#configuration,
      make: (configuration, former) =>
        new Instance({ configuration, former, addon, sockets, signatures, emit, directories }),
      take: async () => ({ commit: async () => [], abandon: async () => {} }),
      emit,
      fatal: (error) => void this.fatal.push(error),
    });
    await this.#supervisor.start();
  }

  async stop(): Promise<void> {
    try {
      await this.supervisor.stop();
    } finally {
      this.end();
    }
  }

  /** The process is no more. */
  end(): void {
    this.#sockets?.close();
  }

  get supervisor(): Supervisor {
    if (this.#supervisor === undefined) throw new Error("never started");
    return this.#supervisor;
  }

  #deliver(all: readonly Proof[]): void {
    const [queue] = this.linux.queues.values();
    for (const { name, from, port, to } of all) {
      const payload = Buffer.from(`token of ${name}`);
      const ends = { source: from, destination: OUTER, sourcePort: port, destinationPort: to };
      queue?.deliver(udp({ ...ends, payload }));
    }
  }
}

/** Nobody here has a key. */
const none = (): never => {
  throw new Error("no part of this");
};
const signatures: Signatures = { sign: none, publicKey: none, verify: () => false, agree: none };

function configured(text: string): Configuration {
  return loadText("test.yaml", text);
}

function asMessage({ type, payload }: Request): Message {
  return { type, flags: NLM_F_CREATE, sequence: 0, payload: Buffer.from(payload) };
}
