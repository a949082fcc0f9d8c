import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Namespace } from "../support/netns.ts";

describe("notifications", () => {
  let ns: Namespace;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
  });
  after(() => ns.close());

  test("tell of each change, and a socket that is too small of its loss", async () => {
    const index = (await ns.devices()).index("d0") ?? assert.fail();
    const script = new URL("../support/netns-events.js", import.meta.url);
    const told = (await ns.script(script, `${index}`)) as {
      refused: number;
      flips: string[];
      losses: number;
    };
    assert.equal(told.refused, 0);
    assert.ok(!told.flips.includes("loss"));
    const ups = told.flips.filter((state) => state === "up").length;
    assert.equal(ups, 50);
    assert.equal(told.flips.at(-1), "gone");
    assert.ok(told.losses > 0);
  });
});
