/** The README's files as configurations. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfiguration } from "../../src/config/load.ts";
import type { TunnelConfig } from "../../src/config/model.ts";
import { projectRoot } from "../lab/paths.ts";
import { blocksOf } from "../support/markdown.ts";

/** The laptop's tunnel. */
export function laptopOfReadme(): TunnelConfig {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const yaml = blocksOf(readme).find(
    ({ language, text }) => language === "yaml" && text.includes("laptop.key"),
  )?.text;
  if (yaml === undefined) throw new Error("README.md has no file of the laptop");
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  try {
    writeFileSync(join(folder, "ipipoud.yaml"), yaml);
    writeFileSync(join(folder, "laptop.key"), "RuBZkT23na2Q4QH1xfmZCfRgSgPt5s362UPAFbecTso=\n");
    const [tunnel] = loadConfiguration([join(folder, "ipipoud.yaml")]).tunnels;
    if (tunnel === undefined) throw new Error("README.md: the laptop's file has no tunnel");
    return tunnel;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
