/**
 * Netlink attributes (struct nlattr, include/uapi/linux/netlink.h): a declared table is encoder, decoder
 * and error path in one, and byte order stands at each attribute. Knows no family.
 *
 * ```ts
 * const INFO = table({
 *   kind: attr(1, string, "IFLA_INFO_KIND"),
 *   data: attr(2, nested(TUNNEL), "IFLA_INFO_DATA"),
 * });
 * INFO.encode({ kind: "ipip", data: { ttl: 64 } }); // undefined values are left out
 * INFO.decode(bytes).data?.ttl;
 * ```
 *
 * Attributes that a table doesn't declare never fail: newer kernels send them. A declared one that can't
 * be read throws {@link MalformedMessage} with its path. Of attributes sent twice the last counts, as in
 * the kernel's nla_parse().
 */
import { endianness } from "node:os";
import {
  addressFromBytes,
  bitsOf,
  familyOf,
  type IpAddress,
  writeAddress,
} from "../net/address.ts";

/** `IFLA_LINKINFO/IFLA_INFO_DATA/IFLA_IPTUN_TTL: want 1 byte, got 4` */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
  readonly path: string;
  readonly problem: string;

  constructor(problem: string, path = "") {
    super(path === "" ? problem : `${path}: ${problem}`);
    this.path = path;
    this.problem = problem;
  }

  /** The same complaint, seen from the attribute or message that holds it. */
  within(name: string): MalformedMessage {
    return new MalformedMessage(this.problem, this.path === "" ? name : `${name}/${this.path}`);
  }
}

/** How one attribute's payload is written and read. */
export interface AttributeType<T> {
  /** Whether NLA_F_NESTED goes into the header. */
  readonly nested: boolean;
  /** Bytes that the value takes, without header and padding. */
  size(value: T): number;
  /** Writes exactly size(value) bytes, and gives the offset behind them. */
  write(value: T, into: Buffer, at: number): number;
  /** Throws {@link MalformedMessage}, without a path. The bytes may be kept: nobody writes to them again. */
  read(bytes: Buffer): T;
}

/** One attribute of a table: its number, its payload and the kernel's name for it. */
export interface Attribute<T> {
  readonly number: number;
  readonly type: AttributeType<T>;
  readonly name: string;
}

export function attr<T>(number: number, type: AttributeType<T>, name: string): Attribute<T> {
  return { number, type, name };
}

// biome-ignore lint/suspicious/noExplicitAny: a table mixes attributes of every value type.
export type Shape = Readonly<Record<string, Attribute<any>>>;

/** What a table encodes and decodes: each value may be absent. */
export type Values<S extends Shape> = {
  readonly [K in keyof S]?: (S[K] extends Attribute<infer T> ? T : never) | undefined;
};

const HEADER = 4;
/** nla_len is 16 bits wide and counts the header. */
const LARGEST_PAYLOAD = 0xffff - HEADER;
const NLA_F_NESTED = 0x8000;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const NLA_TYPE_MASK = 0x3fff;
const LITTLE = endianness() === "LE";

const padded = (bytes: number): number => (bytes + 3) & ~3;

/** Attributes by name. Make one with {@link table}. */
export class AttributeTable<S extends Shape> {
  readonly attributes: S;
  readonly #byNumber = new Map<number, readonly [key: string, attribute: Attribute<unknown>]>();

  constructor(attributes: S) {
    this.attributes = attributes;
    for (const [key, attribute] of Object.entries(attributes)) {
      this.#byNumber.set(attribute.number, [key, attribute]);
    }
  }

  /** The attributes in the order of the values' keys, after `header` zeroed bytes for a fixed struct. */
  encode(values: Values<S>, header = 0): Buffer {
    // From Node's pool: memory of its own for each small message costs more than what is written to it.
    const buffer = Buffer.allocUnsafe(padded(header) + this.size(values)).fill(0);
    this.write(values, buffer, padded(header));
    return buffer;
  }

  /** Everything from `from` on. Throws {@link MalformedMessage}. */
  decode(bytes: Buffer, from = 0): Values<S> {
    const values: Record<string, unknown> = {};
    walk(bytes, from, (number, payload) => {
      const entry = this.#byNumber.get(number);
      if (entry === undefined) return;
      const [key, attribute] = entry;
      values[key] = readAttribute(attribute, payload);
    });
    return values as Values<S>;
  }

