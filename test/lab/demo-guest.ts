/** What `npm run demo` shows: one authenticated tunnel from its start to its end, told for a newcomer. */
import { Daemon } from "../e2e/support/daemon.ts";
import { eventually } from "../e2e/support/eventually.ts";
import { newKeyPair } from "../e2e/support/keys.ts";
import { Pinger } from "../e2e/support/ping.ts";
import { snapshot } from "../e2e/support/snapshot.ts";
import { Topology } from "../e2e/support/topology.ts";
import { chapter, quote, show, tell } from "./demo-text.ts";

const topology = await Topology.create();
const { client, nat, server } = topology;
const before = { client: await snapshot(client), server: await snapshot(server) };
const keys = newKeyPair();

chapter(
  "Three hosts",
  "Each is a network namespace of this kernel. The client has a private address behind a NAT router;",
  "only the server can be reached from everywhere:",
  "",
  `    client ${client.address} ── 192.0.2.1 NAT router ${nat.address} ── the Internet ── server ${server.address}`,
);

const serverYaml = `tunnels:
  ipipou0:
    listen: "${server.address}:10000"
    address: 172.28.0.1/24
    peers:
      laptop:                 # no endpoint: we wait for it, and it proves itself by its key
        publicKey: ${keys.publicKey}
        secret: a shared word
        allowedIPs: [172.28.0.2/32]
`;
const clientYaml = `tunnels:
  ipipou0:
    listen: "@${client.device}"           # leave by this device, with whatever address it has
    address: 172.28.0.2/24
    privateKeyFile: laptop.key
    peers:
      server:                 # an endpoint: we dial it
        endpoint: "${server.address}:10000"
        secret: a shared word
        allowedIPs: [172.28.0.0/24]
        keepalive: 2s         # prove ourselves this often; short, for the demonstration
`;

chapter("Two daemons", "One ipipoud runs on the server, with this configuration:", "");
quote(serverYaml);
tell("", "and one on the client, which has the private key:", "");
quote(clientYaml);
tell("", "Starting both (a few seconds, this processor is emulated) …");
const gateway = await Daemon.start(server, serverYaml);
const laptop = await Daemon.start(client, clientYaml, {
  files: { "laptop.key": keys.privateKey },
});
await gateway.logs(/\bauthenticated\b/);
tell("", "Both are ready, and the server has checked the client's signature. Their logs:", "");
quote(gateway.log.map((line) => `server: ${line}`).join("\n"));
quote(laptop.log.map((line) => `client: ${line}`).join("\n"));

chapter(
  "Through the tunnel",
  "A ping from the client's end of the tunnel (172.28.0.2) to the server's (172.28.0.1). Every packet",
  "travels as IP in UDP (FOU) and is handled by the kernel alone: the daemons never see it.",
  "",
);
await eventually(() => client.reaches("172.28.0.1"), { what: "a ping through the tunnel" });
quote(await client.run("ping", "-n", "-c", "3", "-i", "0.2", "172.28.0.1"));

chapter(
  "The NAT changes its mind",
  "Home routers restart, and then the client's packets come from another public port. Ours does that now,",
  "while pings run. To the server these packets are a stranger's and are dropped, until the client's next",
  "signed packet (keepalive: 2s) proves who it is; then the tunnel follows.",
);
const pinger = new Pinger(client, "172.28.0.1", { interval: 0.2 });
await pinger.moreReplies(3);
const old = await endpoint();
const logged = gateway.log.length;
const began = Date.now();
await nat.changeMapping();
const changed = { what: "the server to follow the client's new mapping" };
await eventually(async () => (await endpoint()) !== old, changed);
const seconds = ((Date.now() - began) / 1000).toFixed(1);
await pinger.moreReplies(3);
const { received, lost } = await pinger.stop();
tell(
  "",
  `The server sent to ${old} before, and to ${await endpoint()} ${seconds} s later.`,
  `Of ${received + lost.length} pings ${lost.length} got lost in between. The server's log of it:`,
  "",
);
quote(gateway.log.slice(logged).join("\n"));

chapter(
  "What the kernel holds",
  "The tunnel consists of kernel objects alone; the usual tools show them. On the server:",
);
await show(
  server,
  "The interface: an ipip device that wraps its packets in UDP (encap fou), for the client's present endpoint.",
  ["ip", "-d", "link", "show", "ipipou0"],
);
await show(
  server,
  "The listener that unwraps them again, for packets from exactly that endpoint.",
  ["ip", "fou", "show"],
);
await show(
  server,
  "The routes: inner addresses go into the tunnel. `unreachable` takes over whenever the tunnel can't, so that\ninner packets never leave in clear by the default route; `blackhole 240.0.0.0/4` does so for placeholders,\nwhich stand for peers that are not there yet.",
  ["ip", "route", "show"],
);
await show(
  server,
  "Next hops: a tunnel with several peers (a hub) has one for each. This one has a single peer, so none.",
  ["ip", "nexthop", "show"],
);
await show(
  server,
  "The gate: data of proven endpoints is accepted; what can be a signed packet goes to the daemon (queue);\nthe rest is dropped. Numbers are as on the wire: the set `known` has the client's address, both ports in one\n(0x9c402710 is 40000 and 10000) and its inner address (0xac1c0002 is 172.28.0.2); the chain `epochs` looks at\nthe time in a signed packet.",
  ["nft", "list", "table", "ip", "ipipou"],
);
tell("", "And the daemon's own view:", "  server# ipipoud status");
quote((await gateway.cli("status")).stdout);

chapter(
  "A clean end",
  "Both daemons are asked to stop (SIGTERM). Nothing of theirs may be left.",
  "",
);
const codes = [await laptop.stop(), await gateway.stop()];
tell(`Exit codes: client ${codes[0]}, server ${codes[1]}.`);
const after = { client: await snapshot(client), server: await snapshot(server) };
if (after.client === before.client && after.server === before.server) {
  tell(
    "Links, addresses, routes, rules, next hops, listeners and rulesets are what they were before.",
  );
} else {
  tell("Something is left behind:");
  quote(after.server === before.server ? after.client : after.server);
  process.exitCode = 1;
}
await laptop.remove();
await gateway.remove();
await topology.remove();
tell("", "To try things by hand among these hosts: npm run lab -- shell");

/** Where the server's kernel sends to: the remote address of the device, and its port. */
async function endpoint(): Promise<string> {
  const text = await server.run("ip", "-d", "-j", "link", "show", "ipipou0");
  const [link] = JSON.parse(text) as [
    { linkinfo: { info_data: { remote: string; encap: { dport: number } } } },
  ];
  const { remote, encap } = link.linkinfo.info_data;
  return `${remote}:${encap.dport}`;
}
