/** Routes, rules, marks and proxies: how they are written, and what can't work. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { complaints, load } from "./files.ts";

/** Keys of a tunnel with one peer from which anything may come, from line 4 on. */
const tunnel = (...lines: string[]) =>
  `tunnels:\n  t:\n    peers: { p: { token: x } }\n${lines.map((line) => `    ${line}\n`).join("")}`;

describe("mobility", () => {
  it("is read", () => {
    const { tunnels } = load({
      "a.yaml": tunnel(
        "routes: [{ to: default, table: 100, metric: 5, source: 10.0.0.1, via: 10.0.0.2 }, { to: 198.51.100.7/32, device: eth0 }]",
        "rules: [{ from: 192.0.2.7, fwmark: 1, table: main, priority: 9 }, { fwmark: 0x1/0xff, table: 100 }]",
        "marks: [{ protocol: tcp, source: 10.0.0.0/8, destinationPort: 25, mark: 1 }, { protocol: 17, sourcePort: 1000-2000, inputDevice: eth1, mark: 0x10/0xf0 }]",
        "proxyArp: [{ address: 192.0.2.7, device: eth0 }]",
        "forwarding: true",
        "clampMss: true",
      ),
    });
    const everything = { address: "0.0.0.0", length: 0 };
    const full = 0xffff_ffff;
    const { routes, rules, marks, proxyArp, forwarding, clampMss } = tunnels[0] ?? {};
    assert.deepEqual(routes, [
      {
        ...{ to: everything, via: "10.0.0.2", device: undefined, table: 100, metric: 5 },
        ...{ source: "10.0.0.1", peer: undefined },
      },
      {
        ...{ to: { address: "198.51.100.7", length: 32 }, via: undefined, device: "eth0" },
        ...{ table: 254, metric: 0, source: undefined, peer: undefined },
      },
    ]);
    assert.deepEqual(rules, [
      {
        ...{ from: { address: "192.0.2.7", length: 32 }, to: undefined },
        ...{ fwmark: { value: 1, mask: full }, table: 254, priority: 9 },
      },
      {
        ...{ from: undefined, to: undefined, fwmark: { value: 1, mask: 0xff } },
        ...{ table: 100, priority: 30_000 },
      },
    ]);
    assert.deepEqual(marks, [
      {
        ...{ protocol: 6, source: { address: "10.0.0.0", length: 8 }, destination: undefined },
        ...{ sourcePort: undefined, destinationPort: { first: 25, last: 25 } },
        ...{ inputDevice: undefined, mark: { value: 1, mask: full } },
      },
      {
        ...{ protocol: 17, source: undefined, destination: undefined },
        ...{ sourcePort: { first: 1000, last: 2000 }, destinationPort: undefined },
        ...{ inputDevice: "eth1", mark: { value: 0x10, mask: 0xf0 } },
      },
    ]);
    assert.deepEqual(proxyArp, [{ address: "192.0.2.7", device: "eth0" }]);
    assert.ok(forwarding && clampMss);
  });

  const at = "tunnels.t";
  const cases: readonly (readonly [string, string, ...string[]])[] = [
    [
      "unknown keys",
      tunnel("routes: [{ to: default, tabel: 100 }]"),
      `a.yaml:4:29: unknown key \`tabel\` (${at}.routes[0]): did you mean \`table\`?`,
    ],
    [
      "values",
      tunnel(
        "routes: [{ to: all, table: local }]",
        "rules: [{ fwmark: 0x100/0xff, table: 0 }]",
        "marks: [{ protocol: smtp, destinationPort: 70000, mark: x }]",
      ),
      `a.yaml:4:20: not a network (${at}.routes[0].to): write 172.28.0.0/24`,
      `a.yaml:4:32: not a routing table (${at}.routes[0].table): write main, or a number but 0 and 255`,
      `a.yaml:5:23: a mark with bits outside its mask (${at}.rules[0].fwmark): write 0x1/0xff, or no mask`,
      `a.yaml:5:42: not a routing table (${at}.rules[0].table): write main, or a number but 0 and 255`,
      `a.yaml:6:25: not a protocol (${at}.marks[0].protocol): write icmp, igmp, ipip, tcp, udp, gre, esp, ah, ospf, sctp or a number`,
      `a.yaml:6:48: not a port (${at}.marks[0].destinationPort): write 25, or 1000-2000; ports are 1 to 65535`,
      `a.yaml:6:61: not a mark (${at}.marks[0].mark): write 1 or 0x1/0xff, at most 0xffffffff`,
    ],
    [
      "what matches everything",
      tunnel("rules: [{ from: 0.0.0.0/0, table: 7 }]", "marks: [{ mark: 1 }]"),
      `a.yaml:4:13: a rule for every packet, the tunnel's own among them (${at}.rules[0]): add from, to or fwmark; for everything write 0.0.0.0/0 in allowedIPs`,
      `a.yaml:5:13: a mark for every packet (${at}.marks[0]): add protocol, source, destination, a port or inputDevice`,
    ],
    [
      "ports without a protocol that has some",
      tunnel("marks: [{ protocol: icmp, destinationPort: 25, mark: 1 }]"),
      `a.yaml:4:31: a port, and no protocol that has some (${at}.marks[0].destinationPort): add \`protocol: tcp\`, udp or sctp`,
    ],
    [
      "the tunnel's own interface",
      tunnel(
        "marks: [{ inputDevice: t, mark: 1 }]",
        "proxyArp: [{ address: 192.0.2.7, device: t }]",
      ),
      `a.yaml:4:28: the tunnel's own interface: what comes out of it would go back in (${at}.marks[0].inputDevice): name the device on the other side`,
      `a.yaml:5:46: the tunnel's own interface, where nobody asks (${at}.proxyArp[0].device): name the device of the LAN`,
    ],
    [
      "the same twice",
      tunnel(
        "routes: [{ to: 10.0.0.0/8 }, { to: 10.1.2.3/8, via: 10.0.0.9 }]",
        "proxyArp: [{ address: 192.0.2.7, device: e }, { address: 192.0.2.7, device: e }]",
      ),
      `a.yaml:4:34: a route to 10.0.0.0/8 of this table and metric is there already (${at}.routes[1]): remove one`,
      `a.yaml:5:51: this address is there already (${at}.proxyArp[1]): remove one`,
    ],
    [
      "answers that would be dropped",
      "tunnels:\n  t:\n    peers: { p: { token: x, allowedIPs: [10.0.0.0/8] } }\n    routes: [{ to: 192.168.0.0/16 }]\n",
      `a.yaml:4:20: outside the allowedIPs: what answers from there is dropped (${at}.routes[0].to): add it to allowedIPs, or leave them out in a tunnel with one peer`,
    ],
    [
      "which of several peers",
      "tunnels:\n  t:\n    peers: { p: { token: x, allowedIPs: [10.1.0.0/16] }, q: { token: y, allowedIPs: [10.2.0.0/16] } }\n    routes: [{ to: 10.0.0.0/8, table: 7 }, { to: 10.0.0.0/8, table: 8, via: 10.2.0.1 }]\n",
      `a.yaml:4:14: several peers, and nothing says to which of them (${at}.routes[0]): add \`via\`, an inner address from the allowedIPs of one`,
    ],
    [
      "a network that another tunnel's peer has",
      "tunnels:\n  t:\n    peers: { p: { token: x } }\n    routes: [{ to: 10.0.0.0/8 }]\n  u:\n    listen: :7\n    peers: { p: { token: y, allowedIPs: [10.0.0.0/8] } }\n",
      `a.yaml:4:14: 10.0.0.0/8 goes to the tunnel u by its allowedIPs (${at}.routes[0]): remove one, or add a metric`,
    ],
  ];
  for (const [name, text, ...lines] of cases) {
    it(`refuses ${name}`, () => assert.deepEqual(complaints({ "a.yaml": text }), lines));
  }

  it("knows the peer of a hub whose allowedIPs hold the next hop", () => {
    const { tunnels } = load({
      "a.yaml":
        "tunnels:\n  t:\n    peers: { p: { token: x, allowedIPs: [10.1.0.0/16] }, q: { token: y, allowedIPs: [10.2.0.0/16, 0.0.0.0/0] } }\n    routes: [{ to: 10.1.9.0/24, table: 7 }, { to: 192.168.0.0/16, via: 10.1.0.1 }, { to: default, table: 8 }]\n",
    });
    assert.deepEqual(
      tunnels[0]?.routes.map(({ peer }) => peer),
      ["p", "p", "q"],
    );
  });
});
