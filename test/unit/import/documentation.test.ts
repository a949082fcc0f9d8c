/** docs/coming-from-ipipou.md has a row for each option, and the tests that it names are there. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { oldOptions } from "../../../src/import/options.ts";

/** From the compiled test up to the repository. */
const root = new URL("../../../../", import.meta.url).pathname;

interface Row {
  readonly option: string;
  readonly here: string;
  /** File and title of each. */
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const rows: readonly Row[] = readFileSync(`${root}docs/coming-from-ipipou.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| `/.test(line))
  .map((line) => {
    const [option = "", here = "", tests = ""] = line.split(/(?<!\\)\|/).slice(1);
    const named = tests.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g);
    return {
      option: option.trim(),
      here: here.trim(),
      tests: [...named].map(([, title = "", file = ""]) => [file, title] as const),
    };
  });

test("there is a row for each option of the table, in its words", () => {
  const expected = oldOptions.map(({ names, here }) => {
    const spelled = [...names].reverse().map((name) => `\`${name.replace(/^--?/, "")}\``);
    return [spelled.join(", "), here];
  });
  assert.deepEqual(
    rows.map(({ option, here }) => [option, here]),
    expected,
  );
});

test("each row names a test, and each of those tests is there", () => {
  for (const { option, tests } of rows) {
    assert.ok(tests.length > 0, `${option} names no test`);
    for (const [file, title] of tests) {
      assert.ok(existsSync(root + file), `${option}: there is no ${file}`);
      const source = readFileSync(root + file, "utf8");
      const titles = [...source.matchAll(/\b(?:it|test)\(\s*(["`])((?:\\.|(?!\1)[^\\])*)\1/g)];
      assert.ok(
        titles.some(([, , found]) => found === title),
        `${option}: ${file} has no test "${title}"`,
      );
    }
  }
});
