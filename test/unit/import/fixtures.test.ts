/**
 * Whole files: what comes of those in test/import, word for word, and what is said of the faulty ones
 * beside them. To make the first anew, in that folder: `ipipoud import FILE.conf > FILE.yaml`.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { importOld } from "../../../src/cli/import.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";

/** From the compiled test up to the repository. */
const folder = new URL("../../../../test/import/", import.meta.url).pathname;

function namesIn(path: string): string[] {
  return readdirSync(path)
    .filter((name) => name.endsWith(".conf"))
    .sort();
}

/** Lines of what is said, without the folder; empty where it is fine. */
function complaints(files: readonly string[], args: readonly string[] = []): string[] {
  try {
    importOld({ files: files.map((name) => join(folder, name)), args });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message.replaceAll(folder, "").split("\n");
  }
}

describe("files of ipipou 0.1", () => {
  for (const name of namesIn(folder)) {
    it(name, () => {
      const { text } = importOld({ files: [join(folder, name)], args: [] });
      const expected = readFileSync(join(folder, name.replace(/conf$/, "yaml")), "utf8");
      assert.equal(text.replaceAll(folder, ""), expected);
    });
  }

  it("ten and more", () => assert.ok(namesIn(folder).length >= 10));
});

/** All lines that each draws. */
const faulty: Readonly<Record<string, readonly string[]>> = {
  "bare-client.conf": [
    "faulty/bare-client.conf:1: a client without a server (fou-remote): add `fou-remote`",
    "faulty/bare-client.conf:1: a client without an inner address (tunl-ip): add `tunl-ip`",
  ],
  "bytes.conf": ["faulty/bytes.conf: not UTF-8 text: save it as UTF-8"],
  "keygen.conf": [
    "faulty/keygen.conf:2: makes no tunnel (auth-keygen): remove it: here that is `ipipoud keygen` and `ipipoud pubkey`",
    "faulty/keygen.conf:3: makes no tunnel (reauth-only): remove it: here that is `ipipoud reauth`, beside the daemon",
  ],
  "long-name.conf": [
    "faulty/long-name.conf:4: 16 characters, an interface's name has at most 15 (tunl-dev): choose a shorter one",
  ],
  "many.conf": [
    "faulty/many.conf:3: not a whole number (number): write digits alone",
    "faulty/many.conf:4: not a whole number (keepalive): write digits alone",
    "faulty/many.conf:5: not an IPv4 address (fou-local-ip): write one such as 203.0.113.1, with nothing around it",
    "faulty/many.conf:6: may mean --auth-token or --auth-token-b64: write the whole name",
    "faulty/many.conf:7: not base64 (auth-remote-pubkey-b64): copy the whole text, its = at the end included",
    "faulty/many.conf:9: takes no value (reply-on-auth-ok): remove the value",
    "faulty/many.conf:10: a value that looks like an option (auth-secret): ipipou 0.1 does not take it either",
    "faulty/many.conf:11: a comment that does not begin in the first column: move it there",
    "faulty/many.conf:12: no space behind `fou-remote`: write the name, one space, the value",
    "faulty/many.conf:13: no option of ipipou 0.1: remove it",
    "faulty/many.conf:14: not base64 (auth-key-b64): copy the whole text, its = at the end included",
    "faulty/many.conf:15: may mean --version or --verb: write the whole name",
  ],
  "negative.conf": [
    "faulty/negative.conf:4: less than 0 (auth-max-time-discrepancy): 0, or as many seconds as clocks may differ",
  ],
  "no-device.conf": [
    "faulty/no-device.conf:1: neither an address nor a device to bind (fou-dev): add `fou-dev` or `fou-local-ip`",
  ],
  "no-pin.conf": [
    "faulty/no-pin.conf:1: no address to compare with (auth-by-remote-ip): add `fou-remote-ip`",
    "faulty/no-pin.conf:1: no port to compare with (auth-by-remote-port): add `fou-remote-port`",
  ],
  "ours.conf": [
    "faulty/ours.conf:3: 17 characters, an interface's name has at most 15 (tunl-dev): choose a shorter one",
  ],
  "pinned-lifetime.conf": [
    "faulty/pinned-lifetime.conf:6: a lifetime for the proof of a peer that we do not wait for (auth-lifetime): remove it, or write 0",
  ],
  "pinned-name.conf": [
    "faulty/pinned-name.conf:3: a name where the address is pinned (fou-remote): write the address: names are not followed for pinned peers yet",
  ],
  "ranges.conf": [
    "faulty/ranges.conf:2: not a queue's number (number): 0 to 65535",
    "faulty/ranges.conf:2: not a port (number): a port is 1 to 65535",
    "faulty/ranges.conf:4: not a port (fou-remote): 1 to 65535",
    "faulty/ranges.conf:5: no such type of key (auth-key-type): there is ed25519",
  ],
};

describe("files that can't be read exactly", () => {
  for (const name of namesIn(join(folder, "faulty"))) {
    it(name, () => assert.deepEqual(complaints([join("faulty", name)]), faulty[name]));
  }

  it("tells of all that are named, and shows no secret", () => {
    const names = namesIn(join(folder, "faulty")).map((name) => join("faulty", name));
    const lines = complaints(names);
    for (const name of names)
      assert.ok(
        lines.some((line) => line.startsWith(`${name}:`)),
        name,
      );
    assert.doesNotMatch(lines.join("\n"), /hush|c2hvcnQ|eQYNhD/);
  });
});
