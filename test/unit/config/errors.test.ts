import assert from "node:assert/strict";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadConfiguration } from "../../../src/config/load.ts";
import { ConfigurationError, formatProblem } from "../../../src/config/problems.ts";
import { complaints, publicKey, seed, withFiles } from "./files.ts";

/** Name of the test, the file's text, and all lines that it must draw. */
type Case = readonly [name: string, text: string, ...lines: string[]];

function check(cases: readonly Case[], file = "a.yaml"): void {
  for (const [name, text, ...lines] of cases) {
    it(name, () => assert.deepEqual(complaints({ [file]: text }), lines));
  }
}

/** Keys of the peer `p` of the tunnel `t`, from line 4 and column 7 on. */
const peer = (...lines: string[]) =>
  `tunnels:\n  t:\n    peers: { p: {\n      ${lines.join(",\n      ")} } }\n`;

/** Keys of the tunnel `t`, from line 3 and column 5 on. */
const tunnel = (...lines: string[]) =>
  `tunnels:\n  t:\n    ${lines.join("\n    ")}\n    peers: { p: { token: x } }\n`;

/** Two peers of one tunnel in lines 4 and 5. */
const peers = (a: string, b: string) =>
  `tunnels:\n  t:\n    peers:\n      a: { ${a} }\n      b: { ${b} }\n`;

const durations = "want a duration: 500ms, 27s, 5m, 1h";

describe("YAML", () => {
  check([
    [
      "a bracket that is not closed",
      "tunnels:\n  t: { peers: {\n",
      "a.yaml:3:1: wrong indentation, or a bracket that is not closed: indent the keys of one mapping by the same number of spaces",
    ],
    [
      "a quote that is not closed",
      'log: { level: "info }\n',
      "a.yaml:2:1: something is missing here: look for a quote, bracket, comma or colon",
    ],
    [
      "a device without quotes",
      tunnel("listen: @wlan0"),
      "a.yaml:3:13: a text cannot begin with this character: put the text in quotes",
    ],
    [
      "a second colon",
      "tunnels:\n  t: listen: x\n",
      'a.yaml:2:6: a second key on one line: quote a text that contains ": "',
    ],
    ["a tab", "tunnels:\n\tt: 1\n", "a.yaml:2:1: a tab in the indentation: use spaces"],
    [
      "two documents",
      "log: {}\n---\nlog: {}\n",
      "a.yaml:2:1: a second document: remove the --- line",
    ],
    [
      "YAML 1.1",
      "%YAML 1.1\n---\ncounters: yes\n",
      "a.yaml:1:1: not YAML 1.2: remove the %YAML line",
    ],
    [
      "a tag",
      peer("token: !secret abc"),
      "a.yaml:4:14: a text that begins with ! is a tag, and an unknown one: put the text in quotes",
    ],
    [
      "a tag of YAML 1.1",
      peer("token: !!binary abc"),
      "a.yaml:4:14: a text that begins with ! is a tag, and an unknown one: put the text in quotes",
    ],
    [
      "an alias without anchor",
      peer("token: *abc"),
      "a.yaml:4:14: a text that begins with * is an alias, and nothing has this anchor: put the text in quotes",
    ],
    [
      "an alias inside what it repeats",
      "tunnels: &a\n  t: *a\n",
      "a.yaml:2:6: an alias inside the value that it repeats: write it out",
    ],
    [
      "a merge key",
      "tunnels:\n  t: &t { ttl: 1 }\n  u:\n    <<: *t\n",
      "a.yaml:4:5: merge keys (`<<`) are not YAML 1.2: write the keys out, or repeat a whole value by an alias",
    ],
    [
      "a key that is a list",
      "? [a]\n: b\n",
      "a.yaml:1:3: a key that is not text: write a plain name before the colon",
    ],
    [
      "a key given twice",
      "tunnels:\n  t:\n    ttl: 1\n    mtu: 1400\n    ttl: 2\n",
      "a.yaml:5:5: this key is given twice: it is at 3:5 already: remove one",
    ],
    [
      "__proto__",
      "tunnels:\n  __proto__: {}\n",
      "a.yaml:2:3: `__proto__` cannot be a name: choose another one",
    ],
    [
      "a list for a file",
      "- a\n",
      "a.yaml:1:1: not a mapping: a configuration begins with `tunnels:`",
    ],
    [
      "a text for a file",
      "hello\n",
      "a.yaml:1:1: not a mapping: a configuration begins with `tunnels:`",
    ],
  ]);

  it("refuses what is nested too deep, in few words", () => {
    for (const text of [
      "[".repeat(100_000),
      "a: [".repeat(2000),
      `${"[".repeat(40)}${"]".repeat(40)}`,
    ]) {
      const lines = complaints({ "a.yaml": text });
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", /^a\.yaml:1:\d+: /);
    }
  });

  it("refuses a billion laughs at once", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 10; i++) {
      lines.push(`a${i}: &a${i} [${new Array<string>(10).fill(`*a${i - 1}`).join(", ")}]`);
    }
    const start = performance.now();
    assert.match(
      complaints({ "a.yaml": lines.join("\n") })[0] ?? "",
      /^a\.yaml:\d+:\d+: aliases repeat more than 100000 values: write them out/,
    );
    assert.ok(performance.now() - start < 1000);
  });

  it("allows aliases for what is repeated", () => {
    const text = `
tunnels:
  t: { peers: { p: { token: &t hush, authLifetime: &l 5m } } }
  u: { listen: ":1", peers: { p: { token: *t, authLifetime: *l } } }
`;
    assert.deepEqual(complaints({ "a.yaml": text }), []);
  });

  it("refuses what is not UTF-8", () => {
    assert.deepEqual(complaints({ "a.yaml": Buffer.from([0x61, 0xff]) }), [
      "a.yaml: not UTF-8 text: save it as UTF-8",
    ]);
  });
});