  size(values: Values<S>): number {
    let total = 0;
    for (const key in values) {
      const value: unknown = values[key];
      if (value !== undefined) total += attributeSize(this.#attribute(key), value);
    }
    return total;
  }

  write(values: Values<S>, into: Buffer, at: number): number {
    let offset = at;
    for (const key in values) {
      const value: unknown = values[key];
      if (value !== undefined) offset = writeAttribute(this.#attribute(key), value, into, offset);
    }
    return offset;
  }

  #attribute(key: string): Attribute<unknown> {
    const attribute = this.attributes[key];
    if (attribute === undefined) throw new TypeError(`no attribute is declared for "${key}"`);
    return attribute;
  }
}

export function table<S extends Shape>(attributes: S): AttributeTable<S> {
  return new AttributeTable(attributes);
}

/**
 * Calls back for each attribute, with its number without flags. For payloads that a table can't describe.
 * Throws {@link MalformedMessage} where a length doesn't fit; up to three bytes at the end are padding.
 */
export function walk(
  bytes: Buffer,
  from: number,
  visit: (number: number, payload: Buffer, nested: boolean) => void,
): void {
  let offset = from;
  if (offset > bytes.length) throw new MalformedMessage(`want ${from} bytes, got ${bytes.length}`);
  while (offset + HEADER <= bytes.length) {
    const length = readU16(bytes, offset);
    const type = readU16(bytes, offset + 2);
    const number = type & NLA_TYPE_MASK;
    if (length < HEADER || offset + length > bytes.length) {
      const left = bytes.length - offset;
      throw new MalformedMessage(`attribute ${number} says ${length} bytes where ${left} are left`);
    }
    visit(number, bytes.subarray(offset + HEADER, offset + length), (type & NLA_F_NESTED) !== 0);
    offset += padded(length);
  }
}

function attributeSize<T>(attribute: Attribute<T>, value: T): number {
  const size = attribute.type.size(value);
  if (size > LARGEST_PAYLOAD) {
    throw new RangeError(`${attribute.name}: ${size} bytes, an attribute holds ${LARGEST_PAYLOAD}`);
  }
  return HEADER + padded(size);
}

/** Gives the offset after the attribute and its padding. The padding is zero already. */
function writeAttribute<T>(attribute: Attribute<T>, value: T, into: Buffer, at: number): number {
  const { type, number } = attribute;
  const end = type.write(value, into, at + HEADER);
  writeU16(into, end - at, at);
  writeU16(into, type.nested ? number | NLA_F_NESTED : number, at + 2);
  return at + padded(end - at);
}

function readAttribute<T>(attribute: Attribute<T>, payload: Buffer): T {
  try {
    return attribute.type.read(payload);
  } catch (error) {
    throw error instanceof MalformedMessage ? error.within(attribute.name) : error;
  }
}

function want(bytes: Buffer, size: number): Buffer {
  if (bytes.length === size) return bytes;
  throw new MalformedMessage(`want ${size} byte${size === 1 ? "" : "s"}, got ${bytes.length}`);
}

/** A value of a fixed number of bytes. */
function fixed<T>(
  size: number,
  write: (value: T, into: Buffer, at: number) => number,
  read: (bytes: Buffer) => T,
): AttributeType<T> {
  return { nested: false, size: () => size, write, read: (bytes) => read(want(bytes, size)) };
}

// Host byte order, as netlink headers and most attributes of rtnetlink are.

export function readU16(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}

export function readU32(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

export function readS32(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readInt32LE(at) : bytes.readInt32BE(at);
}

export function writeU16(into: Buffer, value: number, at: number): number {
  return LITTLE ? into.writeUInt16LE(value, at) : into.writeUInt16BE(value, at);
}

export function writeU32(into: Buffer, value: number, at: number): number {
  return LITTLE ? into.writeUInt32LE(value, at) : into.writeUInt32BE(value, at);
}

export function writeS32(into: Buffer, value: number, at: number): number {
  return LITTLE ? into.writeInt32LE(value, at) : into.writeInt32BE(value, at);
}

export const u8 = fixed<number>(
  1,
  (value, into, at) => into.writeUInt8(value, at),
  (bytes) => bytes.readUInt8(0),
);

/** Host order, like every integer type here without `be`. */
export const u16 = fixed<number>(
  2,
  (value, into, at) => writeU16(into, value, at),
  (bytes) => readU16(bytes, 0),
);

export const u32 = fixed<number>(
  4,
  (value, into, at) => writeU32(into, value, at),
  (bytes) => readU32(bytes, 0),
);

export const s32 = fixed<number>(
  4,
  (value, into, at) => writeS32(into, value, at),
  (bytes) => readS32(bytes, 0),
);

export const u64 = fixed<bigint>(
  8,
  (value, into, at) =>
    LITTLE ? into.writeBigUInt64LE(value, at) : into.writeBigUInt64BE(value, at),
  (bytes) => (LITTLE ? bytes.readBigUInt64LE(0) : bytes.readBigUInt64BE(0)),
);

export const u16be = fixed<number>(
  2,
  (value, into, at) => into.writeUInt16BE(value, at),
  (bytes) => bytes.readUInt16BE(0),
);

export const u32be = fixed<number>(
  4,
  (value, into, at) => into.writeUInt32BE(value, at),
  (bytes) => bytes.readUInt32BE(0),
);

export const s32be = fixed<number>(
  4,
  (value, into, at) => into.writeInt32BE(value, at),
  (bytes) => bytes.readInt32BE(0),
);

export const u64be = fixed<bigint>(
  8,
  (value, into, at) => into.writeBigUInt64BE(value, at),
  (bytes) => bytes.readBigUInt64BE(0),
);

/** Written with its NUL; read up to the first NUL, or whole (the kernel's NLA_STRING may lack it). */
export const string: AttributeType<string> = {
  nested: false,
  size: (value) => Buffer.byteLength(value) + 1,
  write: (value, into, at) => at + into.write(value, at) + 1,
  read: (bytes) => {
    const end = bytes.indexOf(0);
    return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
  },
};

/** Like {@link string}, but written without a NUL, where the kernel counts one as text. */
export const text: AttributeType<string> = {
  nested: false,
  size: (value) => Buffer.byteLength(value),
  write: (value, into, at) => at + into.write(value, at),
  read: string.read,
};

/** As they are. */
export const bytes: AttributeType<Uint8Array> = {
  nested: false,
  size: (value) => value.length,
  write: (value, into, at) => {
    into.set(value, at);
    return at + value.length;
  },
  read: (payload) => payload,
};

/**
 * Nested attributes as bytes, for payloads whose table depends on another attribute (IFLA_INFO_DATA,
 * NFTA_EXPR_DATA): `IPIP.encode(…)` goes in; what comes out is for a table that the caller picks.
 */
export const encoded: AttributeType<Buffer> = {
  nested: true,
  size: (value) => value.length,
  write: (value, into, at) => {
    into.set(value, at);
    return at + value.length;
  },
  read: (payload) => payload,
};

/** Its presence is its value. */
export const flag: AttributeType<true> = {
  nested: false,
  size: () => 0,
  write: (_, __, at) => at,
  read: () => true,
};

/** 4 or 16 bytes in network order; another length is malformed. */
export const ip: AttributeType<IpAddress> = {
  nested: false,
  size: (value) => bitsOf(familyOf(value)) / 8,
  write: (value, into, at) => writeAddress(value, into, at),
  read: (payload) => {
    const address = addressFromBytes(payload);
    if (address !== undefined) return address;
    throw new MalformedMessage(`want 4 or 16 bytes, got ${payload.length}`);
  },
};

export function nested<S extends Shape>(inner: AttributeTable<S>): AttributeType<Values<S>> {
  return {
    nested: true,
    size: (values) => inner.size(values),
    write: (values, into, at) => inner.write(values, into, at),
    read: (payload) => inner.decode(payload),
  };
}

/** A nest that repeats one attribute (a list of NFTA_LIST_ELEM): an array, in the order sent. */
export function listOf<T>(item: Attribute<T>): AttributeType<readonly T[]> {
  return {
    nested: true,
    size: (values) => values.reduce((total, value) => total + attributeSize(item, value), 0),
    write: (values, into, at) => {
      let offset = at;
      for (const value of values) offset = writeAttribute(item, value, into, offset);
      return offset;
    },
    read: (payload) => {
      const values: T[] = [];
      walk(payload, 0, (number, content) => {
        if (number === item.number) values.push(readAttribute(item, content));
      });
      return values;
    },
  };
}
