/** Names to outer addresses, by the host's own resolver (getaddrinfo(3)). */
import { lookup } from "node:dns/promises";
import { type Endpoint, familyOf, type IpAddress, parseAddress } from "../net/address.ts";

/** Where the peer is now, as far as we know. */
export interface Current {
  readonly address: IpAddress;
  /** Nothing has come back from there for a while. */
  readonly failing: boolean;
}

/** Throws an Error that names the host. Outer packets are IPv4, so no other address is asked for. */
export async function resolveEndpoint(
  host: string,
  port: number,
  current?: Current,
): Promise<Endpoint> {
  const literal = parseAddress(host);
  if (literal !== undefined && familyOf(literal) === "ipv4") return { address: literal, port };
  try {
    const answers = await lookup(host, { family: 4, all: true });
    const addresses = answers.flatMap(({ address }) => parseAddress(address) ?? []);
    const address = chooseAddress(addresses, current);
    if (address !== undefined) return { address, port };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new Error(`"${host}" has no IPv4 address now (${code})`, { cause: error });
  }
  throw new Error(`"${host}" has no IPv4 address now`);
}

/**
 * Of a name's addresses: the peer stays where it is while the name still says so, whatever order they
 * come in. Where that one fails each of the others has its turn.
 */
export function chooseAddress(
  addresses: readonly IpAddress[],
  current: Current | undefined,
): IpAddress | undefined {
  if (current === undefined || !addresses.includes(current.address)) return addresses[0];
  if (!current.failing) return current.address;
  const inOrder = [...new Set(addresses)].sort();
  return inOrder[(inOrder.indexOf(current.address) + 1) % inOrder.length];
}
