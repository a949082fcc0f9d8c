/** Makers of schema parts whose messages say what is wanted and never what was received. */
import * as z from "zod";
import { Complaint } from "../complaint.ts";
import { listReader, readBy, refused } from "./quick.ts";

/** What the manual and editors call such a value: JSON Schema itself knows but texts and numbers. */
export function called<S extends z.ZodType>(kind: string, schema: S): S {
  // describe() would make a copy, which readBy() knows nothing of.
  z.globalRegistry.add(schema, { title: kind });
  return schema;
}

/** A text that a pure function reads. */
export function text<T>(wrongType: Complaint, read: (text: string) => T | Complaint) {
  const schema = z.string({ error: () => wrongType.encode() }).transform((value, context) => {
    const result = read(value);
    if (!(result instanceof Complaint)) return result;
    context.addIssue({ code: "custom", message: result.encode() });
    return z.NEVER;
  });
  return readBy(schema, (value) => {
    const result = typeof value === "string" ? read(value) : refused;
    return result instanceof Complaint ? refused : result;
  });
}

/** A list, whose items one schema reads. */
export function list<T extends z.ZodType>(item: T, wrongType: Complaint, empty?: Complaint) {
  const any = z.array(item, { error: () => wrongType.encode() });
  const schema = empty === undefined ? any : any.min(1, { error: () => empty.encode() });
  return readBy(schema, listReader(item, empty === undefined ? 0 : 1));
}

/** A number, or a text that stands for one: `0` or `5m`, `1` or `0x1`. */
export function numberOrText<N extends z.ZodType<number, number>>(
  number: N,
  wrongType: Complaint,
  read: (text: string) => number | Complaint,
) {
  return z
    .union([number, z.string()], { error: () => wrongType.encode() })
    .transform((value, context) => {
      if (typeof value === "number") return value;
      const result = read(value);
      if (!(result instanceof Complaint)) return result;
      context.addIssue({ code: "custom", message: result.encode() });
      return z.NEVER;
    });
}

/** A number, or a text with more to say: both are read as the text that they are. */
export function written<T>(wrongType: Complaint, read: (text: string) => T | Complaint) {
  return z
    .union([z.number(), z.string()], { error: () => wrongType.encode() })
    .transform((value, context) => {
      const result = read(String(value));
      if (!(result instanceof Complaint)) return result;
      context.addIssue({ code: "custom", message: result.encode() });
      return z.NEVER;
    });
}

export function integer(least: number, most: number) {
  const message = new Complaint(
    "not a valid number",
    `want a whole number, ${least} to ${most}`,
  ).encode();
  return z
    .int({ error: () => message })
    .min(least, { error: () => message })
    .max(most, { error: () => message });
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  later: readonly unknown[] = [],
) {
  const want = `want ${values.join(" or ")}`;
  return z.enum(values, {
    error: ({ input }) =>
      later.includes(input)
        ? new Complaint(`\`${input}\` is not supported yet by this version`, want).encode()
        : new Complaint("not one of the choices", want).encode(),
  });
}

export function flag() {
  const message = new Complaint("neither true nor false", "want true or false").encode();
  return z.boolean({ error: () => message });
}

/** A text that is nobody's business, decoded later: the same text may stand in a file of its own. */
export function secretText() {
  const schema = z.string({
    error: ({ input }) => (input === null ? emptySecret : unquotedSecret).encode(),
  });
  return readBy(schema, (value) => (typeof value === "string" ? value : refused));
}

const unquotedSecret = new Complaint("not read as text", 'put it in quotes: "…"');
const emptySecret = new Complaint("nothing is here", 'put a secret in quotes: "…"');

/** A path, relative to the file that names it. */
export function path() {
  const message = new Complaint("not a path", "want the path of a file").encode();
  return called(
    "path",
    z.string({ error: () => message }).regex(/^\P{Cc}{1,1024}$/u, { error: () => message }),
  );
}

/** What a mapping says when it is none. */
export function wantMapping(mend: string): { error: (issue: { input?: unknown }) => string } {
  const message = new Complaint("not a mapping", mend).encode();
  const empty = new Complaint("nothing is below this key", "indent what belongs to it");
  return { error: ({ input }) => (input === null ? empty.encode() : message) };
}
