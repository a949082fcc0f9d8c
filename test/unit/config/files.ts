/** Temporary configurations for tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfiguration } from "../../../src/config/load.ts";
import type { Configuration } from "../../../src/config/model.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";

/** From the design's test vector, checked against PyNaCl. */
export const seed = "RuBZkT23na2Q4QH1xfmZCfRgSgPt5s362UPAFbecTso=";
export const publicKey = "eQYNhD/Xwl6Zaq+z3QXDzNI77x8CEKqY1n5kt9bKeEI=";

/** A folder with these files while the body runs. */
export function withFiles<T>(
  files: Readonly<Record<string, string | Buffer>>,
  body: (folder: string) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-config-"));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Loads the first of these files. */
export function load(files: Readonly<Record<string, string | Buffer>>): Configuration {
  return withFiles(files, (folder) =>
    loadConfiguration([join(folder, Object.keys(files)[0] ?? "")]),
  );
}

/** The error's lines, with the temporary folder's name taken away; empty if there was no error. */
export function complaints(
  files: Readonly<Record<string, string | Buffer>>,
  paths: readonly string[] = [Object.keys(files)[0] ?? ""],
  environment: { CREDENTIALS_DIRECTORY?: string } = {},
): string[] {
  return withFiles(files, (folder) => {
    try {
      loadConfiguration(
        paths.map((path) => join(folder, path)),
        { environment },
      );
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.message.replaceAll(`${folder}/`, "").replaceAll(folder, ".").split("\n");
    }
  });
}
