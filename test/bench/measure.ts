/**
 * One direction: a fixed number of packets, and the guest's time for each that arrived. Several runs,
 * of which the median counts: now and then something else in the kernel (a namespace's clean-up, a
 * timer) runs in between and adds 2 %.
 */
import type { Host } from "../e2e/support/host.ts";

/** 64 bytes of inner packet: IPv4 (20), UDP (8), and this. */
const payload = 36;
const warmUp = 2_000;
/** Per run. */
const packets = 6_000;
const runs = 9;
const port = 9_000;

export interface Direction {
  readonly from: Host;
  readonly to: Host;
  /** Where the sink is. */
  readonly address: string;
}

/** Instructions per packet received: both ends and the application together. */
export async function measure({ from, to, address }: Direction, blast: string): Promise<number> {
  const sink = to.start(blast, ["sink", address, String(port)]);
  try {
    await sink.line(/^ready$/);
    const send = async (count: number): Promise<number> => {
      const args = ["send", address, port, payload, count].map(String);
      const [nanoseconds] = (await from.run(blast, ...args)).split(" ");
      return Number(nanoseconds);
    };
    await send(warmUp);
    const before = await arrived(to);
    const times: number[] = [];
    for (let run = 0; run < runs; run++) times.push(await send(packets));
    const received = (await arrived(to)) - before;
    if (received !== packets * runs) {
      throw new Error(`${received} of ${packets * runs} packets came to ${address}`);
    }
    times.sort((a, b) => a - b);
    return (times[(runs - 1) / 2] ?? 0) / packets;
  } finally {
    await sink.stop("SIGKILL");
  }
}

/** Datagrams that reached a UDP socket: the sink never reads, so they end as buffer errors. */
async function arrived(host: Host): Promise<number> {
  const [names = [], values = []] = (await host.run("cat", "/proc/net/snmp"))
    .split("\n")
    .filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}
