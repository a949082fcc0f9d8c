/** Packets as the rules see them, made up: what nobody has sent, explained all the same. Pure. */
import { addressBytes, type Endpoint, type IpAddress } from "../../net/address.ts";
import type { MachinePacket } from "../nftables/machine.ts";

type Hex = string;

const IPPROTO_ICMP = 1;
const IPPROTO_IPIP = 4;
const IPPROTO_UDP = 17;
const IPV4_HEADER = 20;
const UDP_HEADER = 8;

/** UDP over IPv4; no checksums, which no rule looks at. */
export function udpPacket(
  from: Endpoint,
  to: Endpoint,
  payload: Hex,
  device: string,
): MachinePacket {
  const length = UDP_HEADER + payload.length / 2;
  return {
    network: ipv4Header(from.address, to.address, IPPROTO_UDP, length),
    transport: `${number(from.port)}${number(to.port)}${number(length)}0000${payload}`,
    device,
  };
}

/** IPv4 in IPv4 without UDP between. */
export function barePacket(
  from: IpAddress,
  to: IpAddress,
  payload: Hex,
  device: string,
): MachinePacket {
  const network = ipv4Header(from, to, IPPROTO_IPIP, payload.length / 2);
  return { network, transport: payload, device };
}

/** A packet as it goes into a tunnel, of so many bytes. */
export function innerPacket(source: IpAddress, destination: IpAddress, bytes: number): Hex {
  const rest = bytes - IPV4_HEADER;
  return ipv4Header(source, destination, IPPROTO_ICMP, rest) + "00".repeat(rest);
}

/**
 * As much of a proof as the rules look at: its length, and the time of protocol 1 behind the signature.
 *
 * @param now Seconds since 1970.
 */
export function proofPayload(bytes: number, now: number): Hex {
  const payload = Buffer.alloc(bytes);
  if (bytes >= SIGNATURE + TIME) payload.writeUIntBE(Math.floor(now), SIGNATURE, TIME);
  return payload.toString("hex");
}

const SIGNATURE = 64;
const TIME = 5;

/** Who sends to whom, by the headers. */
export function endsOf({ network, transport }: MachinePacket): { from: Endpoint; to: Endpoint } {
  const header = Buffer.from(network, "hex");
  const ports = Buffer.from(transport.slice(0, 8), "hex");
  const end = (at: number, port: number): Endpoint => ({
    address: header.subarray(at, at + 4).join(".") as IpAddress,
    port: ports.readUInt16BE(port),
  });
  return { from: end(12, 0), to: end(16, 2) };
}

function ipv4Header(from: IpAddress, to: IpAddress, protocol: number, length: number): Hex {
  const [source, destination] = [from, to].map((address) => addressBytes(address).toString("hex"));
  const total = number(IPV4_HEADER + length);
  return `4500${total}0000000040${protocol.toString(16).padStart(2, "0")}0000${source}${destination}`;
}

function number(value: number): Hex {
  return value.toString(16).padStart(4, "0");
}
