/** `--check` for people: the steps as a diff, then the findings. Pure. */
import type { PlannedStep } from "../apply/change.ts";
import type { Finding } from "../apply/findings.ts";
import { ConfigurationError, describeProblem } from "../config/problems.ts";
import { Failure } from "../net/failure.ts";

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
  lines.push(...explanations(steps));
  for (const { level, message, mend } of findings) lines.push(`${level}: ${message}; ${mend}`);
  return `${lines.join("\n")}\n`;
}

/** What nobody expects among the steps, each once. */
function explanations(steps: readonly PlannedStep[]): string[] {
  const added = steps.filter(({ action }) => action !== "remove");
  return words
    .filter(({ object, pattern }) =>
      added.some((step) => (object ?? step.object) === step.object && pattern.test(step.what)),
    )
    .map(({ text }) => `note: ${text}`);
}

const words: readonly {
  readonly object?: PlannedStep["object"];
  readonly pattern: RegExp;
  readonly text: string;
}[] = [
  {
    pattern: /\(placeholder\)/,
    text: "a placeholder is an address of nobody; the peer's or our own takes its place once it is known",
  },
  {
    object: "route",
    pattern: /^blackhole 240\.0\.0\.0\/4\b/,
    text: "the blackhole route is for placeholders: no packet for one can leave this host",
  },
  {
    object: "route",
    pattern: /^unreachable /,
    text: "unreachable routes hold while a peer is absent: what is meant for it is refused, and takes no other way",
  },
];

/** `--check --json` where it got no further: the same findings as a start would tell. */
export function checkFailure(error: unknown): CheckResult | undefined {
  const finding = (code: string, message: string, mend: string | undefined) =>
    ({ level: "error", code, message, mend: mend ?? "" }) as const;
  if (error instanceof ConfigurationError) {
    const findings = error.problems.map((problem) => {
      const { message, mend } = describeProblem(problem);
      const code = problem.kind === "privilege" ? "unreadable" : "configuration";
      return finding(code, message, mend);
    });
    if (error.more > 0)
      findings.push(finding("configuration", `${error.more} more like these`, ""));
    return { ok: false, steps: [], findings };
  }
  if (!(error instanceof Failure)) return undefined;
  return { ok: false, steps: [], findings: [finding("failure", error.what, error.mend)] };
}
