/** Runs in the guest: builds a topology and gives a shell on its client. */
import { spawn } from "node:child_process";
import { Topology } from "../e2e/support/topology.ts";

const topology = await Topology.create();
const { client, nat, server, internet } = topology;
process.stdout.write(`
Hosts are network namespaces; you are on ${client.name}.

  client ${client.address} ── 192.0.2.1 NAT router ${nat.address} ── the Internet ── server ${server.address}

  $server COMMAND    runs on the server; likewise $nat, $internet, $client
  $server bash       a shell there
  ipipoud …          the compiled program of this checkout
  exit               ends the lab; nothing that you write is kept

`);
const exec = (namespace: string): string => `ip netns exec ${namespace}`;
const shell = spawn("ip", ["netns", "exec", client.namespace, "bash", "--norc", "-i"], {
  stdio: "inherit",
  env: {
    ...process.env,
    PS1: "lab:\\w# ",
    client: exec(client.namespace),
    nat: exec(nat.namespace),
    server: exec(server.namespace),
    internet: exec(internet.namespace),
    "BASH_FUNC_ipipoud%%": `() { '${process.execPath}' '${process.cwd()}/dist/bin/ipipoud.js' "$@"; }`,
  },
});
process.on("SIGINT", () => {}); // Ctrl-C is the shell's
shell.on("close", (code) => {
  void topology.remove().then(() => {
    process.exitCode = code ?? 1;
  });
});
