import assert from "node:assert/strict";
import { test } from "node:test";
import type { Move } from "../../../src/apply/applier.ts";
import { inRounds } from "../../../src/apply/rounds.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import { known, peer, tunnel } from "../../support/configuration.ts";

const X = "198.51.100.2";
const Y = "198.51.100.9";
const hub = tunnel("h", [peer("a"), peer("b"), peer("c")]);

const plain = (text: string): KnownEndpoint => known(text);
const translated = (text: string): KnownEndpoint => ({ ...known(text), translated: true });

function move(name: string, before?: KnownEndpoint, after?: KnownEndpoint, of = hub): Move {
  return { tunnel: of, peer: peer(name), before, after };
}

/** `a 198.51.100.2:1 > -` */
function said(moves: readonly Move[]): string[] {
  const word = (end: KnownEndpoint | undefined): string => {
    if (end === undefined) return "-";
    return `${end.endpoint.address}:${end.endpoint.port}${end.translated ? "!" : ""}`;
  };
  return moves.map((m) => `${m.peer.name} ${word(m.before)} > ${word(m.after)}`);
}

function rounds(...moves: readonly Move[]): [string[], string[]] {
  const { first, second } = inRounds(moves);
  return [said(first), said(second)];
}

test("those that are in nobody's way go together", () => {
  assert.deepEqual(rounds(move("a", undefined, plain(`${X}:1`)), move("b", plain(`${Y}:1`))), [
    [`a - > ${X}:1`, `b ${Y}:1 > -`],
    [],
  ]);
  const port = move("a", plain(`${X}:1`), plain(`${X}:2`));
  assert.deepEqual(rounds(port, move("b", undefined, translated(`${X}:3`))), [
    [`a ${X}:1 > ${X}:2`, `b - > ${X}:3!`],
    [],
  ]);
});

test("who moves up goes after the one that left, and on its old way until then", () => {
  const heir = move("b", translated(`${X}:2`), plain(`${X}:2`));
  assert.deepEqual(rounds(heir, move("a", plain(`${X}:1`), plain(`${Y}:1`))), [
    [`a ${X}:1 > ${Y}:1`],
    [`b ${X}:2! > ${X}:2`],
  ]);
});

test("who comes to where another leaves waits with nothing, wherever it came from", () => {
  const a = move("a", plain(`${X}:1`), plain(`${Y}:1`));
  const b = move("b", plain(`${Y}:2`), plain(`${X}:2`));
  assert.deepEqual(rounds(a, b), [
    [`a ${X}:1 > -`, `b ${Y}:2 > -`],
    [`a - > ${Y}:1`, `b - > ${X}:2`],
  ]);
});

test("a direct tunnel makes room before another comes", () => {
  const direct = tunnel("d", [peer("a")]);
  const { room, first } = inRounds([
    move("a", undefined, plain(`${X}:3`)),
    move("a", plain(`${X}:1`), translated(`${X}:1`), direct),
    move("a", translated(`${Y}:1`), plain(`${X}:1`), direct),
  ]);
  assert.deepEqual(said(room), [`a ${X}:1 > ${X}:1!`]);
  assert.deepEqual(said(first), [`a - > ${X}:3`, `a ${Y}:1! > ${X}:1`]);
});

test("other tunnels' addresses are no matter", () => {
  const other = tunnel("i", [peer("a"), peer("b")]);
  const direct = tunnel("d", [peer("a")]);
  const all = [
    move("a", plain(`${X}:1`), plain(`${Y}:1`)),
    move("b", undefined, plain(`${X}:2`), other),
    move("a", undefined, plain(`${X}:3`), direct),
  ];
  assert.equal(inRounds(all).second.length, 0);
});
