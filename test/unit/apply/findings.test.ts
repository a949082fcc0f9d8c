import assert from "node:assert/strict";
import { test } from "node:test";
import { findingsOf } from "../../../src/apply/findings.ts";
import type { Observation } from "../../../src/apply/observation.ts";
import {
  configuration,
  dialled,
  known,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";
import { devices } from "../../support/devices.ts";

const nothing: Observation = {
  ...{ devices: devices(), links: [], addresses: [], routes: [], listeners: [], resources: [] },
  ...{ proxies: [], sysctls: new Map() },
  ruleset: { kind: "absent" },
};

/** Codes of what is found on a host that has nothing. */
function found(allowedIPs: readonly string[], endpoint?: string): string[] {
  const config = configuration([
    tunnel("t", [dialled("hub", { allowedIPs: allowedIPs.map(prefix) })]),
  ]);
  const endpoints = endpoint === undefined ? {} : { "t/hub": known(endpoint) };
  return findingsOf(config, nothing, situation(config, endpoints)).map(({ code }) => code);
}

test("outer packets that would go into their own tunnel", () => {
  const loops = (allowed: string[], endpoint?: string) =>
    found(allowed, endpoint).includes("outer-loop");
  assert.equal(loops(["0.0.0.0/1", "128.0.0.0/1"], "198.51.100.1:1"), true);
  assert.equal(loops(["198.51.100.0/24"], "198.51.100.1:1"), true);
  assert.equal(loops(["10.0.0.0/8"], "198.51.100.1:1"), false);
  assert.equal(loops(["0.0.0.0/0"], "198.51.100.1:1"), false, "has rules of its own");
  assert.equal(loops(["0.0.0.0/0", "198.0.0.0/8"], "198.51.100.1:1"), true);
  assert.equal(loops(["0.0.0.0/1", "128.0.0.0/1"]), false, "not known yet");
});

test("a hub of many peers is looked through once, not once for each of them", () => {
  const many = Array.from({ length: 20_000 }, (_, i) =>
    dialled(`p${i}`, { allowedIPs: [prefix(`10.${i >> 8}.${i & 255}.1/32`)] }),
  );
  const config = configuration([tunnel("t", many)]);
  const endpoints = Object.fromEntries(many.map(({ name }) => [`t/${name}`, known("192.0.2.1:1")]));
  const situated = situation(config, endpoints);
  const since = process.cpuUsage();
  findingsOf(config, nothing, situated);
  const { user } = process.cpuUsage(since);
  assert.ok(user < 2_000_000, `${user} µs of CPU`);
});
