/** A server and a laptop set up by the words of the README alone: its commands and its two files, as they stand there. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { projectRoot } from "../lab/paths.ts";
import { type Block, blocksOf } from "../support/markdown.ts";
import { Daemon, mainFile } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Topology } from "./support/topology.ts";
import { peerOf, statusOf } from "./support/tunnels.ts";

describe("the README's server and laptop", () => {
  let topology: Topology;
  let folder: string;
  let blocks: readonly Block[];
  let server: Daemon;
  let laptop: Daemon;

  before(async () => {
    topology = await Topology.create();
    folder = await mkdtemp(join(tmpdir(), "readme-"));
    await mkdir(join(folder, "bin"));
    await symlink(mainFile, join(folder, "bin/ipipoud"));
    const text = await readFile(join(projectRoot, "README.md"), "utf8");
    const chapter = text.split("\n## ").find((part) => part.startsWith("Server and laptop"));
    blocks = blocksOf(chapter ?? "");
  });
  after(async () => {
    await laptop?.remove();
    await server?.remove();
    await topology.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const block = (what: string, language = ""): string => {
    const found = blocks.find((one) => one.language === language && one.text.includes(what));
    assert.ok(found !== undefined, `no block with ${what}`);
    return found.text;
  };
  /** Commands as somebody types them, with another folder for the configuration: the hosts share one. */
  const type = async (host: Host, commands: string): Promise<string> =>
    await host.sh(
      `PATH=${folder}/bin:$PATH\n${commands.replaceAll("/etc/ipipou", `${folder}/etc`)}`,
    );

  it("make a tunnel that carries pings", async () => {
    const { client } = topology;
    await type(topology.server, block("mkdir"));
    await type(client, block("mkdir"));
    const publicKey = (await type(client, block("ipipoud keygen"))).trim();
    assert.match(publicKey, /^[A-Za-z0-9+/]{43}=$/);
    const key = await readFile(join(folder, "etc/laptop.key"), "utf8");
    const paste = "PASTE WHAT ipipoud pubkey PRINTED";
    const serverFile = block(paste, "yaml").replace(paste, publicKey);
    [server, laptop] = [
      await Daemon.prepare(topology.server, serverFile),
      await Daemon.prepare(client, block("privateKeyFile", "yaml"), {
        files: { "laptop.key": key },
      }),
    ];
    for (const daemon of [server, laptop]) {
      const { code, stdout } = await daemon.cli("--check");
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^\+ link +.*ipipou0/m);
    }
    await Promise.all([server.start(), laptop.start()]);
    await eventually(() => client.reaches("172.28.0.1", 1));
    assert.equal(peerOf(await statusOf(server), "laptop").state, "authenticated");
    // It looks once a second whether traffic came back.
    await eventually(
      async () => peerOf(await statusOf(laptop), "server").state === "authenticated",
    );
  });

  it("are told why, where the secret is another", async () => {
    const other = block("privateKeyFile", "yaml").replace(/secret: .*/, 'secret: "another"');
    await laptop.configure(other);
    const from = server.log.length;
    await Promise.all([
      laptop.cli("reload"),
      server.logs(/refused.*wrong key or wrong secret/, { from }),
    ]);
  });
});
