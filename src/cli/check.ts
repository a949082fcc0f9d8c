/**
 * `ipipoud --check`: what a start would do now, and what stands in its way. It looks and compares; the
 * code that executes is out of its reach (a test sees to that), and its sockets send questions alone.
 */
import { plannedSteps } from "../apply/change.ts";
import { compare } from "../apply/compare.ts";
import { findingsOf } from "../apply/findings.ts";
import { firstSituation } from "../apply/first.ts";
import { hostFindings } from "../apply/host/findings/all.ts";
import { gatherFacts } from "../apply/host/gather.ts";
import { observe } from "../apply/observe.ts";
import { onlyQuestions } from "../apply/questions.ts";
import { openSockets } from "../apply/sockets.ts";
import { findFiles } from "../config/files.ts";
import { loadConfiguration } from "../config/load.ts";
import { loadAddon } from "../native/addon.ts";
import { desiredState } from "../plan/desired.ts";
import { assignIds } from "../plan/ids.ts";
import { sysctlNames } from "../plan/sysctls.ts";
import { nodesAtStart, withKnownNodes } from "../tunnel/directory/start.ts";
import { bySeverity, type CheckResult, exitCodeOf, renderCheck } from "./check-text.ts";
import { colored, plain } from "./paint.ts";

export interface CheckOptions {
  readonly configPaths: string[];
  readonly json: boolean;
  readonly verbosity: number;
  readonly color: boolean;
  readonly out: (text: string) => void;
}

export async function check({ configPaths, json, color, out }: CheckOptions): Promise<number> {
  const written = loadConfiguration(configPaths);
  const configurationFiles = findFiles(configPaths);
  const configuration = withKnownNodes(written, (tunnel) => nodesAtStart(written, tunnel));
  const ids = assignIds(configuration);
  const sockets = openSockets(loadAddon(), onlyQuestions);
  try {
    const sysctls = sysctlNames(configuration.tunnels);
    const observation = await observe(sockets, configuration.table, { whole: true, sysctls });
    const situation = await firstSituation(configuration, ids, observation);
    const desired = desiredState(configuration, situation, ids);
    const change = compare(desired, observation, { raise: true });
    const subject = { configuration, configurationFiles, observation, situation, change };
    const facts = await gatherFacts(sockets, subject);
    const findings = [
      ...findingsOf(configuration, observation, situation),
      ...hostFindings({ configuration, observation, situation, desired, facts }),
    ];
    const code = exitCodeOf(findings);
    const result: CheckResult = {
      ok: code === 0,
      steps: plannedSteps(change),
      findings: bySeverity(findings).map(({ exitCode: _, ...finding }) => finding),
    };
    out(json ? `${JSON.stringify(result)}\n` : renderCheck(result, color ? colored : plain));
    return code;
  } finally {
    sockets.close();
  }
}
