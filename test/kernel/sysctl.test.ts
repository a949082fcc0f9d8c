import assert from "node:assert/strict";
import { release } from "node:os";
import { after, before, describe, test } from "node:test";
import { readSysctl } from "../../src/kernel/sysctl.ts";
import { Namespace } from "../support/netns.ts";

describe("kernel parameters", () => {
  let ns: Namespace;

  before(async () => {
    ns = await Namespace.create();
    // A name with a dot, which sysctl(8) would take for a separator.
    ns.run("ip", "link", "add", "name", "d0.1", "type", "veth", "peer", "name", "d1");
  });
  after(() => ns.close());

  test("are read", async () => {
    assert.equal(await readSysctl("kernel/osrelease"), release());
    assert.equal(await readSysctl("kernel/no_such_thing"), undefined);
  });

  test("are written, and belong to the namespace", async () => {
    const url = new URL("../support/netns-sysctl.js", import.meta.url);
    const result = (await ns.script(url)) as Record<string, unknown>;
    assert.deepEqual(
      { ...result, before: "" },
      { before: "", after: "2", absent: null, refused: "EINVAL" },
    );
    assert.match(String(result["before"]), /^[012]$/);
    assert.equal(ns.run("cat", "/proc/sys/net/ipv4/conf/d0.1/rp_filter").trim(), "2");
  });
});
