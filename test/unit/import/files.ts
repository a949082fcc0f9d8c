/** Temporary files of ipipou 0.1 for tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder with these files while the body runs. */
export function withOldFiles<T>(
  files: Readonly<Record<string, string | Buffer>>,
  body: (folder: string) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-import-"));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
