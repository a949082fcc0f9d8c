/** What tcpdump shows of a tunnel's outer packets. */

export interface OuterPacket {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** Bytes of UDP payload. */
  readonly length: number;
}

/** UDP packets among tcpdump's lines, in order. */
export function outerPackets(lines: readonly string[]): OuterPacket[] {
  const address = "(\\d+\\.\\d+\\.\\d+\\.\\d+)\\.(\\d+)";
  const form = new RegExp(`IP ${address} > ${address}: UDP, length (\\d+)`);
  return lines.flatMap((line) => {
    const [, source, sourcePort, destination, destinationPort, length] = form.exec(line) ?? [];
    if (source === undefined || destination === undefined) return [];
    const [from, to, bytes] = [sourcePort, destinationPort, length].map(Number);
    return [
      {
        source,
        sourcePort: from ?? 0,
        destination,
        destinationPort: to ?? 0,
        length: bytes ?? 0,
      },
    ];
  });
}

/** Protocol 1 with a key: its length tells it. */
export const isAuthentication = ({ length }: OuterPacket): boolean => length === 73;

/** Packets with tcpdump's `-x`: from the IP header on. */
export function bytesOf(lines: readonly string[]): Buffer[] {
  const packets: string[] = [];
  for (const line of lines) {
    const hex = /^\s+0x[0-9a-f]+:\s+([0-9a-f ]+)$/.exec(line)?.[1]?.replaceAll(" ", "");
    if (hex === undefined) packets.push("");
    else packets.push((packets.pop() ?? "") + hex);
  }
  return packets.filter((hex) => hex !== "").map((hex) => Buffer.from(hex, "hex"));
}
