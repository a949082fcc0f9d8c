/** What can't work: the exit code of the documented table, one useful line, and nothing left behind. */
import assert from "node:assert/strict";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { mainFile } from "./support/daemon.ts";
import { hold } from "./support/holder.ts";
import type { Output } from "./support/host.ts";
import { newCredentials } from "./support/pair.ts";
import type { Program } from "./support/program.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";

const { publicKey, secret } = newCredentials();
const control = "/run/ipipoud-broken/control.sock";

/** A hub: it needs every part of the kernel that any tunnel needs. */
const good = `tunnels:
  ipipou0:
    listen: "203.0.113.1:10000"
    address: 172.28.0.1/24
    peers:
      a: { publicKey: "${publicKey}", secret: ${secret}, allowedIPs: [172.28.0.2/32] }
      b: { publicKey: "${newCredentials().publicKey}", allowedIPs: [10.7.0.0/16] }
control: ${control}
stateDirectory: /tmp/ipipoud-broken-state
`;

describe("broken input", () => {
  let topology: Topology;
  let folder: string;
  let prior: string;
  const programs: Program[] = [];
  /** What puts right what a test broke. */
  const mends: string[] = [];
  before(async () => {
    topology = await Topology.create();
    prior = await snapshot(topology.server);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "ipipoud-broken-"));
  });
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop("SIGKILL");
    for (const mend of mends.splice(0)) await topology.server.sh(mend);
    await rm(folder, { recursive: true, force: true });
  });
  after(async () => {
    await topology.remove();
  });

  const start = async (yaml: string, ...before: readonly string[]): Promise<Output> => {
    const file = join(folder, "ipipoud.yaml");
    await writeFile(file, yaml, { mode: 0o644 });
    const command = [...before, process.execPath, mainFile, "--config", file];
    return await topology.server.try("timeout", "60", ...command);
  };
  /** The exit code, one line, and no trace in the kernel or in /run. */
  const refused = async (output: Output, code: number, line: RegExp, state = prior) => {
    assert.equal(output.code, code, output.stderr);
    assert.match(output.stderr, /^ipipoud: [^\n]+\n$/, "one line");
    assert.match(output.stderr, line);
    assert.ok(!output.stderr.includes(secret), "the secret was told");
    assert.equal(output.stdout, "");
    assert.equal(await snapshot(topology.server), state);
    for (const path of ["/run/ipipoud-broken", "/run/ipipoud"]) {
      await assert.rejects(access(path), /ENOENT/, `${path} was left behind`);
    }
  };
  /** Someone makes this; it must be there afterwards as it was. */
  const foreign = async (make: string, mend: string): Promise<string> => {
    await topology.server.sh(make);
    mends.push(mend);
    return await snapshot(topology.server);
  };
  const holds = async (
    ...what: Parameters<typeof hold> extends [unknown, ...infer R] ? R : never
  ) => {
    programs.push(await hold(topology.server, ...what));
  };

  const files: readonly (readonly [what: string, yaml: string, line: RegExp])[] = [
    ["YAML syntax", good.replace("peers:", "peers: ["), /ipipoud\.yaml:\d+:\d+: /],
    ["an unknown key", good.replace("listen:", "listne:"), /ipipoud\.yaml:3:5: .*listne.*listen/],
    [
      "a wrong type",
      good.replace("allowedIPs: [10.7.0.0/16]", "allowedIPs: { a: 1 }"),
      /ipipoud\.yaml:7:\d+: .*allowedIPs/,
    ],
    [
      "a key of 31 bytes",
      good.replace(publicKey, Buffer.alloc(31, 7).toString("base64")),
      /ipipoud\.yaml:6:\d+: 31 bytes, want 32.*publicKey/,
    ],
    [
      "a secret's file that is missing",
      good.replace(`secret: ${secret}`, "secretFile: nowhere.secret"),
      /nowhere\.secret.*(ENOENT|no such file|missing|does not exist|not there)/i,
    ],
  ];
  for (const [what, yaml, line] of files) {
    it(`exit code 2: ${what}`, async () => {
      await refused(await start(yaml), 2, line);
    });
  }

  it("exit code 2: a configuration that is missing", async () => {
    const command = [process.execPath, mainFile, "--config", "/nowhere/ipipoud.yaml"];
    const output = await topology.server.try("timeout", "60", ...command);
    await refused(output, 2, /\/nowhere\/ipipoud\.yaml/);
  });

  for (const capability of ["CAP_NET_ADMIN", "CAP_NET_RAW"]) {
    it(`exit code 3: no ${capability}`, async () => {
      const name = capability.slice("CAP_".length).toLowerCase();
      const without = ["setpriv", `--bounding-set=-${name}`, `--inh-caps=-${name}`];
      const line = new RegExp(`^ipipoud: ${capability} is missing`);
      await refused(await start(good, ...without), 3, line);
    });
  }

  it("exit code 4: no module fou", async () => {
    await withoutModules("fou");
    await refused(await start(good), 4, /`?fou`?.*modprobe fou/);
  });

  it("exit code 4: no module ipip", async () => {
    await withoutModules("ipip");
    await refused(await start(good), 4, /ipip.*modprobe ipip/);
  });

  it("exit code 4: no nf_tables expression queue", async () => {
    await withoutModules("nft_queue");
    await refused(await start(good), 4, /queue.*modprobe nft_queue/);
  });

  it("exit code 4: no module nfnetlink_queue", async () => {
    await withoutModules("nfnetlink_queue");
    await refused(await start(good), 4, /nfnetlink_queue.*modprobe nfnetlink_queue/);
  });

  /** And the kernel finds no program to load them again. */
  async function withoutModules(...modules: string[]): Promise<void> {
    const { server } = topology;
    const helper = (await server.sh("cat /proc/sys/kernel/modprobe")).trim();
    mends.push(`echo ${helper} >/proc/sys/kernel/modprobe; modprobe -a ${modules.join(" ")}`);
    await server.sh(`echo /bin/false >/proc/sys/kernel/modprobe; rmmod ${modules.join(" ")}`);
  }

  it("exit code 5: another program's UDP socket on the port", async () => {
    await holds("udp", "203.0.113.1", "10000");
    await refused(await start(good), 5, /10000.*(holds|in use).*`listen`/);
  });

  it("exit code 5: another program's UDP socket on the port of every address", async () => {
    await holds("udp", "0.0.0.0", "10000");
    await refused(await start(good), 5, /10000.*(holds|in use).*`listen`/);
  });

  it("exit code 5: a FOU listener that is not ours", async () => {
    const state = await foreign("ip fou add port 10000 ipproto 4", "ip fou del port 10000");
    await refused(await start(good), 5, /FOU listener.*10000.*ip fou del/, state);
  });

  it("exit code 5: an interface of that name that is not ours", async () => {
    const state = await foreign("ip link add ipipou0 type dummy", "ip link del ipipou0");
    await refused(await start(good), 5, /interface ipipou0 .*did not make/, state);
  });

  it("exit code 5: a table of that name that is not ours", async () => {
    const state = await foreign("nft add table ip ipipou", "nft delete table ip ipipou");
    await refused(await start(good), 5, /table `ip ipipou`.*did not make/, state);
  });

  it("exit code 5: another program's queue", async () => {
    await holds("queue", "26992");
    await refused(await start(good), 5, /queue 26992 .*another program/);
  });

  it("exit code 5: another program on the control socket's path", async () => {
    const path = join(folder, "control.sock");
    await holds("unix", path);
    await refused(
      await start(good.replace(control, path)),
      5,
      /another process holds .*control\.sock/,
    );
    await access(path);
  });

  it("exit code 5: a file in the control socket's place", async () => {
    const path = join(folder, "control.sock");
    await writeFile(path, "mine");
    await refused(
      await start(good.replace(control, path)),
      5,
      /control\.sock is there and is no socket/,
    );
    await access(path);
  });

  it("starts, all the same, once nothing is in the way", async () => {
    const output = await start(good, "timeout", "-s", "TERM", "5");
    assert.match(output.stderr, /^ready$/m);
    assert.equal(await snapshot(topology.server), prior);
  });
});
