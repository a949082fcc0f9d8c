/** Names to outer addresses, by the host's own resolver (getaddrinfo(3)). */
import { lookup } from "node:dns/promises";
import { type Endpoint, familyOf, type IpAddress, parseAddress } from "../net/address.ts";

/**
 * Throws an Error that names the host. Outer packets are IPv4, so no other address is asked for.
 *
 * @param current Where the peer is now: it stays there while the name still says so, whatever order a
 *   name with several addresses gives them in.
 */
export async function resolveEndpoint(
  host: string,
  port: number,
  current?: IpAddress,
): Promise<Endpoint> {
  const literal = parseAddress(host);
  if (literal !== undefined && familyOf(literal) === "ipv4") return { address: literal, port };
  try {
    const answers = await lookup(host, { family: 4, all: true });
    const addresses = answers.flatMap(({ address }) => parseAddress(address) ?? []);
    const address = addresses.find((one) => one === current) ?? addresses[0];
    if (address !== undefined) return { address, port };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new Error(`"${host}" has no IPv4 address now (${code})`, { cause: error });
  }
  throw new Error(`"${host}" has no IPv4 address now`);
}
