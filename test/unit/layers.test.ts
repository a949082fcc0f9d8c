/** The directions of imports, and who may touch what of the process: a test that fails when an arrow points up. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { type Import, importsOf, outsideOf, readSource } from "../support/source-text.ts";

const root = new URL("../../../src/", import.meta.url).pathname;

const files = new Map(
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .sort()
    .map((file) => [file, readSource(readFileSync(join(root, file), "utf8"))]),
);

/** Which layers (folders, single files or kinds of import) each layer may import beside itself. */
const below: Readonly<Record<string, readonly string[]>> = {
  net: [],
  native: ["net"],
  netlink: ["native", "net"],
  kernel: ["netlink", "type native", "net"],
  config: ["net"],
  wire: ["net", "type config/model.ts", "type config/secret.ts"],
  import: ["net", "config/complaint.ts", "config/nearest.ts", "config/problems.ts", "type config"],
  plan: ["net", "config/model.ts", "config/secret.ts", "type wire"],
  apply: [
    "plan",
    "kernel",
    "netlink",
    "type native",
    "net",
    "config/model.ts",
    "type config/secret.ts",
  ],
  tunnel: [
    "apply",
    "plan",
    "wire",
    "config",
    "net",
    "type kernel",
    "kernel/rawsocket.ts",
    "kernel/nfqueue.ts",
  ],
  daemon: ["tunnel", "apply", "plan", "wire", "config", "kernel", "netlink", "native", "net"],
  cli: [
    "daemon",
    "tunnel",
    "apply",
    "plan",
    "wire",
    "import",
    "config",
    "kernel",
    "netlink",
    "native",
    "net",
  ],
  "main.ts": ["cli", "net"],
  // What `npm run man` writes; nothing of it is in the program.
  manual: ["cli", "daemon/metrics/catalogue.ts", "daemon/version.ts", "config/schema.ts", "net"],
};

/** Packages and the only places that may know them. */
const packages: Readonly<Record<string, readonly string[]>> = {
  netlink: ["netlink/", "kernel/"],
  "prom-client": ["daemon/metrics/exposition.ts"],
  "raw-socket": ["kernel/rawsocket.ts"],
  "libsodium-wrappers": ["wire/signatures.ts"],
  yaml: ["config/", "import/write.ts"],
  zod: ["config/"],
};

/** What pure layers may use of Node: nothing that reads or changes the machine. */
const pureLayers = ["net", "wire", "import", "plan"];
const pureModules = ["node:buffer", "node:crypto", "node:util"];
/** isIP and friends, which look at text. */
const exceptions = ["net/address.ts node:net"];

const builtin = /^node:/;

function layerOf(file: string): string {
  return file.split("/", 1)[0] ?? file;
}

function resolve(file: string, { specifier }: Import): string {
  return normalize(join(dirname(file), specifier));
}

function isRelative({ specifier }: Import): boolean {
  return specifier.startsWith(".");
}

function place(file: string, line: number): string {
  return `src/${file}:${line}`;
}

/** Every import of every file. */
function* imports(): Generator<[file: string, imported: Import]> {
  for (const [file, source] of files) {
    for (const imported of importsOf(source)) yield [file, imported];
  }
}

function none(violations: readonly string[]): void {
  assert.equal(violations.length, 0, `\n${violations.join("\n")}`);
}

/** Matches of a pattern in code, outside comments and strings. */
function matches(pattern: RegExp, allowed: (file: string) => boolean): string[] {
  const found: string[] = [];
  for (const [file, source] of files) {
    if (allowed(file)) continue;
    source.code.split("\n").forEach((line, i) => {
      if (pattern.test(line)) found.push(`${place(file, i + 1)}: ${line.trim()}`);
    });
  }
  return found;
}

test("the test sees the sources", () => {
  assert.ok(files.has("main.ts") && files.has("net/address.ts"));
  assert.ok([...imports()].length > files.size);
  for (const file of files.keys()) assert.ok(layerOf(file) in below, `${file}: no such layer`);
});

test("arrows point down", () => {
  const violations: string[] = [];
  for (const [file, imported] of imports()) {
    if (!isRelative(imported)) continue;
    const layer = layerOf(file);
    const to = resolve(file, imported);
    if (layerOf(to) === layer) continue;
    const allowed = (below[layer] ?? []).some((entry) => {
      const path = entry.replace("type ", "");
      if (entry.startsWith("type ") && !imported.typeOnly) return false;
      return to === path || to.startsWith(`${path}/`);
    });
    if (!allowed) {
      const how = imported.typeOnly ? "imports types of" : "imports";
      violations.push(`${place(file, imported.line)}: ${layer} ${how} ${to}`);
    }
  }
  none(violations);
});

test("every relative import names a file with its ending", () => {
  const violations = [...imports()]
    .filter(([file, imported]) => isRelative(imported) && !files.has(resolve(file, imported)))
    .map(([file, { line, specifier }]) => `${place(file, line)}: there is no ${specifier}`);
  none(violations);
});

/** All files that come with this one at run time; from each the one that led there. */
function reachedFrom(start: string): Map<string, string> {
  const from = new Map<string, string>([[start, ""]]);
  for (const file of from.keys()) {
    const source = files.get(file);
    if (source === undefined) continue;
    for (const imported of importsOf(source)) {
      // Types are gone at run time; a dynamic import is not.
      if (!isRelative(imported) || imported.typeOnly) continue;
      const to = resolve(file, imported);
      if (!from.has(to)) from.set(to, file);
    }
  }
  return from;
}

