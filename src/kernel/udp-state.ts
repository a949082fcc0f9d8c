/** The namespace's UDP sockets, the kernel's own among them: /proc/net/udp (udp4_seq_show, net/ipv4/udp.c). */
import { readFileSync } from "node:fs";
import { addressFromBytes, type IpAddress } from "../net/address.ts";

export interface UdpState {
  /** undefined: any. */
  readonly local: IpAddress | undefined;
  readonly port: number;
  /** undefined: not connected. */
  readonly peer: IpAddress | undefined;
  readonly peerPort: number;
  readonly inode: number;
}

/** undefined: this user may not see them. */
export function readUdpSockets(file = "/proc/self/net/udp"): readonly UdpState[] | undefined {
  try {
    return parseUdpSockets(readFileSync(file, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EACCES" || code === "EPERM") return undefined;
    throw error;
  }
}

/** Lines of another form are passed over. */
export function parseUdpSockets(text: string): UdpState[] {
  return text.split("\n").flatMap((line): UdpState[] => {
    const [, local = "", remote = "", , , , , , , inode] = line.trim().split(/\s+/);
    const here = endOf(local);
    const there = endOf(remote);
    if (here === undefined || there === undefined) return [];
    const { address: peer, port: peerPort } = there;
    return [{ local: here.address, port: here.port, peer, peerPort, inode: Number(inode ?? 0) }];
  });
}

/** Addresses are in the host's byte order, as these machines have it: little-endian. */
function endOf(text: string): { address: IpAddress | undefined; port: number } | undefined {
  const [address = "", port = ""] = text.split(":");
  if (!/^[0-9A-F]{8}$/.test(address) || !/^[0-9A-F]{4}$/.test(port)) return undefined;
  const bytes = Buffer.from(address, "hex").reverse();
  const any = bytes.every((byte) => byte === 0);
  return { address: any ? undefined : addressFromBytes(bytes), port: Number.parseInt(port, 16) };
}
