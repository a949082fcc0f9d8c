/** One server with a direct tunnel and a hub, and a client for each behind a NAT of its own. */
import { Daemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { NatRouter } from "./nat.ts";
import type { Topology } from "./topology.ts";
import {
  clientConfig,
  openQueue,
  type Party,
  party,
  peerOf,
  statusOf,
  waitingTunnel,
} from "./tunnels.ts";

export interface Side {
  readonly form: "direct" | "hub";
  /** On the server. */
  readonly tunnel: string;
  readonly port: number;
  readonly serverInner: string;
  readonly nat: NatRouter;
  readonly client: Host;
  readonly one: Party;
  /** Others that the server waits for on the same tunnel: 172.28.1.3 and following. */
  readonly others: readonly Party[];
}

export async function sidesOf(topology: Topology): Promise<{ direct: Side; hub: Side }> {
  const elsewhere = await topology.addNat();
  const side = (form: Side["form"], network: number, nat: NatRouter, client: Host): Side => ({
    form,
    tunnel: `ipipou${network}`,
    // A low one, which wants a capability whenever the listener is made again.
    port: form === "direct" ? 1000 : 10_000 + network,
    serverInner: `172.28.${network}.1`,
    nat,
    client,
    one: { ...party(0), inner: `172.28.${network}.2` },
    others:
      form === "direct"
        ? []
        : [1, 2].map((i) => ({ ...party(i), inner: `172.28.${network}.${2 + i}` })),
  });
  return {
    direct: side("direct", 0, topology.nat, topology.client),
    hub: side("hub", 1, elsewhere, await topology.addClient(elsewhere)),
  };
}

/** @param more Further tunnels. */
export function serverOf(
  sides: readonly Side[],
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const tunnels = sides.map(({ tunnel, one, others, port, serverInner }) => {
    const address = `${serverInner}/24`;
    return [tunnel, waitingTunnel([one, ...others], { port, address })] as const;
  });
  return { queue: openQueue, tunnels: { ...Object.fromEntries(tunnels), ...more } };
}

/** What starts a client needs to know of its tunnel. */
export interface Dial {
  readonly client: Host;
  readonly one: Party;
  readonly port: number;
  readonly serverInner: string;
}

/** Starts a client and waits until its tunnel carries a ping, and it has seen that. */
export async function dial(
  { client, one, port, serverInner }: Dial,
  keepalive = "1h",
): Promise<Daemon> {
  const daemon = await Daemon.start(client, clientConfig(one, { port, keepalive }));
  await eventually(() => client.reaches(serverInner, 1), {
    what: `a ping from ${client.name}; its log:\n${daemon.log.join("\n")}`,
  });
  // No further authentication comes by itself then, until the keepalive.
  await eventually(async () => peerOf(await statusOf(daemon), "server").state === "authenticated");
  return daemon;
}
