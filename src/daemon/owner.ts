/** By what an instance knows its own. */
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration } from "../config/model.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Owner } from "./tampering.ts";
import { whoHasLately } from "./who-has.ts";

export interface OwnerOptions {
  readonly configuration: Configuration;
  readonly sockets: Sockets;
  readonly peers: Peers;
}

export function ownerOf({ configuration, sockets, peers }: OwnerOptions): Owner {
  const { table, tunnels } = configuration;
  const { route, generic, netfilter } = sockets;
  const own = new Set([route.port, generic.port, netfilter.port]);
  return {
    table,
    interfaces: new Set(tunnels.map((tunnel) => tunnel.interface)),
    isOwn: (port) => own.has(port),
    endpointsOf: (device) =>
      [...peers.all()].flatMap(({ tunnel, applied, wanted }) =>
        tunnel.interface === device ? [applied, wanted].filter((at) => at !== undefined) : [],
      ),
    nameOf: whoHasLately(),
  };
}
