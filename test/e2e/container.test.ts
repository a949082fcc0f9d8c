/** Two containers, confined as conf/container/compose.yaml says, with its configurations and addresses. */
import assert from "node:assert/strict";
import { chown, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Delivery, findDelivery } from "../lab/delivery.ts";
import { projectRoot } from "../lab/paths.ts";
import { run } from "../lab/run.ts";
import { Container } from "./support/container.ts";
import { eventually } from "./support/eventually.ts";
import { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import { snapshot } from "./support/snapshot.ts";

const from = join(projectRoot, "conf/container");

describe("container", () => {
  const prefix = `c${process.pid}-`;
  const server = new Host("server", `${prefix}server`, "10.213.0.2", "eth0");
  const laptop = new Host("laptop", `${prefix}laptop`, "10.213.0.3", "eth0");
  const keys = newKeyPair();
  let delivery: Delivery;
  let folder: string;
  let etc: { server: string; laptop: string };
  let untouched: string[];
  const running: Container[] = [];

  before(async () => {
    delivery = await findDelivery();
    const lines = [
      ...[server, laptop].map(({ namespace }) => `netns add ${namespace}`),
      `link add eth0 netns ${server.namespace} type veth peer name eth0 netns ${laptop.namespace}`,
    ];
    await run("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
    for (const host of [server, laptop]) {
      await host.sh(
        `ip link set lo up; ip addr add ${host.address}/24 dev eth0; ip link set eth0 up; ip route add default via 10.213.0.1`,
      );
    }
    untouched = [await snapshot(server), await snapshot(laptop)];
    folder = await mkdtemp(join(tmpdir(), "ipipoud-container-"));
    etc = { server: join(folder, "server"), laptop: join(folder, "laptop") };
    for (const name of ["server", "laptop"] as const) {
      await cp(join(from, `${name}.yaml`), join(etc[name], "ipipoud.yaml"));
    }
    const text = await readFile(join(etc.server, "ipipoud.yaml"), "utf8");
    const filled = text.replace("PASTE WHAT ipipoud pubkey PRINTED", keys.publicKey);
    await writeFile(join(etc.server, "ipipoud.yaml"), filled);
    await writeFile(join(etc.laptop, "laptop.key"), `${keys.privateKey}\n`, { mode: 0o600 });
    await chown(join(etc.laptop, "laptop.key"), 990, 990);
  });
  after(async () => {
    for (const container of running) await container.stop();
    await run("ip", ["netns", "del", server.namespace]);
    await run("ip", ["netns", "del", laptop.namespace]);
    await rm(folder, { recursive: true, force: true });
  });

  it("brings up a tunnel to another", async () => {
    for (const [host, files] of [
      [server, etc.server],
      [laptop, etc.laptop],
    ] as const) {
      const container = new Container(host, delivery, files);
      running.push(container);
      await container.process.line(/\bready$/);
    }
    await eventually(() => laptop.reaches("172.28.0.1"), { what: "a ping through the tunnel" });
    await server.run("ping", "-n", "-c", "1", "-W", "5", "172.28.0.2");
  });

  it("runs as an ordinary user with these capabilities and no others", async () => {
    for (const container of running) {
      const status = await readFile(`/proc/${await container.pid()}/status`, "utf8");
      const field = (name: string): string =>
        new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
      assert.equal(field("Uid"), "990\t990\t990\t990");
      for (const set of ["CapEff", "CapPrm", "CapBnd"]) {
        assert.equal(field(set), "0000000000003000", set);
      }
    }
  });

  it("tells its health", async () => {
    const [one] = running;
    const { code, stdout, stderr } = (await one?.exec("ipipoud", "status")) ?? { code: -1 };
    assert.equal(code, 0, stderr);
    assert.match(stdout ?? "", /laptop/);
  });

  it("leaves nothing when it is stopped", async () => {
    for (const container of running) {
      assert.equal(await container.stop(), 0, container.process.lines.join("\n"));
    }
    assert.deepEqual([await snapshot(server), await snapshot(laptop)], untouched);
  });
});
