/**
 * dist/bin: the program as it is installed, from dist/src: a start reads a handful of files instead of 350.
 * What a command doesn't need stays in chunks of its own (`--check` never loads what executes steps).
 */

import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
await rm(`${root}dist/bin`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { ipipoud: "dist/src/main.js" },
  outdir: "dist/bin",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Stack traces in users' reports keep our names and lines.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  // Finds its own compiled addon beside itself.
  external: ["raw-socket"],
  // CommonJS packages ask for node's modules by require.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  logLevel: "warning",
});
