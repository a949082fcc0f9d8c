/**
 * dist/bin: the program as it is installed, from dist/src: a start reads a handful of files instead of 350.
 * What a command doesn't need stays in chunks of its own (`--check` never loads what executes steps).
 */

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Packages beside the bundle, or compiled into an addon. */
const compiled = ["nan", "node-addon-api", "raw-socket"];

await rm(`${root}dist/bin`, { recursive: true, force: true });
const { metafile } = await build({
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
  metafile: true,
});
await writeFile(`${root}dist/bin/licences.txt`, await licences(Object.keys(metafile.inputs)));

/** What the packages that we hand on want to be said of them. @param {string[]} inputs */
async function licences(inputs) {
  const names = inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const texts = [];
  for (const name of [...new Set([...names, ...compiled])].filter((one) => one).sort()) {
    const folder = `${root}node_modules/${name}`;
    const { version } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
    texts.push(`== ${name} ${version}\n\n${await licence(folder)}\n`);
  }
  return `ipipoud contains these packages.\n\n${texts.join("\n\n")}`;
}

/** Its licence's text: a file, or the end of the README. @param {string} folder */
async function licence(folder) {
  const files = await readdir(folder);
  const file = files.find((name) => /^licen[cs]e/i.test(name));
  if (file !== undefined) return (await readFile(`${folder}/${file}`, "utf8")).trim();
  const readme = await readFile(`${folder}/README.md`, "utf8");
  const text = /^#+ Licen[cs]e\n(.*)/ms.exec(readme)?.[1];
  if (text === undefined) throw new Error(`${folder}: no licence to be found`);
  return text.trim();
}
