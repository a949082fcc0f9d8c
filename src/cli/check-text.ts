/** `--check` for people: the steps as a diff, then the findings. Pure. */
import type { PlannedStep } from "../apply/change.ts";
import type { Finding } from "../apply/findings.ts";

/** `--check --json`; fields may be added, never renamed. */
export interface CheckResult {
  /** A start would succeed. */
  readonly ok: boolean;
  readonly steps: readonly PlannedStep[];
  readonly findings: readonly Omit<Finding, "exitCode">[];
}

const SIGNS = { add: "+", change: "~", remove: "-" } as const;

/** What a start would exit with, or 3 where something could not be seen; 0: it would succeed. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return findings.find(({ level }) => level === "error")?.exitCode ?? 0;
}

export function renderCheck({ steps, findings }: CheckResult): string {
  const lines = steps.map(
    ({ action, object, what }) => `${SIGNS[action]} ${object.padEnd(9)} ${what}`,
  );
  if (steps.length === 0) lines.push("nothing to do: everything is as configured");
  for (const { level, message, mend } of findings) lines.push(`${level}: ${message}; ${mend}`);
  return `${lines.join("\n")}\n`;
}
