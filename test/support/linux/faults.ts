/** What can happen to a message. To add the next fault: a line here. */
import { constants } from "node:os";
import type { Fault } from "./linux.ts";

const REFUSALS = [
  ...(["EPERM", "ENOBUFS", "ENOMEM", "EEXIST", "ENOENT", "EBUSY"] as const),
  ...(["EINVAL", "ENODEV", "EOPNOTSUPP", "EINTR", "EAGAIN"] as const),
];

export const faults: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries(
    REFUSALS.map((code) => [code, { kind: "refused", errno: constants.errno[code] }]),
  ),
  ...Object.fromEntries(
    (["ENOBUFS", "ENOMEM", "EAGAIN", "EINTR"] as const).map((code) => [
      `unsent, ${code}`,
      { kind: "unsent", errno: constants.errno[code], code },
    ]),
  ),
  "acknowledgement lost": { kind: "lost" },
  "list interrupted": { kind: "interrupted" },
};
