import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaint } from "../../../src/config/complaint.ts";
import { readHosts, writeHosts } from "../../../src/config/hosts.ts";

const nodes = (inner: string): string => `{"nodes": {${inner}}}`;

function read(text: string): Record<string, unknown> | string {
  const result = readHosts(text);
  return result instanceof Complaint ? result.what : Object.fromEntries(result);
}

describe("a hosts file", () => {
  it("gives a host and a port for each inner address", () => {
    const text = nodes(
      '"192.168.100.1": {"host": "VPS1.example.org", "port": 7000}, "192.168.100.2": {"host": "198.51.100.2"}',
    );
    assert.deepEqual(read(text), {
      "192.168.100.1": { host: "vps1.example.org", port: 7000 },
      "192.168.100.2": { host: "198.51.100.2", port: 7777 },
    });
  });

  it("may be empty, and may say more than we read", () => {
    assert.deepEqual(read(nodes("")), {});
    const text = '{"version": 2, "nodes": {"192.168.100.1": {"host": "a.example", "zone": "x"}}}';
    assert.deepEqual(read(text), { "192.168.100.1": { host: "a.example", port: 7777 } });
  });

  it("is what is written of it", () => {
    const some = readHosts(nodes('"192.168.100.1": {"host": "a.example", "port": 1}'));
    assert.ok(!(some instanceof Complaint));
    assert.deepEqual(readHosts(writeHosts(some)), some);
  });

  for (const [what, text, complaint] of [
    ["nothing", "", "not valid JSON"],
    ["half a file", '{"nodes": {"192.168.100.1": {"ho', "not valid JSON"],
    ["a web page", "<html>please log in</html>", "a page of HTML, not JSON"],
    ["a list", "[]", "not a mapping"],
    ["no nodes", "{}", 'no mapping "nodes"'],
    ["nodes in a list", '{"nodes": []}', 'no mapping "nodes"'],
    ["a name", nodes('"vps1": {"host": "a"}'), 'node "vps1": not an IP address'],
    [
      "a broadcast address",
      nodes('"255.255.255.255": {"host": "a"}'),
      'node "255.255.255.255": 240.0.0.0/4 is not usable: ipipoud takes its placeholders from it',
    ],
    [
      "an IPv6 address",
      nodes('"2001:db8::1": {"host": "a"}'),
      'node "2001:db8::1": IPv6 is not supported yet by this version',
    ],
    ["no host", nodes('"192.168.100.1": {}'), 'node "192.168.100.1": no host'],
    [
      "a wrong address",
      nodes('"192.168.100.1": {"host": "300.1.1.1"}'),
      'node "192.168.100.1": not an IP address',
    ],
    [
      "a host with a space",
      nodes('"192.168.100.1": {"host": "a b"}'),
      'node "192.168.100.1": neither a host name nor an address',
    ],
    [
      "a port of 0",
      nodes('"192.168.100.1": {"host": "a", "port": 0}'),
      'node "192.168.100.1": not a port',
    ],
    [
      "a port in quotes",
      nodes('"192.168.100.1": {"host": "a", "port": "7777"}'),
      'node "192.168.100.1": a port that is no number',
    ],
    [
      "a name that would be a line of its own",
      nodes('"a\\nb": {"host": "a"}'),
      'node "a\\nb": not an IP address',
    ],
  ] as const) {
    it(`is refused as a whole for ${what}`, () => {
      assert.equal(read(text), complaint);
    });
  }

  it("has an end", () => {
    const many = Array.from(
      { length: 100_001 },
      (_, i) => `"10.${i >> 16}.${(i >> 8) & 255}.${i & 255}":{"host":"a"}`,
    );
    assert.equal(read(nodes(many.join())), "more than 100000 nodes");
  });
});
