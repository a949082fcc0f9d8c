import assert from "node:assert/strict";
import { test } from "node:test";
import { interfaceOfProfile, managedByNetworkd } from "../../../../src/apply/host/managers.ts";
import {
  isFirstUserNamespace,
  kernelBuilt,
  legacyTables,
  listeningPaths,
  missingCapabilities,
  openFilesLimit,
} from "../../../../src/apply/host/proc.ts";

test("capabilities: of the effective set", () => {
  assert.deepEqual(missingCapabilities("CapEff:\t000001ffffffffff\n"), []);
  assert.deepEqual(missingCapabilities("CapEff:\t0000000000001000\n"), ["CAP_NET_RAW"]);
  assert.deepEqual(missingCapabilities("nothing"), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
});

test("the first user namespace", () => {
  assert.equal(isFirstUserNamespace("         0          0 4294967295\n"), true);
  assert.equal(isFirstUserNamespace("         0       1000          1\n"), false);
  assert.equal(isFirstUserNamespace(""), false);
});

test("/proc/net/unix: only those that listen", () => {
  const text = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 16 /run/ipipoud/control.sock
0000000000000000: 00000003 00000000 00000000 0001 03 17 /run/other.sock
0000000000000000: 00000002 00000000 00010000 0001 01 18 @ipipoud/ipipou@@@@@@@@
0000000000000000: 00000002 00000000 00010000 0001 01 19
`;
  assert.deepEqual([...listeningPaths(text)], ["/run/ipipoud/control.sock", "@ipipoud/ipipou"]);
});

test("/proc/net/ip_tables_names: those that can drop", () => {
  assert.deepEqual(legacyTables("nat\nfilter\n"), ["filter"]);
  assert.deepEqual(legacyTables(""), []);
});

test("/proc/self/limits", () => {
  const line = (hard: string) =>
    `Max open files            1024                 ${hard}              files     \n`;
  assert.equal(openFilesLimit(line("524288")), 524_288);
  assert.equal(openFilesLimit(line("unlimited")), undefined);
});

test("when a kernel was built", () => {
  const day = (text: string) => {
    const time = kernelBuilt(text);
    return time === undefined ? undefined : new Date(time * 1000).toISOString().slice(0, 10);
  };
  assert.equal(day("#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)"), "2025-09-20");
  assert.equal(day("#1-NixOS SMP PREEMPT_DYNAMIC Thu Jan  2 09:34:21 UTC 2025"), "2025-01-02");
  assert.equal(day("#1 SMP Thu Jan  2 2025, more"), undefined);
  assert.equal(day(""), undefined);
});

test("systemd-networkd: all of others goes, unless it says otherwise; the last word counts", () => {
  assert.deepEqual(managedByNetworkd([]), ["routes", "rules", "nexthops"]);
  const off = "[Network]\nManageForeignRoutes=no\n# ManageForeignRoutingPolicyRules=no\n";
  assert.deepEqual(managedByNetworkd([off]), ["rules", "nexthops"]);
  assert.deepEqual(managedByNetworkd([off, "[Network]\nManageForeignRoutes = yes\n"]).length, 3);
  assert.deepEqual(managedByNetworkd(["[DHCPv4]\nManageForeignRoutes=no\n"]).length, 3);
});

test("NetworkManager: the interface of a profile", () => {
  const text = "[connection]\nid=x\ninterface-name=ipipou0\n\n[ipv4]\nmethod=auto\n";
  assert.equal(interfaceOfProfile(text), "ipipou0");
  assert.equal(interfaceOfProfile("[connection]\nid=x\n[vlan]\ninterface-name=t\n"), undefined);
  assert.equal(interfaceOfProfile(""), undefined);
});