describe("JSON", () => {
  check(
    [
      ["nothing", "", "a.json:1:1: the file ends in the middle: close what is open"],
      [
        "a bracket that is not closed",
        '{"log": {',
        'a.json:1:10: want a key: keys stand in double quotes; no "," before "}"',
      ],
      [
        "a value that is cut off",
        '{"log": [1',
        "a.json:1:11: the file ends in the middle: close what is open",
      ],
      [
        "single quotes",
        "{'log': 1}",
        'a.json:1:2: want a key: keys stand in double quotes; no "," before "}"',
      ],
      [
        "a bare word",
        '{\n  "log": info }',
        "a.json:2:10: not a JSON value: text stands in double quotes",
      ],
      [
        "a comma too many",
        '{"log": {},\n}',
        'a.json:2:1: want a key: keys stand in double quotes; no "," before "}"',
      ],
      ["no comma", '{"log": {}\n"mtu": 1}', 'a.json:2:1: want "," or "}"'],
      ["no colon", '{"log" {}}', 'a.json:1:8: want ":" after a key'],
      [
        "a string that is not closed",
        '{"log": "info}',
        'a.json:1:9: a string is not closed: add the closing "',
      ],
      [
        "a line break in a string",
        '{"log": "in\nfo"}',
        "a.json:1:12: a control character in a string: write it as \\n, \\t or \\u…",
      ],
      [
        "an unknown escape",
        '{"log": "\\q"}',
        "a.json:1:10: an unknown escape in a string: write \\\\ for a backslash",
      ],
      ["two values", "{} {}", "a.json:1:4: text after the end of the value: one value a file"],
      ["a leading zero", '{"log": 01}', 'a.json:1:10: want "," or "}"'],
      [
        "a key given twice",
        '{"log": {},\n "table": "a:b", "log": {}}',
        "a.json:2:18: this key is given twice: it is at 1:2 already: remove one",
      ],
      [
        "a key given twice, once with an escape",
        '{"log": {},\n "l\\u006fg": {}}',
        "a.json:2:2: this key is given twice: it is at 1:2 already: remove one",
      ],
      [
        "__proto__",
        '{"tunnels": {"__proto__": {}}}',
        "a.json:1:14: `__proto__` cannot be a name: choose another one",
      ],
      [
        "a wrong value",
        '{"tunnels": {"t": {"peers": {"q": {"token": "]}"},\n"p": {"allowedIPs": ["10.0.0.1", "x"]}}}}}',
        "a.json:2:34: not a network (tunnels.t.peers.p.allowedIPs[1]): write 172.28.0.0/24",
      ],
      [
        "an unknown key",
        '{"tunnels": {"t": {\n"peers": {}, "adress": 1}}}',
        "a.json:2:14: unknown key `adress` (tunnels.t): did you mean `address`?",
      ],
    ],
    "a.json",
  );

  it("refuses what is nested too deep", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    for (const text of [deep, `{"a":`.repeat(5000)]) {
      assert.match(
        complaints({ "a.json": text })[0] ?? "",
        /^a\.json:1:\d+: nested deeper than 32 levels/,
      );
    }
  });

  it("takes a byte order mark", () => {
    assert.deepEqual(complaints({ "a.json": '\u{feff}{"tunnels": {}}' }), []);
  });
});

