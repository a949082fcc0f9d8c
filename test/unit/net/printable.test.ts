import assert from "node:assert/strict";
import { test } from "node:test";
import { renderEvent } from "../../../src/cli/events.ts";
import { Complaint } from "../../../src/config/complaint.ts";
import { readHosts } from "../../../src/config/hosts.ts";
import { printable, quoted } from "../../../src/net/printable.ts";

/** ESC, CSI as one character, a change of direction, the end of a line and of a paragraph. */
const tricks = "\u001b[2J\u009b2J\u202e\n\u2029";

test("nothing of others drives a terminal or begins a line", () => {
  assert.equal(printable(`a${tricks}`), "a\\u{1b}[2J\\u{9b}2J\\u{202e}\\u{a}\\u{2029}");
  assert.equal(quoted("abc", 2), '"ab"');
});

test("what a directory calls its nodes is spelled out", () => {
  const refused = readHosts(JSON.stringify({ nodes: { [tricks]: {} } }));
  assert.ok(refused instanceof Complaint);
  assert.doesNotMatch(refused.what, /\p{Cc}|\p{Cf}/u);
});

test("an event is one line, whatever it says", () => {
  const event = { time: "2026-01-01T00:00:00Z", event: "failed", tunnel: "t", peer: null };
  const line = renderEvent({ ...event, endpoint: null, reason: tricks });
  assert.doesNotMatch(line, /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u);
});
