/** Expressions that keep a state, and so may hang on the elements of a set. */
import {
  type AttributeType,
  attr,
  encoded,
  listOf,
  MalformedMessage,
  nested,
  string,
  table,
} from "../../../netlink/attributes.ts";
import { NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_LIST_ELEM } from "../constants.ts";
import { required } from "../required.ts";
import { type Counter, counter } from "./counter.ts";
import { type Limit, limit } from "./limit.ts";

export type StatefulExpression = Counter | Limit;

export const EXPRESSION_VALUES = table({
  name: attr(NFTA_EXPR_NAME, string, "NFTA_EXPR_NAME"),
  data: attr(NFTA_EXPR_DATA, encoded, "NFTA_EXPR_DATA"),
});

export const EXPRESSION = nested(EXPRESSION_VALUES);

const valuesOf = (expression: StatefulExpression) =>
  expression.kind === "counter"
    ? { name: counter.name, data: counter.encode(expression) }
    : { name: limit.name, data: limit.encode(expression) };

/** One of them as an attribute's payload. */
export const stateful: AttributeType<StatefulExpression> = {
  nested: true,
  size: (expression) => EXPRESSION.size(valuesOf(expression)),
  write: (expression, into, at) => EXPRESSION.write(valuesOf(expression), into, at),
  read: (payload) => {
    const values = EXPRESSION.read(payload);
    const name = required(values.name, "NFTA_EXPR_NAME");
    const data = values.data ?? Buffer.alloc(0);
    const codec = name === counter.name ? counter : name === limit.name ? limit : undefined;
    const expression = codec?.decode(data);
    if (expression !== undefined) return expression;
    throw new MalformedMessage(`"${name}" is not known here`, "NFTA_EXPR_NAME");
  },
};

/** Several of them. */
export const statefulList = listOf(attr(NFTA_LIST_ELEM, stateful, "NFTA_LIST_ELEM"));
