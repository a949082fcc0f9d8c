/** A tunnel's directory: exactly one source, and what belongs to it. */
import { Complaint } from "../complaint.ts";
import type { DirectoryConfig } from "../model.ts";
import type { Problems } from "../problems.ts";
import type { TunnelPart } from "../schema/tunnel.ts";
import type { Path } from "../source/document.ts";

/** udptun's. Milliseconds. */
const defaultInterval = 300_000;

export function buildDirectory(
  part: TunnelPart["directory"],
  path: Path,
  problems: Problems,
): DirectoryConfig | undefined {
  if (part === undefined) return undefined;
  const { file, url, caFile, interval = defaultInterval } = part;
  const complain = (what: string, mend: string): undefined => {
    problems.add(path, new Complaint(what, mend), { at: "key" });
    return undefined;
  };
  if (file !== undefined && url !== undefined) {
    return complain("a directory with both `file` and `url`", "keep one");
  }
  if (caFile !== undefined && url?.startsWith("https:") !== true) {
    return complain("a `caFile`, and no https URL to check", "remove it, or add the URL");
  }
  if (file !== undefined) return frozen({ kind: "file", path: file }, interval);
  if (url !== undefined) return frozen({ kind: "url", url, caFile }, interval);
  return complain("a directory without a source", "add `file` or `url`");
}

function frozen(from: DirectoryConfig["from"], interval: number): DirectoryConfig {
  return Object.freeze({ from: Object.freeze(from), interval });
}
