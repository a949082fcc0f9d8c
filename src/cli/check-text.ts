/** `--check` for people: the steps as a diff, then the findings, then how many of each. Pure. */
import type { PlannedStep } from "../apply/change.ts";
import type { Finding } from "../apply/finding.ts";
import { ConfigurationError, describeProblem } from "../config/problems.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { Paint } from "./paint.ts";

/** `--check --json`; fields may be added, never renamed. */
export interface CheckResult {
  /** A start would succeed. */
  readonly ok: boolean;
  readonly steps: readonly PlannedStep[];
  readonly findings: readonly Omit<Finding, "exitCode">[];
}

const SIGNS = { add: "+", change: "~", remove: "-" } as const;
const COLORS = { add: "green", change: "yellow", remove: "red" } as const;
const LEVELS = { error: "red", warning: "yellow", note: "cyan" } as const;
const levels = ["error", "warning", "note"] as const;

/**
 * What a start would exit with; 0: it would succeed. What could not be seen counts only where nothing else is wrong.
 */
export function exitCodeOf(findings: readonly Finding[]): number {
  const codes = findings.flatMap(({ level, exitCode }) => (level === "error" ? [exitCode] : []));
  return codes.find((code) => code !== exitCode.privilege) ?? codes[0] ?? 0;
}

/** Errors first; within a level as they were found. */
export function bySeverity<F extends Pick<Finding, "level">>(findings: readonly F[]): F[] {
  return levels.flatMap((level) => findings.filter((finding) => finding.level === level));
}

export function renderCheck({ steps, findings }: CheckResult, paint: Paint): string {
  const lines = steps.flatMap((step) => stepLines(step, paint));
  if (steps.length === 0) lines.push("nothing to do: everything is as configured");
  lines.push(...explanations(steps, paint));
  for (const { level, message, mend } of findings) {
    lines.push(
      `${paint(LEVELS[level], `${level}:`)} ${mend === "" ? message : `${message}; ${mend}`}`,
    );
  }
  const counts = [...stepCounts(steps), ...findingCounts(findings)];
  if (counts.length > 0) lines.push(counts.join("; "));
  return `${lines.join("\n")}\n`;
}

function stepLines({ action, object, what, was }: PlannedStep, paint: Paint): string[] {
  const start = `${SIGNS[action]} ${object.padEnd(9)} `;
  const line = (words: string): string => paint(COLORS[action], `${start}${words}`);
  if (was === undefined) return [line(what)];
  const changed = changedWords(was, what);
  return changed === undefined
    ? [line(what), `${" ".repeat(start.length)}${paint("dim", `was ${was}`)}`]
    : [line(changed)];
}

/** `mtu 1472 -> 1400`; undefined where the two are not made alike. */
function changedWords(was: string, is: string): string | undefined {
  const [before, after] = [was.split(" "), is.split(" ")];
  if (before.length !== after.length) return undefined;
  return after.map((word, i) => (word === before[i] ? word : `${before[i]} -> ${word}`)).join(" ");
}

function stepCounts(steps: readonly PlannedStep[]): string[] {
  if (steps.length === 0) return [];
  const counts = (["add", "change", "remove"] as const).map(
    (action) => `${steps.filter((step) => step.action === action).length} to ${action}`,
  );
  return [counts.join(", ")];
}

function findingCounts(findings: CheckResult["findings"]): string[] {
  const counts = levels.flatMap((level) => {
    const count = findings.filter((finding) => finding.level === level).length;
    return count === 0 ? [] : [`${count} ${level}${count === 1 ? "" : "s"}`];
  });
  return counts.length === 0 ? [] : [counts.join(", ")];
}

/** What nobody expects among the steps, each once. */
function explanations(steps: readonly PlannedStep[], paint: Paint): string[] {
  const added = steps.filter(({ action }) => action !== "remove");
  return words
    .filter(({ object, pattern }) =>
      added.some((step) => (object ?? step.object) === step.object && pattern.test(step.what)),
    )
    .map(({ text }) => paint("dim", `(${text})`));
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
