import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressBytes,
  addressFromBytes,
  contains,
  familyOf,
  formatEndpoint,
  formatPrefix,
  ipAddress,
  isHost,
  networkOf,
  overlaps,
  type Prefix,
  parseAddress,
  parseEndpoint,
  parsePrefix,
  sameEndpoint,
} from "../../../src/net/address.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert.ok(parsed, text);
  return parsed;
}

test("addresses are canonical", () => {
  assert.equal(parseAddress("192.0.2.1"), "192.0.2.1");
  assert.equal(parseAddress("2001:DB8:0:0::1"), "2001:db8::1");
  for (const text of ["", "192.0.2", "192.0.2.256", "192.0.2.01", "fe80::1%eth0", "host", "1:2"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
  assert.throws(() => ipAddress("localhost"), TypeError);
  assert.equal(familyOf(ipAddress("::1")), "ipv6");
  // Written by Node with a dotted tail that begins early.
  for (const text of ["::1.2.3.4", "::12.3.4.5", "::ffff:1.2.3.4"])
    assert.equal(familyOf(ipAddress(text)), "ipv6", text);
  assert.equal(addressBytes(ipAddress("::1.2.3.4")).toString("hex"), "01020304".padStart(32, "0"));
});

test("bytes and back", () => {
  for (const text of [
    "0.0.0.0",
    "203.0.113.77",
    "::",
    "::1",
    "2001:db8::",
    "2001:db8::1:0:0:1",
    "1:2:3:4:5:6:7:8",
    "::ffff:192.0.2.1",
  ]) {
    const address = ipAddress(text);
    assert.equal(addressFromBytes(addressBytes(address)), address);
  }
  assert.deepEqual(addressBytes(ipAddress("192.0.2.1")), Buffer.from([192, 0, 2, 1]));
  assert.equal(addressBytes(ipAddress("::ffff:192.0.2.1")).toString("hex", 10), "ffffc0000201");
  assert.equal(addressFromBytes(Buffer.alloc(5)), undefined);
});

test("prefixes", () => {
  assert.deepEqual(prefix("10.7.0.1"), { address: "10.7.0.1", length: 32 });
  assert.equal(formatPrefix(networkOf(prefix("10.7.255.255/12"))), "10.0.0.0/12");
  assert.equal(formatPrefix(networkOf(prefix("10.7.255.255/0"))), "0.0.0.0/0");
  assert.equal(formatPrefix(networkOf(prefix("2001:db8:ffff::1/33"))), "2001:db8:8000::/33");
  assert.ok(isHost(prefix("::1/128")) && isHost(prefix("192.0.2.1")) && !isHost(prefix("::/32")));
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "/8", "::/129"]) {
    assert.equal(parsePrefix(text), undefined, text);
  }
});

test("containing and overlapping", () => {
  assert.ok(contains(prefix("172.28.0.9/24"), ipAddress("172.28.0.200")));
  assert.ok(!contains(prefix("172.28.0.0/24"), ipAddress("172.28.1.0")));
  assert.ok(!contains(prefix("0.0.0.0/0"), ipAddress("::1")));
  assert.ok(overlaps(prefix("10.0.0.0/8"), prefix("10.7.0.0/16")));
  assert.ok(overlaps(prefix("10.7.0.0/16"), prefix("10.0.0.0/8")));
  assert.ok(!overlaps(prefix("10.6.0.0/16"), prefix("10.7.0.0/16")));
});

test("endpoints", () => {
  for (const text of ["203.0.113.1:10000", "[2001:db8::1]:65535"]) {
    const endpoint = parseEndpoint(text);
    assert.ok(endpoint);
    assert.equal(formatEndpoint(endpoint), text);
  }
  for (const text of [
    "203.0.113.1",
    "host:1",
    "203.0.113.1:65536",
    "2001:db8::1:5",
    ":5",
    "[]:5",
  ]) {
    assert.equal(parseEndpoint(text), undefined, text);
  }
  const a = parseEndpoint("192.0.2.1:1");
  assert.ok(sameEndpoint(a, parseEndpoint("192.0.2.1:1")));
  assert.ok(!sameEndpoint(a, parseEndpoint("192.0.2.1:2")));
  assert.ok(!sameEndpoint(a, undefined) && sameEndpoint(undefined, undefined));
});
