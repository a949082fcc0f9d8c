import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, TunnelConfig } from "../../../src/config/model.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { diff } from "../../../src/plan/diff.ts";
import { translatedTunnels } from "../../../src/plan/form.ts";
import { assignIds, idOf, placeholder } from "../../../src/plan/ids.ts";
import { claimOf, Places } from "../../../src/plan/places.ts";
import { keyOf, type Resource } from "../../../src/plan/resources.ts";
import { leaveDown } from "../../../src/plan/settle.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import type { Step } from "../../../src/plan/step.ts";
import {
  at,
  configuration,
  dialled,
  inner,
  known,
  listen,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";
import { ModelKernel } from "../../support/model-kernel.ts";
import { pick, type Random, random } from "../../support/random.ts";

type Endpoints = Record<string, KnownEndpoint>;

function desired(config: Configuration, endpoints: Endpoints = {}): readonly Resource[] {
  return desiredState(config, situation(config, endpoints)).resources;
}

const short = ({ action, resource }: Step): string => `${action} ${resource.object}`;

/** Applies the steps to a kernel that holds `observed`; gives them. */
function carriedOut(wanted: readonly Resource[], observed: readonly Resource[]): Step[] {
  const kernel = new ModelKernel(observed);
  const steps = diff(wanted, observed);
  kernel.apply(steps);
  assert.deepEqual(byKey(kernel.objects), byKey(wanted));
  return steps;
}

function byKey(resources: readonly Resource[]): object {
  const entries = resources.map((r) => [keyOf(r), r.spec] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const allowed = (text: string) => ({ allowedIPs: [prefix(text)] });
const direct = (over: Partial<TunnelConfig> = {}) =>
  configuration([tunnel("d", [peer("p", allowed("10.7.0.0/16"))], over)]);
const hub = (over: Partial<TunnelConfig> = {}) =>
  configuration([
    tunnel("h", [peer("p", allowed("172.28.0.2/32")), peer("q", allowed("172.28.0.3/32"))], {
      addresses: [inner("172.28.0.1/24")],
      ...over,
    }),
  ]);

test("nothing differs: nothing to do", () => {
  for (const config of [direct(), hub()])
    assert.deepEqual(diff(desired(config), desired(config)), []);
});

test("a direct peer's roam: the listener goes, the device changes, the listener comes", () => {
  const steps = carriedOut(
    desired(direct(), { "d/p": known("198.51.100.2:1") }),
    desired(direct(), { "d/p": known("198.51.100.9:2") }),
  );
  assert.deepEqual(steps.map(short), ["remove fou", "change link", "add fou"]);
});

test("a roam to another port of the same address is no less", () => {
  const steps = carriedOut(
    desired(direct(), { "d/p": known("198.51.100.2:1") }),
    desired(direct(), { "d/p": known("198.51.100.2:2") }),
  );
  assert.deepEqual(steps.map(short), ["remove fou", "change link", "add fou"]);
});

test("a hub's peer roams, proves itself, expires: one nexthop changes", () => {
  const [none, here, there] = [
    {},
    { "h/p": known("198.51.100.2:1") },
    { "h/p": known("198.51.100.3:1") },
  ];
  for (const [to, from] of [
    [there, here],
    [here, none],
    [none, here],
  ] as [Endpoints, Endpoints][]) {
    const steps = carriedOut(desired(hub(), to), desired(hub(), from));
    assert.deepEqual(steps.map(short), ["change nexthop"]);
  }
});

test("guards come first and go last", () => {
  const all = desired(hub(), { "h/p": known("198.51.100.2:1") });
  const start = carriedOut(all, []);
  const stop = carriedOut([], all);
  const isGuard = ({ resource: { object, spec } }: Step) =>
    object === "route" && spec.type !== "unicast";
  const guards = all.filter(({ object, spec }) => object === "route" && spec.type !== "unicast");
  assert.equal(guards.length, 4);
  assert.ok(start.slice(0, 4).every(isGuard));
  assert.ok(stop.slice(-4).every(isGuard));
  assert.deepEqual(
    [...new Set(start.slice(4).map(short))],
    ["add link", "add address", "add fou", "add nexthop", "add route"],
  );
});

test("at the end, what goes with its device is not removed by messages of ours", () => {
  const steps = carriedOut([], desired(hub(), { "h/p": known("198.51.100.2:1") }));
  // The other peer's nexthop is a blackhole: it stands on no device, and its route goes with it.
  assert.deepEqual(
    steps.map(short).filter((s) => s !== "remove route"),
    ["remove nexthop", "remove fou", "remove link"],
  );
});

test("from one remote to any and back: the device is made anew, with everything on it", () => {
  const single = configuration([
    tunnel("h", [peer("p", allowed("172.28.0.2/32"))], { addresses: [inner("172.28.0.1/24")] }),
  ]);
  const endpoints = { "h/p": known("198.51.100.2:1") };
  const toHub = carriedOut(desired(hub(), endpoints), desired(single, endpoints));
  assert.ok(toHub.some((s) => short(s) === "remove link"));
  assert.ok(toHub.some((s) => short(s) === "add address"));
  carriedOut(desired(single, endpoints), desired(hub(), endpoints));
});

test("a hub's interface is renamed: nexthops and routes come again on the new one", () => {
  const endpoints = { "h/p": known("198.51.100.2:1"), "h/q": known("198.51.100.3:1") };
  const steps = carriedOut(
    desired(hub({ interface: "new0" }), endpoints),
    desired(hub(), endpoints),
  );
  assert.equal(steps.filter((s) => short(s) === "add nexthop").length, 2);
});

test("a device's last address changes: the routes that the kernel flushes come again", () => {
  const steps = carriedOut(
    desired(direct({ addresses: [inner("172.28.0.5/24")] })),
    desired(direct({ addresses: [inner("172.28.0.1/24")] })),
  );
  assert.deepEqual(steps.map(short), ["remove address", "add address", "change route"]);
  const kept = [inner("172.29.0.1/24")];
  const more = carriedOut(
    desired(direct({ addresses: [...kept, inner("172.28.0.5/24")] })),
    desired(direct({ addresses: [...kept, inner("172.28.0.1/24")] })),
  );
  assert.deepEqual(more.map(short), ["remove address", "add address"]);
});

/** Direct tunnels on one address, each with its own port and peer. */
function several(names: string): Configuration {
  return configuration(
    [...names].map((name, i) =>
      tunnel(name, [peer("p")], { listen: listen("203.0.113.1", 10_000 + i) }),
    ),
  );
}

test("a tunnel takes the address that another has just left, in whatever order they stand", () => {
  for (const names of ["ab", "ba"]) {
    const steps = carriedOut(
      desired(several(names), { "a/p": known("198.51.100.1:1"), "b/p": known("198.51.100.3:1") }),
      desired(several(names), { "a/p": known("198.51.100.2:1"), "b/p": known("198.51.100.1:1") }),
    );
    assert.equal(steps.filter((s) => short(s) === "change link").length, 2);
  }
});

test("tunnels that swap addresses in a ring: one steps aside", () => {
  const from = {
    "a/p": known("198.51.100.1:1"),
    "b/p": known("198.51.100.2:1"),
    "c/p": known("198.51.100.3:1"),
  };
  const to = {
    "a/p": known("198.51.100.2:1"),
    "b/p": known("198.51.100.3:1"),
    "c/p": known("198.51.100.1:1"),
  };
  const steps = carriedOut(desired(several("abc"), to), desired(several("abc"), from));
  assert.equal(steps.filter((s) => short(s) === "change link").length, 4);
});

test("a new tunnel takes the address that an older one leaves", () => {
  carriedOut(
    desired(several("ba"), { "a/p": known("198.51.100.2:1"), "b/p": known("198.51.100.1:1") }),
    desired(several("ba"), { "a/p": known("198.51.100.1:1") }).filter((r) => r.tunnel !== "b"),
  );
});

test("a device that someone has taken down stays so, and waits for what needs it up", () => {
  const all = desired(hub(), { "h/p": known("198.51.100.2:1") });
  const settled = leaveDown(all, new Set(["h"]));
  const link = settled.find(({ object }) => object === "link");
  assert.ok(link?.object === "link" && !link.spec.up);
  assert.equal(settled.filter(({ object }) => object === "nexthop").length, 1, "the blackhole");
  const routes = settled.filter((r) => r.object === "route" && r.spec.type === "unicast");
  assert.equal(routes.length, 1, "the one by the blackhole");
  assert.deepEqual(leaveDown(all, new Set()), all);
  const one = leaveDown(desired(direct()), new Set(["d"]));
  assert.ok(!one.some((r) => r.object === "route" && r.spec.type === "unicast"));
  carriedOut(all, settled);
});

test("from any state to any other: the steps are never refused and lead to what is wanted", () => {
  const chance = random(20_260_101);
  for (let i = 0; i < 3000; i++) {
    const kernel = new ModelKernel(randomDesired(chance));
    // Someone else has been here too.
    for (let n = chance(4); n > 0 && kernel.objects.length > 0; n--) {
      const resource = pick(chance, kernel.objects);
      kernel.apply([{ action: "remove", resource, previous: resource }]);
    }
    const observed = kernel.objects.map((r): Resource => {
      const down = r.object === "link" && chance(6) === 0;
      return down ? { ...r, spec: { ...r.spec, up: false } } : r;
    });
    const wanted = chance(12) === 0 ? [] : randomDesired(chance);
    try {
      carriedOut(wanted, observed);
      assert.deepEqual(diff(wanted, wanted), []);
    } catch (error) {
      throw new Error(`case ${i}`, { cause: error });
    }
  }
});

/** Up to four tunnels of every form; no two objects that one kernel can't hold together. */
function randomDesired(chance: Random): readonly Resource[] {
  const prefixes = shuffled(chance, [
    "10.1.0.0/16",
    "10.2.0.0/16",
    "10.3.0.0/16",
    "10.4.0.0/16",
    "172.28.0.2/32",
    "172.28.0.3/32",
    "172.28.1.0/24",
    "0.0.0.0/0",
  ]);
  const ends: { key: string; text: string }[] = [];
  const tunnels = shuffled(chance, ["a", "b", "c", "d"])
    .slice(0, chance(5))
    .map((name, i) => {
      const local = pick(chance, ["203.0.113.1", "203.0.113.2", undefined]);
      const many = chance(2) === 0;
      const peers = (many ? ["p", "q", "r"].slice(0, 2 + chance(2)) : ["p"]).map((who) => {
        const text = `198.51.100.${1 + chance(4)}:${1 + chance(3)}`;
        if (chance(3) > 0) ends.push({ key: `${name}/${who}`, text });
        const own = prefixes.splice(0, chance(3)).map(prefix);
        return chance(2) === 0 ? peer(who, { allowedIPs: own }) : dialled(who, { allowedIPs: own });
      });
      return tunnel(name, peers, {
        interface: chance(4) === 0 ? `${name}0` : name,
        addresses: [`172.28.0.${chance(3) + 1}/24`, `172.29.${i}.1/32`]
          .slice(0, chance(3))
          .map(inner),
        listen: listen(local, 10_000 + i),
        mtu: pick(chance, [undefined, 1400]),
      });
    });
  const config = configuration(tunnels);
  return desired(config, placed(config, shuffled(chance, ends)));
}

/** In the forms that they get if they come in this order. */
function placed(
  config: Configuration,
  ends: readonly { readonly key: string; readonly text: string }[],
): Endpoints {
  const ids = assignIds(config);
  const outside = situation(config);
  const translated = translatedTunnels(config.tunnels, outside);
  const places = new Places();
  const arrived: { key: string; text: string }[] = [];
  for (const { key, text } of ends) {
    const of = config.tunnels.find(({ name }) => key.startsWith(`${name}/`)) ?? assert.fail(key);
    const one = of.peers.find(({ name }) => key.endsWith(`/${name}`)) ?? assert.fail(key);
    const outer = outside.underlays.get(of.name)?.local;
    const own = outer === undefined || translated.has(of.name);
    const local = own ? placeholder(idOf(ids, of.name)) : outer;
    places.take(
      claimOf({ tunnel: of, peer: one, key, local, endpoint: at(text), stays: false }, []),
    );
    arrived.push({ key, text });
  }
  return Object.fromEntries(
    arrived.flatMap(({ key, text }) => {
      const standing = places.standing(key);
      return standing === undefined ? [] : [[key, { ...known(text), ...standing }]];
    }),
  );
}

function shuffled<T>(chance: Random, from: readonly T[]): T[] {
  return from
    .map((value) => ({ value, at: chance(1 << 20) }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
