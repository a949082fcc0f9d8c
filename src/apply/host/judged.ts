/** All that findings are judged by. */
import type { Configuration } from "../../config/model.ts";
import type { Desired } from "../../plan/desired.ts";
import type { Situation } from "../../plan/situation.ts";
import type { Finding } from "../finding.ts";
import type { Observation } from "../observation.ts";
import type { HostFacts } from "./facts.ts";

export interface Judged {
  readonly configuration: Configuration;
  readonly observation: Observation;
  readonly situation: Situation;
  /** What a start would want to stand. */
  readonly desired: Desired;
  readonly facts: HostFacts;
}

export type Judge = (judged: Judged) => readonly Finding[];
