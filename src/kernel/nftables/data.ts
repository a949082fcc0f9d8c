/** What registers and elements hold: bytes, or a verdict. */
import {
  type AttributeType,
  attr,
  MalformedMessage,
  nested,
  s32be,
  string,
  table,
} from "../../netlink/attributes.ts";
import {
  NF_ACCEPT,
  NF_DROP,
  NFT_CONTINUE,
  NFT_GOTO,
  NFT_JUMP,
  NFT_RETURN,
  NFTA_DATA_VALUE,
  NFTA_DATA_VERDICT,
  NFTA_VERDICT_CHAIN,
  NFTA_VERDICT_CODE,
} from "./constants.ts";

/** Bytes in network order as lower-case hexadecimal: comparable with `===`, and fit for a Map's key. */
export type Hex = string;

export type Verdict =
  | { readonly code: "accept" | "drop" | "return" | "continue" }
  | { readonly code: "jump" | "goto"; readonly chain: string };

export type Data = Hex | Verdict;

const VERDICT = table({
  code: attr(NFTA_VERDICT_CODE, s32be, "NFTA_VERDICT_CODE"),
  chain: attr(NFTA_VERDICT_CHAIN, string, "NFTA_VERDICT_CHAIN"),
});

const hex: AttributeType<Hex> = {
  nested: false,
  size: (value) => value.length / 2,
  write: (value, into, at) => at + into.write(value, at, "hex"),
  read: toHex,
};

const DATA = table({
  value: attr(NFTA_DATA_VALUE, hex, "NFTA_DATA_VALUE"),
  verdict: attr(NFTA_DATA_VERDICT, nested(VERDICT), "NFTA_DATA_VERDICT"),
});

const CODES = {
  accept: NF_ACCEPT,
  drop: NF_DROP,
  return: NFT_RETURN,
  continue: NFT_CONTINUE,
  jump: NFT_JUMP,
  goto: NFT_GOTO,
} as const;

const dataAttribute = nested(DATA);

/** An attribute that holds NFTA_DATA_VALUE or NFTA_DATA_VERDICT. */
export const data: AttributeType<Data> = {
  nested: true,
  size: (value) => dataAttribute.size(toValues(value)),
  write: (value, into, at) => dataAttribute.write(toValues(value), into, at),
  read: (payload) => {
    const { value, verdict } = dataAttribute.read(payload);
    if (value !== undefined) return value;
    if (verdict !== undefined) return toVerdict(verdict.code, verdict.chain);
    throw new MalformedMessage("holds neither value nor verdict");
  },
};

/** The same where only bytes make sense. */
export const value: AttributeType<Hex> = {
  ...data,
  read: (payload) => {
    const read = data.read(payload);
    if (typeof read === "string") return read;
    throw new MalformedMessage("want a value, got a verdict");
  },
};

export function toHex(from: Uint8Array): Hex {
  return Buffer.from(from.buffer, from.byteOffset, from.byteLength).toString("hex");
}

/** A number in network order. */
export function hexOf(number: number, width: number): Hex {
  return number.toString(16).padStart(width * 2, "0");
}

function toValues(of: Data) {
  if (typeof of === "string") return { value: of };
  return { verdict: { code: CODES[of.code], chain: "chain" in of ? of.chain : undefined } };
}

function toVerdict(code: number | undefined, chain: string | undefined): Verdict {
  switch (code) {
    case NF_ACCEPT:
      return { code: "accept" };
    case NF_DROP:
      return { code: "drop" };
    case NFT_RETURN:
      return { code: "return" };
    case NFT_CONTINUE:
      return { code: "continue" };
    case NFT_JUMP:
    case NFT_GOTO:
      if (chain === undefined) throw new MalformedMessage("a jump without NFTA_VERDICT_CHAIN");
      return { code: code === NFT_JUMP ? "jump" : "goto", chain };
    default:
      throw new MalformedMessage(`no verdict has the code ${code ?? "(none)"}`);
  }
}
