/** How ipipou 0.1 reads single values: Python's int(), IPv4Address and b64decode. Pure; no value is shown. */
import { Complaint } from "../config/complaint.ts";
import { type IpAddress, ipAddress, parseAddress } from "../net/address.ts";

/** int(): spaces around it, a sign, underscores between digits. */
export function readInteger(text: string): number | Complaint {
  const match = /^\s*([+-]?[0-9]+(?:_[0-9]+)*)\s*$/.exec(text);
  if (match === null) return new Complaint("not a whole number", "write digits alone");
  const value = Number(match[1]?.replaceAll("_", ""));
  return Number.isSafeInteger(value) ? value : new Complaint("too large a number");
}

export function readIpv4(text: string): IpAddress | Complaint {
  const address = parseAddress(text);
  return address === undefined || address.includes(":")
    ? new Complaint("not an IPv4 address", "write one such as 203.0.113.1, with nothing around it")
    : address;
}

/** As `b64decode(…, validate=True)`; bits that no byte uses are ignored. */
export function readBase64(text: string): Buffer | Complaint {
  const valid = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
  return valid
    ? Buffer.from(text, "base64")
    : new Complaint("not base64", "copy the whole text, its = at the end included");
}

export function isPort(number: number): boolean {
  return number >= 1 && number <= 65535;
}

/** The address so many behind this one; undefined where the last address comes first. */
export function addressPlus(address: IpAddress, count: number): IpAddress | undefined {
  const number = address.split(".").reduce((value, part) => value * 256 + Number(part), 0) + count;
  if (number < 0 || number > 0xffffffff) return undefined;
  const parts = [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256);
  return ipAddress(parts.join("."));
}
