/** Files and folders that a start uses. Pure. */
import { exitCode, type FailureCode } from "../../../net/failure.ts";
import { type Finding, hindrance, listed, warning } from "../../finding.ts";
import type { PlaceProblem } from "../facts.ts";
import type { Judged } from "../judged.ts";

const WORDS: Readonly<Record<PlaceProblem["why"], string>> = {
  denied: "may not be written by this user",
  "read-only": "is on a file system that is read-only",
  "no-folder": "is no folder",
  held: "is held by another process",
};

/** What a start exits with where its socket can't be there. */
const CODES: Readonly<Record<PlaceProblem["why"], FailureCode>> = {
  denied: exitCode.privilege,
  "read-only": exitCode.privilege,
  "no-folder": exitCode.usage,
  held: exitCode.conflict,
};

export function secretFindings({ facts }: Judged): Finding[] {
  const files = facts.publicSecrets;
  if (files.length === 0) return [];
  const what = `anybody on this host may read ${listed(files)}, which ${files.length > 1 ? "hold secrets" : "holds a secret"}`;
  const mend = `\`chmod o= ${files.slice(0, 3).join(" ")}\`, and make new keys if others were here`;
  return [warning("public-secret", what, mend)];
}

export function placeFindings({ configuration, facts }: Judged): Finding[] {
  const findings: Finding[] = [];
  const { stateDirectory, control } = facts;
  if (stateDirectory !== undefined) {
    const what = `stateDirectory ${configuration.stateDirectory}: ${inWords(stateDirectory)}; replays from before a restart could not be told`;
    findings.push(warning("state-directory", what, mendOf(stateDirectory, "stateDirectory")));
  }
  if (control !== undefined) {
    const what = `control ${configuration.control}: ${inWords(control)}`;
    findings.push(hindrance(CODES[control.why], "control", what, mendOf(control, "control")));
  }
  return findings;
}

function inWords({ path, why }: PlaceProblem): string {
  return `${path} ${WORDS[why]}`;
}

function mendOf({ why }: PlaceProblem, key: string): string {
  switch (why) {
    case "denied":
      return `give this user the folder (systemd: StateDirectory=, RuntimeDirectory=), or set another \`${key}\``;
    case "held":
      return `stop it, or set another \`${key}\``;
    default:
      return `set another \`${key}\``;
  }
}
