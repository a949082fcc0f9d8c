/**
 * The last good answer of each directory, in `stateDirectory`: a restart without a network, or beside a broken
 * file, begins with the nodes that were there.
 */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Complaint } from "../../config/complaint.ts";
import { largestHosts, readHosts } from "../../config/hosts.ts";
import type { DirectoryOrigin, Nodes } from "../../config/model.ts";
import { identityOf } from "./origin.ts";

export interface KeptOptions {
  readonly stateDirectory: string;
  readonly table: string;
  readonly tunnel: string;
  readonly from: DirectoryOrigin;
}

/** Of each tunnel and source one: what another source said is not this one's. */
export function keptPath({ stateDirectory, table, tunnel, from }: KeptOptions): string {
  const source = [table, tunnel, from.kind, identityOf(from)];
  const of = createHash("sha256").update(JSON.stringify(source));
  return join(stateDirectory, `directory-${of.digest("base64url").slice(0, 22)}.json`);
}

/** undefined: nothing that could be used. */
export function readKept(path: string): Nodes | undefined {
  try {
    if (statSync(path).size > largestHosts) return undefined;
    const nodes = readHosts(readFileSync(path, "utf8"));
    return nodes instanceof Complaint ? undefined : nodes;
  } catch {
    return undefined;
  }
}
