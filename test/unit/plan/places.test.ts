import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import { type Claim, Places } from "../../../src/plan/places.ts";
import { at } from "../../support/configuration.ts";

const LOCAL = ipAddress("203.0.113.1");
const X = "198.51.100.2";
const Y = "198.51.100.9";

/** Peers `h/…` are a hub's, others have tunnels of their own. */
function claim(key: string, to: string, over: Partial<Claim> = {}): Claim {
  return {
    key,
    form: key.startsWith("h/") ? "hub" : "direct",
    local: LOCAL,
    endpoint: at(to),
    exact: true,
    plain: false,
    foreign: false,
    stays: false,
    ...over,
  };
}

function world() {
  const places = new Places();
  const take = (key: string, to: string, over?: Partial<Claim>) =>
    places.take(claim(key, to, over));
  const forms = (...keys: string[]) =>
    keys.map((key) => {
      const standing = places.standing(key);
      if (standing === undefined) return "-";
      return `${standing.translated ? "translated" : "plain"}${standing.second ? " second" : ""}`;
    });
  return { places, take, forms };
}

test("who comes first has the address to himself, who comes later is translated, and the first stays", () => {
  const { take, forms } = world();
  assert.deepEqual(take("h/a", `${X}:1`).changed, []);
  assert.deepEqual(take("h/b", `${X}:2`).changed, []);
  assert.deepEqual(take("h/c", `${Y}:2`).changed, []);
  assert.deepEqual(forms("h/a", "h/b", "h/c"), ["plain", "translated", "plain"]);
});

test("hub: when the first goes, the next moves up, and only that one", () => {
  for (const go of ["leaves", "roams"]) {
    const { places, take, forms } = world();
    for (const [i, key] of ["h/a", "h/b", "h/c"].entries()) take(key, `${X}:${i + 1}`);
    const changed = go === "leaves" ? places.leave("h/a") : take("h/a", `${Y}:1`).changed;
    assert.deepEqual(changed, ["h/b"]);
    assert.deepEqual(forms("h/b", "h/c"), ["plain", "translated"]);
  }
});

test("hub: when a later one goes, nobody moves", () => {
  const { places, take, forms } = world();
  for (const [i, key] of ["h/a", "h/b", "h/c"].entries()) take(key, `${X}:${i + 1}`);
  assert.deepEqual(places.leave("h/b"), []);
  assert.deepEqual(forms("h/a", "h/b", "h/c"), ["plain", "-", "translated"]);
});

test("another port at the same address: each keeps its form", () => {
  const { take, forms } = world();
  take("h/a", `${X}:1`);
  take("h/b", `${X}:2`);
  assert.deepEqual(take("h/a", `${X}:3`).changed, []);
  assert.deepEqual(take("h/b", `${X}:4`).changed, []);
  assert.deepEqual(forms("h/a", "h/b"), ["plain", "translated"]);
});

test("who comes back finds the address taken", () => {
  const { take, forms } = world();
  take("h/a", `${X}:1`);
  take("h/b", `${X}:2`);
  take("h/a", `${Y}:1`);
  assert.deepEqual(take("h/a", `${X}:1`).changed, []);
  assert.deepEqual(forms("h/a", "h/b"), ["translated", "plain"]);
});

test("the same again changes nothing", () => {
  const { take, forms } = world();
  take("h/a", `${X}:1`);
  take("h/b", `${X}:1`);
  assert.deepEqual(take("h/a", `${X}:1`), {
    standing: { translated: false, second: false },
    changed: [],
    displaced: [],
  });
  assert.deepEqual(forms("h/a", "h/b"), ["plain", "translated second"]);
});

test("direct: the second at an address is translated until it moves itself, whatever the first does", () => {
  const { places, take, forms } = world();
  take("a/p", `${X}:1`);
  take("b/p", `${X}:1`);
  assert.deepEqual(forms("a/p", "b/p"), ["plain", "translated"]);
  assert.deepEqual(places.leave("a/p"), []);
  assert.deepEqual(forms("b/p"), ["translated"]);
  take("c/p", `${X}:7`);
  assert.deepEqual(forms("c/p"), ["plain"], "the place was free");
  take("b/p", `${Y}:1`);
  assert.deepEqual(forms("b/p"), ["plain"]);
});

