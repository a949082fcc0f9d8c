/**
 * The two hosts of a measurement, joined by one veth pair: the one under test, and a peer that is
 * bare FOU made with `ip`, always the same, so that what differs between two scenarios is the tested end alone.
 */
import { Host } from "../e2e/support/host.ts";
import { run } from "../lab/run.ts";

export const testedAddress = "203.0.113.1";
export const peerAddress = "203.0.113.2";
export const testedInner = "172.28.0.1";
export const peerInner = "172.28.0.2";
/** UDP ports of the tunnel's ends. */
export const testedPort = 10_000;
export const peerPort = 10_001;

export class Ends {
  readonly tested: Host;
  readonly peer: Host;

  private constructor(number: number) {
    this.tested = new Host("tested", `bench${number}-tested`, testedAddress, "eth0");
    this.peer = new Host("peer", `bench${number}-peer`, peerAddress, "eth0");
  }

  static async create(number: number): Promise<Ends> {
    const ends = new Ends(number);
    const { tested, peer } = ends;
    await ip(
      `netns add ${tested.namespace}`,
      `netns add ${peer.namespace}`,
      `link add name bench0 type veth peer name bench1`,
      `link set bench0 netns ${tested.namespace} name eth0`,
      `link set bench1 netns ${peer.namespace} name eth0`,
    );
    for (const host of [tested, peer]) {
      await ipIn(
        host,
        "link set lo up",
        `addr add ${host.address}/24 dev eth0`,
        "link set eth0 up",
      );
    }
    return ends;
  }

  /** The peer's end of the tunnel. */
  async fouOnPeer(): Promise<void> {
    await bareFou(this.peer, {
      ...{ remote: testedAddress, port: peerPort, remotePort: testedPort, inner: peerInner },
    });
  }

  /** The tested end, where bare FOU itself is what is measured. */
  async fouOnTested(): Promise<void> {
    await bareFou(this.tested, {
      ...{ remote: peerAddress, port: testedPort, remotePort: peerPort, inner: testedInner },
    });
  }

  async remove(): Promise<void> {
    await ip(`netns del ${this.tested.namespace}`, `netns del ${this.peer.namespace}`);
  }
}

interface Fou {
  readonly remote: string;
  readonly port: number;
  readonly remotePort: number;
  readonly inner: string;
}

async function bareFou(host: Host, { remote, port, remotePort, inner }: Fou): Promise<void> {
  await host.run("ip", "fou", "add", "port", String(port), "ipproto", "4");
  const encap = `encap fou encap-sport ${port} encap-dport ${remotePort}`;
  await ipIn(
    host,
    `link add name fou0 type ipip local ${host.address} remote ${remote} ttl 64 ${encap}`,
    `addr add ${inner}/24 dev fou0`,
    "link set fou0 up",
  );
}

async function ip(...lines: string[]): Promise<void> {
  await run("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
}

async function ipIn(host: Host, ...lines: string[]): Promise<void> {
  await run("ip", ["-n", host.namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
