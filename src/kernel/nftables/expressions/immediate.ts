/** A constant into a register: bytes, or a verdict (nft_immediate.c). */
import { attr, MalformedMessage, table } from "../../../netlink/attributes.ts";
import { NFTA_IMMEDIATE_DATA, NFTA_IMMEDIATE_DREG } from "../constants.ts";
import { data, type Hex, type Verdict } from "../data.ts";
import { register } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface ImmediateVerdict {
  readonly kind: "verdict";
  readonly verdict: Verdict;
}

export interface ImmediateData {
  readonly kind: "data";
  readonly to: number;
  readonly value: Hex;
}

const IMMEDIATE = table({
  to: attr(NFTA_IMMEDIATE_DREG, register, "NFTA_IMMEDIATE_DREG"),
  data: attr(NFTA_IMMEDIATE_DATA, data, "NFTA_IMMEDIATE_DATA"),
});

export const immediate: ExpressionCodec<ImmediateVerdict | ImmediateData> = {
  name: "immediate",
  encode: (expression) =>
    expression.kind === "verdict"
      ? IMMEDIATE.encode({ to: "verdict", data: expression.verdict })
      : IMMEDIATE.encode({ to: expression.to, data: expression.value }),
  decode: (encoded) => {
    const values = IMMEDIATE.decode(encoded);
    const to = required(values.to, "NFTA_IMMEDIATE_DREG");
    const its = required(values.data, "NFTA_IMMEDIATE_DATA");
    if (to === "verdict" && typeof its !== "string") return { kind: "verdict", verdict: its };
    if (to !== "verdict" && typeof its === "string") return { kind: "data", to, value: its };
    throw new MalformedMessage("register and data disagree", "NFTA_IMMEDIATE_DATA");
  },
};
