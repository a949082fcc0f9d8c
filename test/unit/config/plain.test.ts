/** Tunnels without UDP: what they take, and what says that there must be some. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { complaints, load } from "./files.ts";

const HOST = "endpoint: 198.51.100.2, auth: none, allowedIPs: [10.0.0.2/32]";

const plain = (peer: string, ...lines: string[]) =>
  `tunnels:\n  t:\n    encapsulation: none\n    peers: { p: { ${peer} } }\n${lines.map((line) => `    ${line}\n`).join("")}`;

describe("without UDP", () => {
  it("one peer is simply there, at its address", () => {
    const { tunnels } = load({ "a.yaml": plain(HOST, "tos: inherit", "ttl: 64") });
    const [tunnel] = tunnels;
    assert.ok(tunnel);
    const { encapsulation, tos, ttl, pathMtuDiscovery, listen } = tunnel;
    assert.deepEqual(
      { encapsulation, tos, ttl, pathMtuDiscovery, port: listen.port },
      { encapsulation: "none", tos: 1, ttl: 64, pathMtuDiscovery: true, port: undefined },
    );
    const [peer] = tunnel.peers;
    assert.ok(peer);
    assert.deepEqual(peer.endpoint, { host: "198.51.100.2", port: 0 });
    assert.equal(peer.role, "static");
    assert.ok(peer.pinAddress && peer.pinPort);
    assert.equal(peer.proof.kind, "none");
  });

  it("a name is looked up, and `auth: none` goes without saying", () => {
    const { tunnels } = load({ "a.yaml": plain("endpoint: office.example.net") });
    assert.equal(tunnels[0]?.peers[0]?.endpoint?.host, "office.example.net");
    assert.equal(tunnels[0]?.peers[0]?.role, "static");
  });

  const at = "tunnels.t";
  const cases: readonly (readonly [string, string, ...string[]])[] = [
    [
      "ports",
      plain("endpoint: 198.51.100.2:7", 'listen: ":10000"'),
      `a.yaml:4:29: a port where there is no UDP (${at}.peers.p.endpoint): write HOST alone`,
      `a.yaml:5:13: a port where there is no UDP (${at}.listen): write [ADDRESS][@DEVICE]`,
    ],
    [
      "proofs",
      plain(`${HOST}, token: x, keepalive: 5s, pinAddress: false`, "checksum: true"),
      `a.yaml:4:82: \`token\` where there is no UDP (${at}.peers.p.token): remove it`,
      `a.yaml:4:92: \`keepalive\` where there is no UDP (${at}.peers.p.keepalive): remove it`,
      `a.yaml:4:119: without UDP the address is all that a peer is known by (${at}.peers.p.pinAddress): remove it`,
      `a.yaml:5:5: \`checksum\` where there is no UDP (${at}.checksum): remove it`,
    ],
    [
      "no endpoint",
      plain("auth: none"),
      `a.yaml:4:14: no endpoint, and no UDP to prove itself by (${at}.peers.p): add \`endpoint: HOST\``,
    ],
    [
      "several peers",
      plain(`${HOST} }, q: { endpoint: 198.51.100.3, allowedIPs: [10.0.0.3/32]`),
      `a.yaml:4:5: several peers and no UDP to tell them apart (${at}.peers): make a tunnel for each`,
    ],
    [
      "a TOS with the bits of ECN",
      plain(HOST, "tos: 3"),
      `a.yaml:5:10: not a TOS (${at}.tos): write inherit, or 0 to 0xfc without the lowest two bits, which are ECN's`,
    ],
    [
      "a TTL that the kernel would take for path-MTU discovery",
      plain(HOST, "ttl: 64", "pathMtuDiscovery: false"),
      `a.yaml:6:23: no path-MTU discovery with a fixed TTL, which the kernel does not do (${at}.pathMtuDiscovery): remove it, or \`ttl\``,
    ],
    [
      "two tunnels between two addresses",
      `${plain(HOST, 'listen: "203.0.113.1"')}  u:\n    encapsulation: none\n    listen: "203.0.113.1@eth0"\n    peers: { p: { endpoint: 198.51.100.2 } }\n`,
      "a.yaml:6:3: the tunnel t has the same two outer addresses, and no UDP either (tunnels.u): give one of them another address, or UDP (leave `encapsulation` out)",
    ],
  ];
  for (const [name, text, ...lines] of cases) {
    it(name, () => assert.deepEqual(complaints({ "a.yaml": text }), lines));
  }

  it("with UDP an endpoint has a port", () => {
    const text = "tunnels:\n  t:\n    peers: { p: { endpoint: hub.example.net, token: x } }\n";
    assert.deepEqual(complaints({ "a.yaml": text }), [
      "a.yaml:3:29: not HOST:PORT (tunnels.t.peers.p.endpoint): write hub.example.net:10000",
    ]);
  });
});
