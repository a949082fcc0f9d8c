/** The README's picture shows what the program says now. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../lab/paths.ts";
import { laptopOfReadme } from "../picture/readme.ts";
import { session } from "../picture/session.ts";
import { terminalPicture } from "../picture/terminal.ts";

test("docs/terminal.svg is what the program says", () => {
  const there = readFileSync(join(projectRoot, "docs/terminal.svg"), "utf8");
  const now = terminalPicture(session(laptopOfReadme()));
  assert.equal(there, now, "`npm run picture` makes it anew");
});

test("it shows the steps of a start, a start and the tunnel", () => {
  const text = session(laptopOfReadme());
  assert.match(text, /^\+ link +.*ipipou0/m);
  assert.match(text, /^ready$/m);
  assert.match(text, /^ {2}state: authenticated/m);
  assert.doesNotMatch(text, /undefined|something both sides know/);
});

test("what is special in XML stays text", () => {
  assert.match(terminalPicture("$ a <b> &c\n<x>\n"), /a &lt;b&gt; &amp;c.*&lt;x&gt;/s);
});