describe("keys", () => {
  check([
    [
      "unknown, like a known one",
      `${peer("tokn: x")}lgo: {}\n`,
      "a.yaml:4:7: unknown key `tokn` (tunnels.t.peers.p): did you mean `token`?",
      "a.yaml:5:1: unknown key `lgo`: did you mean `log`?",
    ],
    [
      "unknown, like none",
      "xylophone: 1\n",
      "a.yaml:1:1: unknown key: remove it; the nearest known one is `log`",
    ],
    [
      "in the wrong mapping",
      tunnel("allowedIPs: []", "table: x", "level: info"),
      "a.yaml:3:5: `allowedIPs` is not a key here (tunnels.t): it belongs to a peer or directory",
      "a.yaml:4:5: `table` is not a key here (tunnels.t): it belongs to the top level",
      "a.yaml:5:5: `level` is not a key here (tunnels.t): it belongs to log",
    ],
    ["no tunnels", "log: {}\n", "a.yaml:1:1: no tunnels: add a tunnel under `tunnels`"],
    ["an empty file", "", "a.yaml:1:1: no tunnels: add a tunnel under `tunnels`"],
    [
      "tunnels that are nothing",
      "tunnels:\n",
      "a.yaml:1:1: nothing is below this key (tunnels): indent what belongs to it",
    ],
    [
      "a tunnel that is nothing",
      "tunnels:\n  t:\n",
      "a.yaml:2:3: nothing is below this key (tunnels): indent what belongs to it",
    ],
    [
      "keys of a tunnel beside its name",
      "tunnels:\n  t:\n  listen: :1\n  peers:\n    p: { token: x }\n",
      "a.yaml:2:3: nothing is below this key (tunnels): indent what belongs to it",
      "a.yaml:3:3: `listen` where the name of a tunnel is wanted (tunnels): indent it below the name of a tunnel",
      "a.yaml:4:3: `peers` where the name of a tunnel is wanted (tunnels): indent it below the name of a tunnel",
    ],
    [
      "keys of a peer beside its name",
      "tunnels:\n  t:\n    peers:\n      p:\n      token: x\n",
      "a.yaml:4:7: nothing is below this key (tunnels.t.peers): indent what belongs to it",
      "a.yaml:5:7: `token` where the name of a peer is wanted (tunnels.t.peers): indent it below the name of a peer",
    ],
    [
      "keys of a tunnel among its peers",
      "tunnels:\n  t:\n    peers:\n      p: { token: x }\n      ttl: 5\n",
      "a.yaml:5:7: `ttl` where the name of a peer is wanted (tunnels.t.peers): it belongs to a tunnel: mind the indentation",
    ],
    [
      "keys of tunnels and peers at the top",
      "tunnels: {}\nmtu: 1400\nprivateKey: x\nsecret: x\n",
      "a.yaml:2:1: `mtu` is not a key here: it belongs to a tunnel",
      "a.yaml:3:1: `privateKey` is not a key here: it belongs to a tunnel or a peer",
      "a.yaml:4:1: `secret` is not a key here: it belongs to a peer",
    ],
    [
      "a list of peers",
      "tunnels:\n  t:\n    peers: [a]\n",
      "a.yaml:3:5: not a mapping (tunnels.t.peers): write peers as NAME: { … }",
    ],
    [
      "names",
      'tunnels:\n  a/b: {}\n  t:\n    peers:\n      "": {}\n      "x\\ty": {}\n',
      "a.yaml:2:3: not a name (tunnels): 1 to 128 characters, no / and no control character",
      "a.yaml:5:7: not a name (tunnels.t.peers): 1 to 128 characters, no / and no control character",
      "a.yaml:6:7: not a name (tunnels.t.peers): 1 to 128 characters, no / and no control character",
    ],
  ]);
});

