/** The manual pages tell of every command, option and key, and are what formatters of such pages accept. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { options, optionsOf } from "../../../src/cli/arguments.ts";
import { helpText } from "../../../src/cli/help.ts";
import { catalogue } from "../../../src/daemon/metrics/catalogue.ts";
import { commandWords, optionWords } from "../../../src/manual/commands.ts";
import { programPage } from "../../../src/manual/ipipoud.8.ts";
import { configurationPage, mappingsOf, typeOf } from "../../../src/manual/ipipoud.yaml.5.ts";
import { inline, Page } from "../../../src/manual/roff.ts";

const edition = { date: "2026-11-01", version: "1.2.3" };
const program = programPage(edition);
const configuration = configurationPage(edition, [["One:", "tunnels: { t: {} } # 'it\\'s'\n"]]);

/** As somebody reads it in a terminal of this width. */
function rendered(page: string): string {
  const env = { ...process.env, MANWIDTH: "200", LC_ALL: "C.UTF-8", MAN_KEEP_FORMATTING: "" };
  const { status, stdout, stderr } = spawnSync("man", ["--warnings", "-l", "-"], {
    ...{ input: page, encoding: "utf8", env },
  });
  assert.equal(status, 0, `needs the package man-db: ${stderr}`);
  assert.equal(stderr, "");
  return stdout;
}

describe("ipipoud(8)", () => {
  it("has words for each command and option that there is, and for no others", () => {
    const where = "say what it does in src/manual/commands.ts";
    for (const name of optionsOf.keys())
      assert.ok(Object.hasOwn(commandWords, name), `${name}: ${where}`);
    for (const name of Object.keys(options))
      assert.ok(Object.hasOwn(optionWords, name), `--${name}: ${where}`);
    for (const name of Object.keys(commandWords)) {
      assert.ok(optionsOf.has(name), `${name} is no command`);
    }
    for (const name of Object.keys(optionWords))
      assert.ok(Object.hasOwn(options, name), `--${name} is no option`);
  });

  it("shows them all", () => {
    const text = rendered(program);
    for (const name of optionsOf.keys()) {
      if (name !== "run" && name !== "check") assert.match(text, new RegExp(`^ +${name}\\b`, "m"));
    }
    for (const name of Object.keys(options)) assert.match(text, new RegExp(`--${name}\\b`));
    for (const name of Object.keys(catalogue)) assert.match(text, new RegExp(`^ +${name}\\b`, "m"));
  });

  it("shows no command that --help does not, nor an option", () => {
    const help = helpText();
    for (const name of optionsOf.keys()) {
      if (name === "run" || name === "check") continue;
      const operands = commandWords[name]?.operands ?? "";
      assert.ok(help.includes(`ipipoud ${name}${operands === "" ? "" : ` ${operands}`}`), name);
    }
    for (const name of Object.keys(options)) assert.match(help, new RegExp(`--${name}\\b`), name);
  });
});

describe("ipipoud.yaml(5)", () => {
  it("shows each key of the schema, with its type and its words", () => {
    const text = rendered(configuration);
    let keys = 0;
    for (const { path, keys: those } of mappingsOf()) {
      for (const [name, node] of those) {
        assert.ok((node.description ?? "").length > 10, `${path}.${name} has no description`);
        assert.ok(text.includes(` ${name} (${typeOf(node)}`), `${path}.${name}`);
        keys++;
      }
    }
    assert.ok(keys > 60, `${keys}`);
  });

  it("knows where keys stand", () => {
    const paths = mappingsOf().map(({ path }) => path);
    for (const path of [
      "",
      "queue",
      "metrics",
      "tunnels.NAME",
      "tunnels.NAME.peers.NAME.monitor",
    ]) {
      assert.ok(paths.includes(path), path);
    }
  });

  it("shows an example as it is", () => {
    assert.match(rendered(configuration), /^ +tunnels: \{ t: \{\} \} # 'it\\'s'$/m);
  });
});

describe("the pages' source", () => {
  for (const [name, page] of [
    ["ipipoud.8", program],
    ["ipipoud.yaml.5", configuration],
  ] as const) {
    it(`of ${name} passes mandoc's lint`, () => {
      const judge = spawnSync("mandoc", ["-T", "lint"], { input: page, encoding: "utf8" });
      assert.equal(judge.error, undefined, "needs the package mandoc");
      assert.equal(judge.stdout + judge.stderr, "");
    });
  }

  it("makes no request of a text", () => {
    const page = new Page("T", 1, "2026-11-01", "s", "m")
      .section("NAME")
      .text("t - .SH 'is' `-a \\n`");
    page.example(".SH x\n'y\n\\fB");
    const text = rendered(page.toString());
    for (const line of ["t - .SH 'is' -a \\n", ".SH x", "'y", "\\fB"])
      assert.ok(text.includes(line), line);
  });

  it("is ASCII", () => {
    assert.equal(inline("… é"), "\\[u2026] \\[u00E9]");
  });
});
