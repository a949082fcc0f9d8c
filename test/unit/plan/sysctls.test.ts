/** What is written over, remembered and put back, whatever others do meanwhile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memoryObjects, rememberedIn } from "../../../src/apply/nftables/memory.ts";
import {
  IP_FORWARD,
  planSysctls,
  type Remembered,
  revertSysctls,
  type Sysctls,
  wantedSysctls,
} from "../../../src/plan/sysctls.ts";
import { peer, prefix, tunnel } from "../../support/configuration.ts";

const REDIRECTS = "net/ipv4/conf/all/accept_redirects";
const OWN = "net/ipv4/conf/t/rp_filter";
const nobody = new Set<string>();

interface Host {
  values: Map<string, string>;
  remembered: readonly Remembered[];
}

const host = (values: Record<string, string>): Host => ({
  values: new Map(Object.entries(values)),
  remembered: [],
});

const forwarding = wantedSysctls([tunnel("t", [peer("p")], { forwarding: true })]);
const loose = wantedSysctls([
  tunnel("t", [peer("p")], {
    rules: [
      { from: prefix("10.0.0.1/32"), to: undefined, fwmark: undefined, table: 7, priority: 9 },
    ],
  }),
]);

/** Plans and carries out, as the kernel would. */
function plan(on: Host, wanted: Sysctls["wanted"], over: Partial<Sysctls> = {}): string[] {
  const { steps, remembered } = planSysctls({
    ...on,
    ...{ wanted, made: nobody, gone: nobody },
    ...over,
  });
  for (const { resource } of steps) {
    if (resource.object !== "sysctl") continue;
    const { name, value } = resource.spec;
    on.values.set(name, value);
    if (name !== IP_FORWARD) continue;
    on.values.set(REDIRECTS, value === "1" ? "0" : "1");
    for (const one of on.values.keys()) {
      if (one.endsWith("/forwarding")) on.values.set(one, value);
    }
  }
  on.remembered = remembered;
  return steps.map(({ resource }) =>
    resource.object === "sysctl" ? `${resource.spec.name}=${resource.spec.value}` : "",
  );
}

describe("IP forwarding", () => {
  test("on, and off again at the stop", () => {
    const on = host({ [IP_FORWARD]: "0", [REDIRECTS]: "1" });
    assert.deepEqual(plan(on, forwarding), [`${IP_FORWARD}=1`]);
    assert.deepEqual(plan(on, forwarding), [], "once");
    assert.deepEqual(plan(on, []), [`${IP_FORWARD}=0`]);
    assert.deepEqual(on.remembered, []);
  });

  test("on already: nobody's business", () => {
    const on = host({ [IP_FORWARD]: "1" });
    assert.deepEqual(plan(on, forwarding), []);
    assert.deepEqual(plan(on, []), []);
  });

  test("changed by somebody since: it stays", () => {
    const on = host({ [IP_FORWARD]: "0" });
    plan(on, forwarding);
    on.values.set(IP_FORWARD, "0");
    assert.deepEqual(plan(on, []), []);
  });

  test("what the kernel changes along with it comes back too", () => {
    const odd = { [REDIRECTS]: "0", "net/ipv4/conf/eth0/forwarding": "1" };
    const usual = { "net/ipv4/conf/eth1/forwarding": "0" };
    const on = host({ [IP_FORWARD]: "0", ...odd, ...usual });
    plan(on, forwarding);
    assert.equal(on.values.get("net/ipv4/conf/eth1/forwarding"), "1");
    plan(on, forwarding);
    plan(on, []);
    assert.deepEqual(Object.fromEntries(on.values), { [IP_FORWARD]: "0", ...odd, ...usual });
  });

  test("a start that fails goes back", () => {
    const on = host({ [IP_FORWARD]: "0", [REDIRECTS]: "0" });
    const earlier = { values: new Map(on.values), remembered: on.remembered };
    plan(on, forwarding);
    const steps = revertSysctls(earlier, on).map(({ resource }) =>
      resource.object === "sysctl" ? `${resource.spec.name}=${resource.spec.value}` : "",
    );
    assert.deepEqual(steps, [`${IP_FORWARD}=0`, `${REDIRECTS}=0`]);
    assert.deepEqual(revertSysctls(on, on), []);
  });
});

describe("the filter of a device with a routing table of its own", () => {
  const values = (all: string, own: string) => ({
    "net/ipv4/conf/all/rp_filter": all,
    "net/ipv4/conf/default/rp_filter": own,
  });

  test("loose where it would be strict", () => {
    const made = new Set(["t"]);
    const names = (all: string, own: string) => plan(host(values(all, own)), loose, { made });
    assert.deepEqual(names("0", "0"), []);
    assert.deepEqual(names("1", "0"), [`${OWN}=2`]);
    assert.deepEqual(names("0", "1"), [`${OWN}=2`]);
    assert.deepEqual(names("2", "1"), []);
  });

  test("goes with the device, or back when nobody wants it", () => {
    const on = host({ ...values("1", "0"), [OWN]: "0" });
    plan(on, loose);
    const kept = { ...on, values: new Map(on.values) };
    assert.deepEqual(plan(on, [], { gone: new Set(["t"]) }), []);
    assert.deepEqual(plan(kept, []), [`${OWN}=0`]);
  });

  test("a device made anew begins with the defaults", () => {
    const on = host({ ...values("1", "0"), [OWN]: "0" });
    plan(on, loose);
    assert.deepEqual(plan(on, loose, { made: new Set(["t"]) }), [`${OWN}=2`]);
  });

  test("one that is not there has none", () => {
    assert.deepEqual(plan(host(values("1", "1")), loose), []);
  });
});

test("is kept in our table, and read back", () => {
  const remembered = [
    { name: IP_FORWARD, is: "1", was: "0" },
    { name: "net/ipv4/conf/eth0.1+x/forwarding", is: "1", was: "1" },
  ];
  const objects = memoryObjects(remembered);
  assert.deepEqual(rememberedIn(objects), remembered);
  assert.equal(objects[0]?.name, "sysctl-net.ipv4.ip_forward");
  const foreign = objects.map((chain) => ({
    ...chain,
    rules: [{ expressions: [], comment: "x" }],
  }));
  assert.deepEqual(rememberedIn(foreign), []);
  const moved = objects.map((chain) => ({ ...chain, name: "sysctl-other" }));
  assert.deepEqual(rememberedIn(moved), []);
});
