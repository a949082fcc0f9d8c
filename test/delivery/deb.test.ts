/** The Debian package: what is in it, what Debian's own judge says, and that it comes and goes. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import { type Delivery, findDelivery } from "../lab/delivery.ts";
import { capture, run } from "../lab/run.ts";
import { inBareRoot } from "./bare.ts";

describe("the .deb", () => {
  let delivery: Delivery;
  before(async () => {
    delivery = await findDelivery();
  });

  it("is without fault in lintian's eyes", async () => {
    const args = ["--allow-root", "--no-cfg", "--tag-display-limit", "0", delivery.deb];
    const { code, stdout, stderr } = await capture("lintian", args);
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /^[EW]:/m);
  });

  it("holds program, addons, unit, user, examples, man pages and completion", async () => {
    const listing = await run("dpkg-deb", ["--contents", delivery.deb]);
    const has = (path: string): void =>
      assert.ok(new RegExp(` \\./${path}( |$)`, "m").test(listing), `${path} in\n${listing}`);
    has("usr/bin/ipipoud");
    has("usr/lib/ipipoud/build/Release/ipipoud.node");
    has("usr/lib/ipipoud/node_modules/raw-socket/build/Release/raw.node");
    has("usr/lib/systemd/system/ipipoud.service");
    for (const kind of ["sysusers", "tmpfiles", "modules-load"])
      has(`usr/lib/${kind}.d/ipipoud.conf`);
    for (const name of ["copyright", "changelog.gz", "examples/hub.yaml"]) {
      has(`usr/share/doc/ipipoud/${name}`);
    }
    for (const page of ["man8/ipipoud.8", "man5/ipipoud.yaml.5"]) has(`usr/share/man/${page}.gz`);
    has("usr/share/bash-completion/completions/ipipoud");
    has("usr/share/zsh/vendor-completions/_ipipoud");
    has("usr/share/fish/vendor_completions.d/ipipoud.fish");
    assert.doesNotMatch(listing, /^-..s|^-.....s/m, "a file that changes who runs it");
    assert.doesNotMatch(listing, /\.(map|ts|cc|o)$/m);
  });

  it("asks for the one version of node that its addons are compiled for", async () => {
    const depends = await run("dpkg-deb", ["--field", delivery.deb, "Depends"]);
    const major = Number(process.versions.node.split(".")[0]);
    assert.match(depends, new RegExp(`nodejs \\(>= ${major}\\), nodejs \\(<< ${major + 1}\\)`));
    assert.match(depends, /libc6 \(>= [\d.]+\)/);
  });

  it("installs twice, works with Debian's own node, and is purged but for the operator's files", async () => {
    const { code, stdout, stderr } = await inBareRoot(
      delivery.hostRoot,
      dirname(delivery.deb),
      `find / -xdev ! -path '/proc/*' ! -path '/opt/*' ! -path '/var/lib/dpkg/*' | sort >/opt/before
       for time in first second; do dpkg -i /opt/given/ipipoud.deb >/opt/log 2>&1 || { cat /opt/log; exit 1; }; done
       test -L /etc/systemd/system/multi-user.target.wants/ipipoud.service
       test "$(stat -c '%a %U %G' /etc/ipipou)" = '750 root ipipoud'
       id ipipoud
       (umask 077; ipipoud keygen >/etc/ipipou/laptop.key)
       node -e 'for (const name of ["node_modules/raw-socket", "build/Release/ipipoud.node"]) require("/usr/lib/ipipoud/" + name)'
       ipipoud pubkey </etc/ipipou/laptop.key
       dpkg --purge ipipoud >/opt/log 2>&1 || { cat /opt/log; exit 1; }
       find / -xdev ! -path '/proc/*' ! -path '/opt/*' ! -path '/var/lib/dpkg/*' | sort | comm -13 /opt/before -`,
    );
    assert.equal(code, 0, `${stdout}${stderr}`);
    const [user, key, ...left] = stdout.trim().split("\n");
    assert.match(
      user ?? "",
      /^uid=\d+\(ipipoud\) gid=\d+\(ipipoud\) groups=\d+\(ipipoud\),\d+\(ipipou\)$/,
    );
    assert.match(key ?? "", /^[\w+/]{43}=$/);
    assert.deepEqual(left.filter((path) => /ipipou/.test(path)).sort(), [
      "/etc/ipipou",
      "/etc/ipipou/laptop.key",
    ]);
  });
});