test("a direct tunnel makes room for a hub's peer, which its device would starve", () => {
  const { places, take, forms } = world();
  take("a/p", `${X}:1`);
  take("b/p", `${X}:2`);
  assert.deepEqual(take("h/a", `${X}:3`).changed, ["a/p"]);
  assert.deepEqual(take("h/b", `${X}:4`).changed, []);
  assert.deepEqual(forms("a/p", "b/p", "h/a", "h/b"), [
    ...["translated", "translated", "plain", "translated"],
  ]);
  assert.deepEqual(places.leave("h/a"), ["h/b"]);
  assert.deepEqual(places.leave("h/b"), []);
  assert.deepEqual(forms("a/p", "b/p"), ["translated", "translated"]);
  take("h/c", `${Y}:4`);
  take("a/p", `${Y}:1`);
  take("b/p", `${X}:9`);
  assert.deepEqual(forms("a/p", "b/p", "h/c"), ["translated", "plain", "plain"]);
});

test("direct: what a dead daemon had translated stays so, a hub's peer moves up", () => {
  const { take, forms } = world();
  take("a/p", `${X}:1`, { stays: true });
  take("h/a", `${Y}:1`, { stays: true });
  assert.deepEqual(forms("a/p", "h/a"), ["translated", "plain"]);
});

test("an address that a device of somebody else has", () => {
  const { take, forms } = world();
  take("a/p", `${X}:1`, { foreign: true });
  take("b/p", `${X}:1`, { foreign: true });
  assert.deepEqual(forms("a/p", "b/p"), ["translated", "translated"]);
  take("a/p", `${Y}:1`);
  assert.deepEqual(forms("a/p", "b/p"), ["plain", "translated"]);
});

test("two outer addresses of ours are two places", () => {
  const { take, forms } = world();
  take("a/p", `${X}:1`);
  take("b/p", `${X}:1`, { local: ipAddress("203.0.113.2") });
  assert.deepEqual(forms("a/p", "b/p"), ["plain", "plain"]);
});

test("one endpoint for two: the first has what an endpoint has once, and leaves it to the next", () => {
  const { places, take, forms } = world();
  take("h/a", `${X}:1`);
  take("h/b", `${X}:1`);
  take("h/c", `${X}:1`);
  assert.deepEqual(forms("h/a", "h/b", "h/c"), ["plain", "translated second", "translated second"]);
  assert.deepEqual(new Set(places.leave("h/a")), new Set(["h/b"]));
  assert.deepEqual(forms("h/b", "h/c"), ["plain", "translated second"]);
  assert.deepEqual(places.leave("h/c"), []);
});

test("one endpoint for two that can't be told apart: the later one has it", () => {
  const { take, forms } = world();
  take("h/a", `${X}:1`, { exact: false });
  take("h/b", `${X}:2`);
  const { displaced, changed, standing } = take("h/c", `${X}:1`, { exact: false });
  assert.deepEqual([displaced, changed], [["h/a"], ["h/b"]]);
  assert.deepEqual(standing, { translated: true, second: false });
  assert.deepEqual(forms("h/a", "h/b"), ["-", "plain"]);
  const beside = take("h/d", `${X}:1`);
  assert.deepEqual(beside.displaced, [], "one with single addresses can be told apart");
});

test("without UDP: everybody else makes room, whoever came first", () => {
  const plain = { plain: true };
  const { take, forms } = world();
  take("d/p", `${X}:1`);
  assert.deepEqual(take("i/p", `${X}:0`, plain).changed, ["d/p"]);
  assert.deepEqual(forms("d/p", "i/p"), ["translated", "plain"]);
  take("e/p", `${X}:2`);
  assert.deepEqual(forms("e/p", "i/p"), ["translated", "plain"]);
  take("i/p", `${Y}:0`, plain);
  assert.deepEqual(forms("i/p"), ["plain"]);
});
