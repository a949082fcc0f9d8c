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

  it("exit code 2: a secret's file that is missing", async () => {
    const yaml = good.replace(`secret: ${secret}`, "secretFile: nowhere.secret");
    await refused(await start(yaml), 2, /ipipoud\.yaml:6:\d+: \S+nowhere\.secret: no such file/);
  });

  for (const capability of ["CAP_NET_ADMIN", "CAP_NET_RAW"]) {
    it(`exit code 3: no ${capability}`, async () => {
      const name = capability.slice("CAP_".length).toLowerCase();
      const without = ["setpriv", `--bounding-set=-${name}`, `--inh-caps=-${name}`];
      const line = new RegExp(`^ipipoud: ${capability} is missing`);
      await refused(await start(good, ...without), 3, line);
    });
  }

  const modules: Readonly<Record<string, RegExp>> = {
    fou: /`fou`.*modprobe fou/,
    ipip: /RTM_NEWLINK ipipou0.*modprobe ipip/,
    nft_queue: /expression `queue`.*modprobe nft_queue/,
    nfnetlink_queue: /no nfnetlink_queue; `modprobe nfnetlink_queue`/,
  };
  for (const [module, line] of Object.entries(modules)) {
    it(`exit code 4: no module ${module}`, async () => {
      const { server } = topology;
      // Without a program to load it again the kernel does without.
      const helper = (await server.sh("cat /proc/sys/kernel/modprobe")).trim();
      await server.sh(`rmmod ${module}; echo /bin/false >/proc/sys/kernel/modprobe`);
      const output = await start(good).finally(() =>
        server.sh(`echo ${helper} >/proc/sys/kernel/modprobe; modprobe ${module}`),
      );
      await refused(output, 4, line);
    });
  }

  it("exit code 5: another program's UDP socket on the port", async () => {
    await holds("udp", "203.0.113.1", "10000");
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
});