describe("values", () => {
  const listen = "tunnels.t.listen";
  const p = "tunnels.t.peers.p";
  check([
    [
      "not supported yet",
      tunnel("protocol: 2", "address: fd00::1/64", 'listen: "[2001:db8::1]:1"'),
      "a.yaml:3:15: protocol 2 is not supported yet by this version (tunnels.t.protocol): write 1",
      "a.yaml:4:14: IPv6 is not supported yet by this version (tunnels.t.address): write an IPv4 address",
      `a.yaml:5:13: IPv6 is not supported yet by this version (${listen}): write an IPv4 address`,
    ],
    [
      "not supported yet, of a peer",
      peer("token: x", "protocol: auto", 'endpoint: "[::1]:1"', 'allowedIPs: ["::/0"]'),
      `a.yaml:5:17: protocol auto is not supported yet by this version (${p}.protocol): write 1`,
      `a.yaml:6:17: IPv6 is not supported yet by this version (${p}.endpoint): write an IPv4 address`,
      `a.yaml:7:20: IPv6 is not supported yet by this version (${p}.allowedIPs[0]): write an IPv4 address`,
    ],
    [
      "a monitor",
      peer(
        "token: x",
        "endpoint: 192.0.2.1:1",
        "monitor: { ping: hub, interval: 500ms, failures: 0 }",
      ),
      `a.yaml:6:24: not an IP address (${p}.monitor.ping): write one such as 203.0.113.1`,
      `a.yaml:6:39: less than a second (${p}.monitor.interval): want at least 1s`,
      `a.yaml:6:56: not a valid number (${p}.monitor.failures): want a whole number, 1 to 1000`,
    ],
    [
      "a monitor of nothing",
      peer("token: x", "endpoint: 192.0.2.1:1", "monitor: 172.28.0.1"),
      `a.yaml:6:16: not a mapping (${p}.monitor): write { ping: 172.28.0.1 }`,
    ],
    [
      "numbers",
      tunnel("mtu: 67", "ttl: 256", "fwmark: 0x100000000", "checksum: 1"),
      "a.yaml:3:10: not a valid number (tunnels.t.mtu): want a whole number, 68 to 65507",
      "a.yaml:4:10: not a valid number (tunnels.t.ttl): want a whole number, 0 to 255",
      "a.yaml:5:13: not a valid number (tunnels.t.fwmark): want a whole number, 0 to 4294967295",
      "a.yaml:6:15: neither true nor false (tunnels.t.checksum): want true or false",
    ],
    [
      "durations",
      peer(
        "token: x",
        "keepalive: 27",
        "authLifetime: 1d",
        "maxClockSkew: 0s",
        "resolveInterval: 597h",
      ),
      `a.yaml:5:18: not a duration (${p}.keepalive): ${durations} or 0`,
      `a.yaml:6:21: not a duration (${p}.authLifetime): write 500ms, 27s, 5m or 1h`,
      `a.yaml:7:21: a duration of 0 (${p}.maxClockSkew): want more than 0`,
      `a.yaml:8:24: too long a duration (${p}.resolveInterval): at most 596h`,
    ],
    [
      "the daemon's own",
      `${tunnel()}queue: { number: 65536, maxLength: 0, ratePerSource: 10, rateTotal: 1/m }\ntable: 1 2\nlog: { level: trace, format: xml }\nonStop: maybe\nconntrack: off\ncontrol: ""\n`,
      "a.yaml:5:18: not a valid number (queue.number): want a whole number, 0 to 65535",
      "a.yaml:5:36: not a valid number (queue.maxLength): want a whole number, 1 to 1000000",
      "a.yaml:5:54: not a rate (queue.ratePerSource): write 10/s",
      "a.yaml:5:69: not a rate (queue.rateTotal): write 10/s",
      "a.yaml:6:8: not a name for an nf_tables table (table): a letter, then letters, digits and _ . - /",
      "a.yaml:7:15: not one of the choices (log.level): want error or warning or info or debug",
      "a.yaml:7:30: not one of the choices (log.format): want text or json",
      "a.yaml:8:9: not one of the choices (onStop): want remove or keep",
      "a.yaml:9:12: not one of the choices (conntrack): want bypass or track",
      "a.yaml:10:10: not a path (control): want the path of a file",
    ],
    [
      "lists",
      peer("token: x", "allowedIPs: 10.0.0.1"),
      `a.yaml:5:19: not a list (${p}.allowedIPs): write a list: [172.28.0.2/32]`,
    ],
    [
      "an empty list",
      peer("token: x", "allowedIPs: []"),
      `a.yaml:5:7: an empty list (${p}.allowedIPs): list a network, or leave it out`,
    ],
    [
      "a list of addresses in the wrong key",
      tunnel("address: [10.0.0.1/24]", "addresses: 10.0.0.1/24"),
      "a.yaml:3:5: not an address (tunnels.t.address): write 172.28.0.1/24, or { local: A, peer: B }",
      "a.yaml:4:16: not a list (tunnels.t.addresses): write a list: [172.28.0.1/24], or `address` for one",
    ],
    [
      "addresses",
      tunnel(
        "addresses:",
        "- 10.0.0.256/8",
        "- 10.0.0.1/33",
        "- { local: 10.0.0.1 }",
        "- { local: 10.0.0.1, peer: x }",
        "- 224.0.0.1/4",
        "- 240.0.0.1/32",
        "- 0.0.0.0/0",
      ),
      "a.yaml:4:7: not an address with a length (tunnels.t.addresses[0]): write 172.28.0.1/24",
      "a.yaml:5:7: not an address with a length (tunnels.t.addresses[1]): write 172.28.0.1/24",
      "a.yaml:6:7: not an address (tunnels.t.addresses[2]): write 172.28.0.1/24, or { local: A, peer: B }",
      "a.yaml:7:7: not an IP address (tunnels.t.addresses[3]): write one such as 203.0.113.1",
      "a.yaml:8:7: a multicast address (tunnels.t.addresses[4]): write the address of one host",
      "a.yaml:9:7: 240.0.0.0/4 is not usable: ipipoud takes its placeholders from it (tunnels.t.addresses[5]): choose another address",
      "a.yaml:10:7: 0.0.0.0 is not a host's address (tunnels.t.addresses[6]): write the address, or none at all",
    ],
    [
      "an address given twice",
      tunnel("address: 10.0.0.1/24", "addresses: [10.0.0.2/24, 10.0.0.1/24]"),
      "a.yaml:4:5: the address 10.0.0.1/24 is given twice (tunnels.t.addresses): remove one",
    ],
  ]);

  it("reads places to listen", () => {
    const line = (text: string) => complaints({ "a.yaml": tunnel(`listen: "${text}"`) })[0] ?? "";
    for (const good of [
      "192.0.2.1",
      "192.0.2.1:1",
      "192.0.2.1@eth0",
      "192.0.2.1:65535@eth0.7",
      ":1@e",
      "@e",
      ":1",
    ]) {
      assert.equal(line(good), "", good);
    }
    const wrong: [string, RegExp][] = [
      ["", /not a place to listen/],
      ["10000", /an address that is a number.*: a port alone has a colon before it/],
      [":0", /not a port/],
      [":65536", /not a port/],
      [":", /not a port/],
      ["192.0.2.1:x", /not a port/],
      ["192.0.2.1@", /not a name for an interface/],
      ["192.0.2.1@a/b", /not a name for an interface/],
      ["@sixteen-letters-", /16 characters/],
      ["hub.example", /not an IP address/],
      ["2001:db8::1", /IPv6 is not supported yet/],
      ["[2001:db8::1]", /IPv6 is not supported yet/],
      ["0.0.0.0:1", /0\.0\.0\.0 is not a host's address/],
      ["@t", /a tunnel that listens on its own interface/],
    ];
    for (const [text, pattern] of wrong) assert.match(line(text), pattern, text);
  });

  it("reads endpoints", () => {
    const line = (text: string) =>
      complaints({ "a.yaml": peer("token: x", `endpoint: "${text}"`) })[0] ?? "";
    for (const good of [
      "192.0.2.1:1",
      "a:1",
      "a-b.example.net:65535",
      "a.example.:1",
      "_x.a:1",
      "xn--grn-hoa.de:1",
    ]) {
      assert.equal(line(good), "", good);
    }
    const wrong: [string, RegExp][] = [
      ["", /not HOST:PORT/],
      ["a", /not HOST:PORT/],
      ["a:", /not a port/],
      ["a:0", /not a port/],
      ["a:b", /not a port/],
      [":1", /not HOST:PORT/],
      ["a b:1", /neither a host name/],
      ["-a:1", /neither a host name/],
      ["a..b:1", /neither a host name/],
      [`${"a".repeat(64)}:1`, /neither a host name/],
      ["1.2.3:1", /not an IP address/],
      ["192.0.2.256:1", /not an IP address/],
      ["::1", /IPv6 is not supported yet/],
      ["255.255.255.255:1", /240\.0\.0\.0\/4/],
    ];
    for (const [text, pattern] of wrong) assert.match(line(text), pattern, text);
  });

  it("takes the names that the kernel takes for interfaces", () => {
    const line = (text: string) =>
      complaints({ "a.yaml": tunnel(`interface: "${text}"`) })[0] ?? "";
    for (const good of ["a", "ipipou0", "fifteen-letters", "eth0.100", "a_b"])
      assert.equal(line(good), "");
    for (const bad of [
      "",
      ".",
      "..",
      "a/b",
      "a:b",
      "a b",
      "a%d",
      "all",
      "default",
      "größe",
      "sixteen-letters-",
    ]) {
      assert.match(line(bad), /^a\.yaml:3:16: .*\(tunnels\.t\.interface\): 1 to 15 printable/, bad);
    }
    assert.deepEqual(
      complaints({ "a.yaml": "tunnels:\n  sixteen-letters-:\n    peers: { p: { token: x } }\n" }),
      [
        "a.yaml:2:3: 16 characters, an interface's name has at most 15: the tunnel's own (tunnels.sixteen-letters-): rename the tunnel, or add `interface` with 1 to 15 printable characters",
      ],
    );
  });
});

describe("of a JSON file", () => {
  it("nothing is said that is true of YAML alone", () => {
    const peers = { p: { token: 1 } };
    assert.deepEqual(complaints({ "a.json": JSON.stringify({ tunnels: { t: { peers } } }) }), [
      'a.json:1:40: not read as text (tunnels.t.peers.p.token): put it in quotes: "…"',
    ]);
  });
});

describe("secrets and keys", () => {
  const p = "tunnels.t.peers.p";
  const quote = 'put it in quotes: "…"';
  check([
    [
      "what YAML reads as no text",
      `${tunnel("privateKey: 1e3").replace("token: x", "token: 0123, tokenBase64: true, secret: 1.5")}`,
      `a.yaml:3:17: not read as text (tunnels.t.privateKey): ${quote}`,
      `a.yaml:4:26: not read as text (${p}.token): ${quote}`,
      `a.yaml:4:45: not read as text (${p}.tokenBase64): ${quote}`,
      `a.yaml:4:59: not read as text (${p}.secret): ${quote}`,
    ],
    [
      "nothing",
      `tunnels:\n  t:\n    peers:\n      p:\n        token:\n        secret: ~\n        tokenBase64: null\n`,
      `a.yaml:5:9: nothing is here (${p}.token): put a secret in quotes: "…"`,
      `a.yaml:6:17: nothing is here (${p}.secret): put a secret in quotes: "…"`,
      `a.yaml:7:22: nothing is here (${p}.tokenBase64): put a secret in quotes: "…"`,
    ],
    [
      "keys of the wrong length",
      tunnel(`privateKey: ${Buffer.alloc(31).toString("base64")}`),
      "a.yaml:3:17: 31 bytes, want 32 (tunnels.t.privateKey): `ipipoud keygen` makes a key",
    ],
    [
      "a key without its end",
      peer(`publicKey: "${publicKey.slice(0, -1)}"`),
      `a.yaml:4:18: base64 without its closing = (${p}.publicKey): copy the whole text`,
    ],
    [
      "half a key",
      peer(`publicKey: "${publicKey.slice(0, 21)}"`),
      `a.yaml:4:18: base64 cut short (${p}.publicKey): copy the whole text`,
    ],
    [
      "a key with other bits",
      peer(`publicKey: "${publicKey.replace("I=", "J=")}"`),
      `a.yaml:4:18: base64 with unused bits that are not zero (${p}.publicKey): copy it from where it was made`,
    ],
    [
      "a key that is no base64",
      peer(`publicKey: "${publicKey.replace("+", "-")}"`),
      `a.yaml:4:18: not base64 (${p}.publicKey): only A-Z a-z 0-9 + / and = at the end, on one line`,
    ],
    [
      "a key that is a number",
      peer("publicKey: 1"),
      `a.yaml:4:18: not a key (${p}.publicKey): want 32 bytes in base64, in quotes`,
    ],
    [
      "an empty token",
      peer('token: ""'),
      `a.yaml:4:14: an empty token (${p}.token): write 1 to 1000 bytes`,
    ],
    [
      "a long token",
      peer(`token: ${"x".repeat(1001)}`),
      `a.yaml:4:14: a token of 1001 bytes (${p}.token): at most 1000`,
    ],
    [
      "a token like a packet",
      peer(`token: "E!\\0\\x18${"x".repeat(20)}"`),
      `a.yaml:4:14: a token that looks like an IPv4 packet (${p}.token): choose another one`,
    ],
    [
      "an empty secret",
      peer(`publicKey: ${publicKey}`, 'secret: ""'),
      `a.yaml:5:15: an empty secret (${p}.secret): write one, or leave the key out`,
    ],
    [
      "a file and a text",
      peer("token: x", "tokenFile: y"),
      `a.yaml:5:7: both \`token\` and \`tokenFile\` (${p}.tokenFile): remove one`,
    ],
    [
      "a file that is not there",
      peer("tokenFile: sub/token"),
      `a.yaml:4:18: sub/token: no such file (${p}.tokenFile): create it, or correct the path`,
    ],
    [
      "no credentials",
      peer(`tokenFile: "\${CREDENTIALS_DIRECTORY}/x"`),
      `a.yaml:4:18: CREDENTIALS_DIRECTORY is not set (${p}.tokenFile): let systemd start it with LoadCredential=, or write an absolute path`,
    ],
    [
      "another variable",
      peer(`tokenFile: "\${HOME}/x"`),
      `a.yaml:4:18: an unknown variable in a path (${p}.tokenFile): only \${CREDENTIALS_DIRECTORY} is expanded`,
    ],
  ]);

  it("tells of a file's content what it tells of a text's", () => {
    const yaml = tunnel("privateKeyFile: key");
    const line = (key: string) => complaints({ "a.yaml": yaml, key });
    assert.deepEqual(line(`${seed}\n`), []);
    assert.deepEqual(line(Buffer.alloc(31).toString("base64")), [
      "a.yaml:3:21: key: 31 bytes, want 32 (tunnels.t.privateKeyFile): `ipipoud keygen` makes a key",
    ]);
    assert.match(line(`${seed}\n\n`)[0] ?? "", /key: not base64/);
    assert.match(line("")[0] ?? "", /key: 0 bytes, want 32/);
    assert.match(line("A".repeat(70_000))[0] ?? "", /key: more than 65536 bytes/);
  });

  it("does not read a device without end", () => {
    assert.match(
      complaints({ "a.yaml": peer("tokenFile: /dev/zero") })[0] ?? "",
      /more than 65536 bytes/,
    );
  });

  it("takes 20 bytes that begin like a packet and have another length", () => {
    assert.deepEqual(complaints({ "a.yaml": peer(`token: "E!\\0\\x18${"x".repeat(21)}"`) }), []);
  });
});

describe("peers", () => {
  const t = "tunnels.t.peers";
  const end = 'endpoint: "192.0.2.1:1"';
  check([
    [
      "none",
      "tunnels:\n  t: { ttl: 1 }\n  u:\n    peers: {}\n",
      "a.yaml:2:3: a tunnel without peers (tunnels.t): add a peer under `peers`",
      "a.yaml:3:3: a tunnel without peers (tunnels.u): add a peer under `peers`",
    ],
    [
      "no proof",
      peer("authTtl: 1"),
      `a.yaml:3:14: a peer that we wait for, and no proof of it (${t}.p): add publicKey, token or tokenBase64, \`auth: none\`, or an endpoint to dial it`,
    ],
    [
      "several proofs",
      peer(`publicKey: ${publicKey}`, "token: x", "auth: none"),
      `a.yaml:3:14: several proofs: publicKey, token, auth (${t}.p): keep one`,
    ],
    [
      "no way to prove ourselves",
      peer(end, `publicKey: ${publicKey}`),
      `a.yaml:3:14: a peer that we dial, and no way to prove ourselves (${t}.p): add privateKey (here or to the tunnel), token, or \`auth: none\``,
    ],
    [
      "several ways to prove ourselves",
      peer(end, `privateKey: ${seed}`, "token: x"),
      `a.yaml:3:14: several ways to prove ourselves: privateKey, token (${t}.p): keep one`,
    ],
    [
      "a key of one that proves nothing",
      peer(end, `publicKey: ${publicKey}`, "auth: none"),
      `a.yaml:3:14: both \`publicKey\` and \`auth: none\` (${t}.p): keep one`,
    ],
    [
      "a pin to nowhere",
      peer("token: x", "pinAddress: true"),
      `a.yaml:5:7: a pin without an endpoint (${t}.p.pinAddress): add the endpoint, or remove the pin`,
    ],
    [
      "no proof among several",
      peers("auth: none, allowedIPs: [10.0.0.1]", "token: x, allowedIPs: [10.0.0.2]"),
      `a.yaml:4:18: no proof of one peer among several (${t}.a.auth): add endpoint and pinAddress: true, or give it a proof`,
    ],
    [
      "no inner addresses among several",
      peers("token: x", "token: y, allowedIPs: [10.0.0.2]"),
      `a.yaml:4:7: no allowedIPs for one peer among several (${t}.a): add allowedIPs`,
    ],
    [
      "one network twice",
      peers(
        "token: x, allowedIPs: [10.0.0.1/8]",
        "token: y, allowedIPs: [10.1.0.0/16, 10.0.0.0/8]",
      ),
      `a.yaml:5:22: 10.0.0.0/8 is in the allowedIPs of a already (${t}.b.allowedIPs): give it to one peer`,
    ],
    [
      "one key twice",
      peers(
        `publicKey: ${publicKey}, allowedIPs: [10.0.0.1]`,
        `publicKey: ${publicKey}, allowedIPs: [10.0.0.2]`,
      ),
      `a.yaml:5:7: the same proof as a, on one port (${t}.b): every peer needs its own`,
    ],
    [
      "one token twice",
      peers("token: x, allowedIPs: [10.0.0.1]", "tokenBase64: eA==, allowedIPs: [10.0.0.2]"),
      `a.yaml:5:7: the same proof as a, on one port (${t}.b): every peer needs its own`,
    ],
    [
      "a monitor of a peer that we wait for",
      peer("token: x", "monitor: { ping: 172.28.0.1 }"),
      `a.yaml:5:7: a monitor of a peer that we do not dial (${t}.p.monitor): remove it`,
    ],
    [
      "a monitor that its peer's own filter keeps from being answered",
      peer(
        "token: x",
        "endpoint: 192.0.2.1:1",
        "allowedIPs: [172.28.0.1/32]",
        "monitor: { ping: 172.28.0.2 }",
      ),
      `a.yaml:7:24: outside the allowedIPs (${t}.p.monitor.ping): ping an address of theirs, or add it to allowedIPs`,
    ],
    [
      "keys of the other side",
      peer("token: x", "keepalive: 5s", "secret: hush"),
      `a.yaml:5:18: a keepalive to a peer that we do not dial (${t}.p.keepalive): remove it, or write 0`,
      `a.yaml:6:7: a secret, and no signature to mix it into (${t}.p.secret): remove it, or use a key`,
    ],
    [
      "a lifetime of our own proof",
      peer(end, "token: x", "authLifetime: 5s"),
      `a.yaml:6:21: a lifetime for the proof of a peer that we do not wait for (${t}.p.authLifetime): remove it, or write 0`,
    ],
    [
      "answers to a peer that we dial",
      peer(end, "token: x", "replyOnAuth: true"),
      `a.yaml:6:20: answers to a peer that we dial (${t}.p.replyOnAuth): remove it, or write false`,
    ],
    [
      "a token that the gate takes for data",
      peer('token: "twelve bytesABCD and more"', "allowedIPs: [65.66.67.68]"),
      `a.yaml:3:14: a token that the gate takes for data: an allowed inner address is in its bytes 13 to 16 (${t}.p): choose another one`,
    ],
  ]);

  it("allows 256 keys on a port", () => {
    const hub = (keys: number) => {
      const many = Array.from({ length: keys }, (_, i) => {
        const key = Buffer.alloc(32);
        key.writeUInt32BE(i);
        return `      p${i}: { publicKey: "${key.toString("base64")}", allowedIPs: [10.0.${i >> 8}.${i & 255}] }`;
      });
      return complaints({ "a.yaml": `tunnels:\n  t:\n    peers:\n${many.join("\n")}\n` });
    };
    assert.deepEqual(hub(256), []);
    assert.match(
      hub(257)[0] ?? "",
      /^a\.yaml:3:5: 257 keys of protocol 1 on one port, at most 256 .*protocol 2/,
    );
  });

  it("allows peers that are dialled beside others", () => {
    const text = peers(
      `${end}, token: x, allowedIPs: [10.0.0.1]`,
      "token: x, allowedIPs: [10.0.0.2]",
    );
    assert.deepEqual(complaints({ "a.yaml": text }), []);
  });
});

describe("tunnels beside each other", () => {
  const two = (a: string, b: string) =>
    `tunnels:\n  t: { ${a}, peers: { p: { token: x } } }\n  u: { ${b}, peers: { p: { token: x } } }\n`;
  check([
    [
      "one interface",
      two("interface: u", "listen: ':1'"),
      "a.yaml:3:3: the interface u belongs to the tunnel t already (tunnels.u.interface): choose another name",
    ],
    [
      "one default place",
      two("ttl: 1", "ttl: 1"),
      "a.yaml:3:3: the tunnel t listens at the same address on port 10000 already (tunnels.u.listen): choose another port",
    ],
    [
      "one address",
      two("listen: '192.0.2.1:1@a'", "listen: '192.0.2.1:1@b'"),
      "a.yaml:3:16: the tunnel t listens at the same address on port 1 already (tunnels.u.listen): choose another port",
    ],
    [
      "everything through two tunnels",
      `tunnels:\n  t: { listen: ':1', peers: { p: { token: x, allowedIPs: [0.0.0.0/0] } } }\n  u: { listen: ':2', peers: { p: { token: x, allowedIPs: [10.0.0.0/8, 0.0.0.0/0] } } }\n`,
      "a.yaml:3:46: 0.0.0.0/0 goes to the tunnel t already (tunnels.u.peers.p.allowedIPs): give it to one tunnel, and networks to the others",
    ],
    ["two ports", two("listen: ':1'", "listen: ':2'")],
    ["two addresses", two("listen: '192.0.2.1:1'", "listen: '192.0.2.2:1'")],
    ["two devices", two("listen: '@a'", "listen: '@b'")],
  ]);
});

describe("files", () => {
  it("names what is not there", () => {
    assert.deepEqual(complaints({}, ["a.yaml", "b"]), [
      "a.yaml: no such file: create it, or correct the path",
      "b: no such file: create it, or correct the path",
    ]);
    assert.deepEqual(complaints({ x: "" }, ["."]), [".: no *.yaml and no *.json in this folder"]);
  });

  it("tells of every file's syntax at once", () => {
    assert.deepEqual(complaints({ "a.yaml": "a: [", "b.json": "{" }, ["."]).length, 2);
  });

  it("names both places of a scalar given twice", () => {
    const files = {
      "a.yaml":
        "tunnels:\n  t:\n    ttl: 1\n    peers: { p: { token: x } }\nlog: { level: info }\n",
      "b.json": '{"tunnels": {\n"t": {"ttl": 1, "peers": {"p":\n{"token": "y"}}}}}',
      "c.yaml": "log: { format: json,\n level: debug }\n",
    };
    const lines = complaints(files, ["."]);
    assert.deepEqual(
      lines.map((line) => line.replaceAll("./", "")),
      [
        "a.yaml:3:5: ttl is given twice, here and at b.json:2:7 (tunnels.t.ttl): remove one of them",
        "a.yaml:4:19: token is given twice, here and at b.json:3:2 (tunnels.t.peers.p.token): remove one of them",
        "a.yaml:5:8: level is given twice, here and at c.yaml:2:2 (log.level): remove one of them",
      ],
    );
  });

  it("counts a list's items over several files", () => {
    const files = {
      "a.yaml": "tunnels: { t: { privateKeyFile: k, addresses: [10.0.0.1/8] } }",
      "b.yaml": "tunnels: { t: { peers: { p: { tokenFile: nope } } } }",
      k: seed,
    };
    assert.deepEqual(
      complaints(files, ["."]).map((line) => line.replaceAll("./", "")),
      [
        "b.yaml:1:42: nope: no such file (tunnels.t.peers.p.tokenFile): create it, or correct the path",
      ],
    );
  });

  it("tells a missing privilege from a wrong configuration", () => {
    withFiles({ "a.yaml": peer("tokenFile: key"), key: "x" }, (folder) => {
      chmodSync(join(folder, "key"), 0);
      let error: unknown;
      try {
        loadConfiguration([join(folder, "a.yaml")]);
      } catch (thrown) {
        error = thrown;
      }
      // The superuser may read it all the same.
      if (process.getuid?.() === 0) return assert.equal(error, undefined);
      assert.ok(error instanceof ConfigurationError);
      assert.ok(error.onlyPrivilege);
      assert.match(error.message, /no permission to read it/);
    });
  });

  it("leaves folders with a file's name alone", () => {
    withFiles({ "a.yaml": tunnel() }, (folder) => {
      mkdirSync(join(folder, "b.yaml"));
      assert.equal(loadConfiguration([folder]).tunnels.length, 1);
    });
  });
});

describe("problems", () => {
  it("are one line each, whatever they name", () => {
    const line = formatProblem({
      file: "a\nb\u001b[31m.yaml",
      line: 1,
      column: 2,
      what: "what",
      where: 'tunnels."a\u202eb"',
      mend: "mend",
      kind: "configuration",
    });
    assert.equal(line, 'a\\u{a}b\\u{1b}[31m.yaml:1:2: what (tunnels."a\\u{202e}b"): mend');
  });

  it("stop at twenty", () => {
    const many = Array.from({ length: 50 }, (_, i) => `p${i}: 1`).join(", ");
    const lines = complaints({ "a.yaml": `tunnels: { t: { peers: { ${many} } } }` });
    assert.equal(lines.length, 21);
    assert.equal(lines.at(-1), "and 30 more like these");
  });
});
