/** Whatever is wrong and wherever: no message holds a secret. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { loadConfiguration } from "../../../src/config/load.ts";
import { publicKey, withFiles } from "./files.ts";

/** As secrets may look, each easy to find again whole or in parts. */
const markers = [
  "MARKERmarker",
  "!MARKERmarker",
  "*MARKERmarker",
  "&MARKERmarker",
  "@MARKERmarker",
  "`MARKERmarker",
  "%MARKERmarker",
  "|MARKERmarker",
  ">MARKERmarker",
  "{MARKERmarker",
  "[MARKERmarker",
  "'MARKERmarker",
  '"MARKERmarker',
  '"\\MARKERmarker',
  "- MARKERmarker",
  "? MARKERmarker",
  "MARKERmarker: MARKERmarker",
  "MARKERmarker, MARKERmarker",
  "MARKERmarker #MARKERmarker",
  "\tMARKERmarker",
  "$MARKERmarker",
  "MARKERmarker\u0000",
  `${publicKey.slice(0, 30)}MARKERmarker`,
];

/** Ways to write a secret, right and wrong, after its key. */
const spellings: readonly ((key: string, marker: string) => string)[] = [
  (key, marker) => `${key}: ${marker}`,
  (key, marker) => `${key}: "${marker}"`,
  (key, marker) => `${key}: '${marker}'`,
  (key, marker) => `${key}: "${marker}`,
  (key, marker) => `${key}:${marker}`,
  (key, marker) => `${key} ${marker}`,
  (key, marker) => `${key}=${marker}`,
  (key, marker) => `${key}, ${marker}`,
  (key, marker) => `${key}: ~, ${marker}: ~`,
  (key, marker) => `${key}: [${marker}]`,
  (key, marker) => `${key}: {${marker}: ${marker}}`,
  (key, marker) => `${key}: ${marker}, ${key}: ${marker}`,
  (key, marker) => `"${key}": ${JSON.stringify(marker)}`,
  (key, marker) => `"${key}": ${JSON.stringify(marker)} x`,
  (key, marker) => `"${key}": ${JSON.stringify([marker])}`,
  (key, marker) => `"${key}" ${JSON.stringify(marker)}`,
  (key, marker) => `"${key}": ${JSON.stringify(marker)}, "${key}": ${JSON.stringify(marker)}`,
  (key, marker) => `${key}s: ${marker}`,
  (key, marker) => `"${key}s": ${JSON.stringify(marker)}`,
  (key, marker) => `${key}: |\n  ${marker}\n`,
  (key, marker) => `${key}:\n  ${marker}\n`,
];

/** Other mistakes beside it. */
const beside = [
  "",
  "publicKey: 1",
  "endpoint: x",
  '"endpoint": "192.0.2.1:1"',
  "keepalive: 1d",
  "auth: none",
  "}",
  "allowedIPs: [1]",
];

/** Where it stands. */
const frames: readonly ((keys: string) => string)[] = [
  (keys) => `{"tunnels": {"t": {"peers": {"p": {${keys}}}}}}`,
  (keys) => `{"tunnels": {"t": {"peers": {"p": {"token": "x"}}, ${keys}}}}`,
  (keys) => `{"tunnels": {"t": {"peers": {${keys}}}}}`,
  (keys) => `{"tunnels": {"t": {${keys}}}}`,
  (keys) =>
    `tunnels:\n  t:\n    peers:\n      p:\n        ${keys.replaceAll("\n", "\n        ")}\n        authTtl: 3\n`,
  (keys) =>
    `tunnels:\n  t:\n    ${keys.replaceAll("\n", "\n    ")}\n    peers: { p: { token: x } }\n`,
];

const keys = ["secret", "token", "tokenBase64", "privateKey"];

/** Everything that an error would show to whoever prints it in whatever way. */
function shown(error: unknown): string {
  assert.ok(error instanceof Error);
  return [
    error.message,
    error.stack,
    inspect(error, { depth: 20, showHidden: true }),
    JSON.stringify(error),
  ].join();
}

describe("no message holds a secret", () => {
  for (const key of keys) {
    it(`of ${key}, in any mistake`, () => {
      let errors = 0;
      withFiles({}, (folder) => {
        const file = join(folder, "a");
        for (const text of textsWith(key)) {
          for (const extension of [".yaml", ".json"]) {
            const failure = failureOf(file + extension, text);
            if (failure === undefined) continue;
            errors++;
            if (/MARKER|marker/i.test(failure))
              assert.fail(`${extension}: ${inspect(text)}\n${failure.split("\n")[0]}`);
          }
        }
      });
      assert.ok(errors > 1000, `${errors}`);
    });
  }

  it("from a file of its own", () => {
    for (const key of keys) {
      const files = {
        "a.yaml": `tunnels: { t: { peers: { p: { ${key}File: key, endpoint: "a:1", auth: none, authLifetime: 1s } } } }`,
        key: "MARKERmarker\n\u0000MARKER",
      };
      withFiles(files, (folder) => {
        assert.doesNotMatch(failureOf(join(folder, "a.yaml")) ?? assert.fail(), /MARKER|marker/);
      });
    }
  });

  it("given twice in two files", () => {
    for (const key of keys) {
      const text = `tunnels: { t: { peers: { p: { ${key}: MARKERmarker } } } }`;
      withFiles({ "a.yaml": text, "b.yaml": text }, (folder) => {
        const failure = failureOf(folder) ?? assert.fail();
        assert.match(failure, /given twice/);
        assert.doesNotMatch(failure, /MARKER|marker/);
      });
    }
  });
});

/** Every frame, spelling and marker, each with one other mistake before or behind it, in turn. */
function* textsWith(key: string): Generator<string> {
  let turn = 0;
  for (const frame of frames) {
    for (const spell of spellings) {
      for (const marker of markers) {
        const written = spell(key, marker);
        const other = beside[turn++ % beside.length] ?? "";
        if (other === "") yield frame(written);
        else yield frame(turn % 3 === 0 ? `${written}, ${other}` : `${other}, ${written}`);
      }
    }
  }
}

function failureOf(path: string, text?: string): string | undefined {
  try {
    if (text !== undefined) writeFileSync(path, text);
    loadConfiguration([path], { environment: {} });
    return undefined;
  } catch (error) {
    return shown(error);
  }
}