test("the dry run cannot reach the code that executes", () => {
  const target = "apply/execute.ts";
  assert.ok(files.has(target), `src/${target} is not there: name what executes steps now`);
  for (const start of [
    "cli/check.ts",
    "cli/explain.ts",
    ...[...files.keys()].filter((f) => /^(plan|wire)\//.test(f)),
  ]) {
    const from = reachedFrom(start);
    const path = [target];
    for (let step = from.get(target); step; step = from.get(step)) path.unshift(step);
    assert.ok(!from.has(target), `${path.join(" → ")}`);
  }
});

test("nothing that the dry run reaches writes a file or a kernel parameter", () => {
  const writes =
    /\b(writeFile|appendFile|createWriteStream|mkdir|mkdtemp|rename|rm|rmdir|unlink|chmod|chown|truncate|copyFile|symlink|utimes|writeSysctl)(Sync)?\(/;
  const reached = reachedFrom("cli/check.ts");
  // The only one that could; whoever calls it is found.
  const allowed = (file: string) => !reached.has(file) || file === "kernel/sysctl.ts";
  none(matches(writes, allowed));
});

test("packages are known in one place each", () => {
  const violations: string[] = [];
  for (const [file, imported] of imports()) {
    const { specifier, line } = imported;
    if (isRelative(imported) || builtin.test(specifier)) continue;
    const allowed = packages[specifier.split("/", 1)[0] ?? ""] ?? [];
    if (!allowed.some((prefix) => file.startsWith(prefix))) {
      violations.push(`${place(file, line)}: imports the package ${specifier}`);
    }
  }
  none(violations);
});

test("pure layers use nothing that touches the machine", () => {
  const violations: string[] = [];
  for (const [file, { specifier, line }] of imports()) {
    if (!pureLayers.includes(layerOf(file)) || !builtin.test(specifier)) continue;
    if (pureModules.includes(specifier) || exceptions.includes(`${file} ${specifier}`)) continue;
    violations.push(`${place(file, line)}: imports ${specifier}`);
  }
  const inPure = (file: string) => !pureLayers.includes(layerOf(file));
  violations.push(
    ...matches(/\b(process|Date\.now|Math\.random|setTimeout|setInterval)\b/, inPure),
  );
  none(violations);
});

test("no other program is started", () => {
  const violations = [...imports()]
    .filter(([, { specifier }]) => /child_process|cluster|worker_threads/.test(specifier))
    .map(([file, { line, specifier }]) => `${place(file, line)}: imports ${specifier}`);
  none(violations);
});

test("arguments, exit and signals belong to main.ts", () => {
  const pattern = /\bprocess\s*\.\s*(argv|exit|exitCode|on|once|abort|kill)\b/;
  none(matches(pattern, (file) => file === "main.ts"));
});

test("no state in module globals", () => {
  const nowhere = () => false;
  none([
    ...matches(/^(export )?(let|var)\b/, nowhere),
    ...matches(/^(export )?const \w+.*= new (Weak)?(Map|Set)(<.*>)?\(\);/, nowhere),
    ...matches(/^(export )?const \w+.*= \[\];/, nowhere),
  ]);
});

test("nf_tables is known to its messages and to the writer of our ruleset alone", () => {
  const home = /^(kernel|apply)\/nftables\//;
  const violations = matches(/nftables|nf_tables|NFT_|NFTA_/i, (file) => {
    return home.test(file) || file.startsWith("apply/");
  });
  for (const [file, imported] of imports()) {
    if (!isRelative(imported) || !home.test(resolve(file, imported))) continue;
    if (home.test(file) || /^(apply|daemon)\//.test(file)) continue;
    violations.push(`${place(file, imported.line)}: imports ${imported.specifier}`);
  }
  none(violations);
});

test("the reader of sources tells code from comments and strings", () => {
  const text = [
    'import { a, type B } from "./a.ts"; // import "./no.ts"',
    'import type { C } from "./c.ts";',
    'import { type D, type E } from "./d.ts";',
    'export * from "./e.ts";',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text, not a template
    "/* import './no.ts' */ const x = `process.exit ${process.on} `;",
    'const re = /["\'`/]/; const y = await import("./f.ts"); const s = "process.argv";',
    'let z: import("./g.ts").G;',
    'import {\n  long,\n} from "./h.ts";',
    'import "./i.ts";',
    'const half = a / b; const t = "it\\"s"; process.exit(1 / 2);',
  ].join("\n");
  const source = readSource(text);
  assert.deepEqual(
    importsOf(source).map(({ specifier, typeOnly, line }) => `${specifier} ${typeOnly} ${line}`),
    [
      "./a.ts false 1",
      "./c.ts true 2",
      "./d.ts true 3",
      "./e.ts false 4",
      "./f.ts false 6",
      "./g.ts true 7",
      "./h.ts false 8",
      "./i.ts false 11",
    ],
  );
  assert.ok(!outsideOf(text).includes("process.argv"));
  assert.equal(outsideOf(text).match(/process\.exit/g)?.length, 1);
  assert.equal(outsideOf(text).match(/process\.on/g)?.length, 1);
});
