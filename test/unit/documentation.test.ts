/** What the documents show is so: configurations load, commands and files are there, links lead somewhere. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { optionsOf, parseArguments } from "../../src/cli/arguments.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { blocksOf, codeOf } from "../support/markdown.ts";
import { publicKey, seed, withFiles } from "./config/files.ts";

/** From the compiled test up to the repository. */
const root = new URL("../../../", import.meta.url).pathname;
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].sort();
const read = (name: string): string => readFileSync(join(root, name), "utf8");

const anyTunnel = "tunnels: { t: { peers: { p: { token: x } } } }\n";

/** What stands for a value, where only values are taken. */
const placeholders: Readonly<Record<string, string>> = {
  "ADDRESS[:PORT]": "192.0.2.1",
  TIME: "60s",
};

/** Loads a block as somebody has it who did what the text around it says. */
function load(yaml: string): void {
  const text = yaml.replace("PASTE WHAT ipipoud pubkey PRINTED", publicKey);
  const whole = Object.hasOwn(parse(text) as object, "tunnels") ? text : anyTunnel + text;
  const named = [...text.matchAll(/(\w+)File: "?(?:\$\{CREDENTIALS_DIRECTORY\}\/)?([\w.]+)/g)];
  const secrets = named.map(([, key, file = ""]) => [file, key === "privateKey" ? seed : "x"]);
  withFiles({ "ipipoud.yaml": whole, ...Object.fromEntries(secrets) }, (folder) => {
    const environment = { CREDENTIALS_DIRECTORY: folder };
    loadConfiguration([join(folder, "ipipoud.yaml")], { environment });
  });
}

describe("documents", () => {
  it("show configurations that load", () => {
    let count = 0;
    for (const name of documents) {
      for (const { language, text, line } of blocksOf(read(name))) {
        if (language !== "yaml") continue;
        assert.doesNotThrow(() => load(text), `${name}:${line}`);
        count++;
      }
    }
    assert.ok(count >= 4);
  });

  it("show commands that there are, with arguments that they take", () => {
    let count = 0;
    for (const name of documents) {
      for (const { text, line } of codeOf(read(name))) {
        for (const [, words = ""] of text.matchAll(
          /(?:^|[(&|;] *)ipipoud((?: +[^\s&|;<>()#`…]+)*)/gm,
        )) {
          const args = words
            .trim()
            .split(/ +/)
            .filter((word) => word !== "")
            .map((word) => placeholders[word] ?? word);
          const [first = ""] = args;
          if (!optionsOf.has(first) && !first.startsWith("-")) {
            // A name (of the unit, the group, a container), or nothing more to see.
            assert.ok(!/^[a-z]+$/.test(first), `${name}:${line}: there is no \`ipipoud ${first}\``);
            continue;
          }
          // The command as such is spoken of.
          if (args.length === 1 && optionsOf.has(first)) continue;
          assert.doesNotThrow(() => parseArguments(args), `${name}:${line}: ipipoud ${words}`);
          count++;
        }
      }
    }
    assert.ok(count > 15, `${count}`);
  });

  it("quote what the program says", () => {
    const source = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(`src/${name}`))
      .join();
    const quotes = [...read("docs/troubleshooting.md").matchAll(/`((?:refused )?…[^`]+)`/g)];
    assert.ok(quotes.length >= 6);
    for (const [, quote = ""] of quotes) {
      for (const part of quote.split("…").map((one) => one.trim())) {
        assert.ok(source.includes(part), `nothing says "${part}"`);
      }
    }
  });

  it("link to what is there", () => {
    for (const name of documents) {
      for (const [, link = ""] of read(name).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        assert.ok(existsSync(join(root, dirname(name), link)), `${name}: there is no ${link}`);
      }
    }
  });

  it("name scripts of package.json that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const name of documents) {
      for (const [, script = ""] of read(name).matchAll(/npm run ([\w:]+)/g)) {
        assert.ok(Object.hasOwn(scripts, script), `${name}: there is no \`npm run ${script}\``);
      }
    }
  });
});
