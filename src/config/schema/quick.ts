/**
 * The short way through a file that is right. The library looks at every key that a peer could have, and
 * copies what it finds; a file with 100,000 peers takes four times as long that way. Here only the keys
 * that are there are read, by the functions that the schema's own parts are made of. Whatever is not as it
 * should be ends it, and the schema, which alone has words for it, reads the file.
 */
import * as z from "zod";

/** What is read by a function; other parts of the schema read for themselves. */
const readers = z.registry<{ readonly read: Reader }>();

/**
 * Gives {@link refused} for what the schema would complain about.
 *
 * @param inPlace The mappings and lists are ours, and become what is read: 100,000 peers are not made twice.
 */
export type Reader = (value: unknown, inPlace: boolean) => unknown;

export const refused = Symbol("refused");

/** Says how values of this schema are read. The same function must stand behind both. */
export function readBy<S extends z.ZodType>(schema: S, read: Reader): S {
  readers.add(schema, { read });
  return schema;
}

export function readerOf(schema: z.core.$ZodType): Reader {
  let inner = schema;
  while (inner instanceof z.ZodOptional) inner = inner.unwrap();
  const own = readers.get(inner)?.read;
  if (own !== undefined) return own;
  return (value) => {
    const result = z.safeParse(inner, value);
    return result.success ? result.data : refused;
  };
}

/** A mapping with these keys and no others, each of which may be absent. */
export function mappingReader(shape: Readonly<Record<string, z.core.$ZodType>>): Reader {
  const byKey = new Map(Object.entries(shape).map(([key, schema]) => [key, readerOf(schema)]));
  return (value, inPlace) => {
    if (!isMapping(value)) return refused;
    const read = inPlace ? value : {};
    for (const key in value) {
      const reader = byKey.get(key);
      if (reader === undefined) return refused;
      const inner = reader(value[key], inPlace);
      if (inner === refused) return refused;
      read[key] = inner;
    }
    return read;
  };
}

/** A mapping of free names to values of one kind. */
export function recordReader(name: z.core.$ZodType, inner: Reader): Reader {
  const readName = readerOf(name);
  return (value, inPlace) => {
    if (!isMapping(value)) return refused;
    const read = inPlace ? value : {};
    for (const key in value) {
      const one = readName(key, false) === refused ? refused : inner(value[key], inPlace);
      if (one === refused) return refused;
      read[key] = one;
    }
    return read;
  };
}

export function listReader(item: z.core.$ZodType, least: number): Reader {
  const readItem = readerOf(item);
  return (value, inPlace) => {
    if (!Array.isArray(value) || value.length < least) return refused;
    const read: unknown[] = inPlace ? value : [];
    for (let i = 0; i < value.length; i++) {
      const inner = readItem(value[i], inPlace);
      if (inner === refused) return refused;
      read[i] = inner;
    }
    return read;
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
