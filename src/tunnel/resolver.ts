/** Names to outer addresses, by the host's own resolver (getaddrinfo(3)). */
import { lookup } from "node:dns/promises";
import { type Endpoint, familyOf, parseAddress } from "../net/address.ts";

/** Throws an Error that names the host. Outer packets are IPv4, so no other address is asked for. */
export async function resolveEndpoint(host: string, port: number): Promise<Endpoint> {
  const literal = parseAddress(host);
  if (literal !== undefined && familyOf(literal) === "ipv4") return { address: literal, port };
  try {
    const { address } = await lookup(host, { family: 4 });
    const parsed = parseAddress(address);
    if (parsed !== undefined) return { address: parsed, port };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new Error(`"${host}" has no IPv4 address now (${code})`, { cause: error });
  }
  throw new Error(`"${host}" has no IPv4 address now`);
}
