/** What any file may contain at most, so that none can exhaust us. */
import { Complaint } from "../complaint.ts";
import { positionOf } from "./document.ts";

/** The configuration itself needs 6 levels. */
export const deepest = 32;

export const tooDeep = new Complaint(
  `nested deeper than ${deepest} levels`,
  "no key needs more than 6: look for brackets that are not closed",
);

/** Values that aliases may add in all; each is counted as often as it is repeated. */
export const mostAliased = 100_000;

/** `__proto__` is no ordinary key of a JavaScript object. */
export function checkName(name: string): Complaint | undefined {
  return name === "__proto__"
    ? new Complaint("`__proto__` cannot be a name", "choose another one")
    : undefined;
}

/** Which key it is stands in the file: a secret in the wrong place can be one. */
export function givenTwice(text: string, first: number): Complaint {
  const { line, column } = positionOf(text, first);
  return new Complaint("this key is given twice", `it is at ${line}:${column} already: remove one`);
}
