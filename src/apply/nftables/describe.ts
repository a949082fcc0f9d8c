/** Objects of the table in words: `element 198.51.100.2 . 40001 . 172.28.0.2 in known-ipipou0`. */
import type { Element, Field, NftObject, NftSet } from "../../kernel/nftables/objects.ts";
import { paddedBytes } from "../../kernel/nftables/registers.ts";
import { nodesSet, tunnelIn } from "./names.ts";

/** `set`: the element's, where it is at hand. */
export function describe(object: NftObject, set: NftSet | undefined): string {
  switch (object.kind) {
    case "table":
      return `table ip ${object.name}`;
    case "chain":
      return `chain ${object.name}`;
    case "set":
      return `${object.data === undefined ? "set" : "map"} ${object.name}`;
    case "element":
      return describeElement(object, set);
  }
}

function describeElement({ set: name, key, data }: Element, set: NftSet | undefined): string {
  const bytes = Buffer.from(key, "hex");
  const raw = set === undefined || set.key.some(({ type }) => type === "integer");
  const node = tunnelIn(name, nodesSet) !== undefined;
  const fields = describeKey(bytes, raw ? ours(bytes.length, node) : set.key);
  return `element ${fields}${describeData(data, set?.data)} in ${name}`;
}

function describeData(data: Element["data"], field: Field | undefined): string {
  if (data === undefined) return "";
  if (typeof data !== "string") return "";
  const bytes = Buffer.from(data, "hex");
  return ` : ${describeField(bytes, field ?? { type: "inet_service", bytes: bytes.length })}`;
}

/** The keys of our own sets by their length: to the kernel, and to nft, raw fields are numbers. */
function ours(length: number, node: boolean): Field[] {
  const address: Field = { type: "ipv4_addr", bytes: 4 };
  const ports: Field = { type: "other", bytes: 4 };
  switch (length) {
    case 4:
      return [address];
    case 8:
      return [address, node ? address : ports];
    case 12:
      return [address, ports, address];
    default:
      return [{ type: "other", bytes: length }];
  }
}

function describeKey(key: Buffer, fields: readonly Field[]): string {
  let at = 0;
  return fields
    .map((field) => {
      const text = describeField(key.subarray(at, at + field.bytes), field);
      at += fields.length > 1 ? paddedBytes(field.bytes) : field.bytes;
      return text;
    })
    .join(" . ");
}

function describeField(bytes: Buffer, { type }: Field): string {
  switch (type) {
    case "ipv4_addr":
      return bytes.join(".");
    case "inet_service":
      return bytes.length === 2 ? String(bytes.readUInt16BE(0)) : bytes.toString("hex");
    case "ifname":
      return bytes.toString("utf8").replace(/\0+$/, "");
    default:
      // Both ports; the second is the tunnel's own.
      return bytes.length === 4 ? String(bytes.readUInt16BE(0)) : `0x${bytes.toString("hex")}`;
  }
}
