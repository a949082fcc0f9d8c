/** Which socket and which device the kernel finds for a packet that the gate lets in. Pure. */
import { type Endpoint, formatEndpoint, type IpAddress } from "../../net/address.ts";
import type { FouListener, Link } from "../../net/objects.ts";

const ANY = "0.0.0.0";

export type Listening =
  | { readonly takes: true; readonly what: string }
  | {
      readonly takes: false;
      readonly what: string;
      readonly why: string;
      readonly mend: string;
    };

/** As udp4_lib_lookup2() (net/ipv4/udp.c) scores: what is bound or connected must match. */
export function listenerFor(
  listeners: readonly FouListener[] | undefined,
  from: Endpoint,
  to: Endpoint,
  iif: string | undefined,
): Listening {
  if (listeners === undefined) {
    const what = "the kernel has no `fou`";
    return { takes: false, what, why: what, mend: "`modprobe fou`, then start ipipoud" };
  }
  const here = listeners.filter(
    ({ port, local }) => port === to.port && (local === undefined || local === to.address),
  );
  const [best] = here
    .filter(
      ({ peer, peerPort, device }) =>
        (peer === undefined || peer === from.address) &&
        (peerPort === undefined || peerPort === from.port) &&
        (device === undefined || iif === undefined || device === iif),
    )
    .sort((a, b) => scoreOf(b) - scoreOf(a));
  if (best !== undefined) return { takes: true, what: describe(best) };
  const [other] = here;
  const mend = "start ipipoud, or reload it: it makes listeners (`ip fou show`)";
  if (other === undefined) {
    const what = `none on ${formatEndpoint(to)}`;
    const why = `no FOU listener is on ${formatEndpoint(to)}; the sender hears "port unreachable"`;
    return { takes: false, what, why, mend };
  }
  const why = `the FOU listener on ${formatEndpoint(to)} is for others`;
  return { takes: false, what: `only ${describe(other)}`, why, mend };
}

function scoreOf({ local, peer, peerPort, device }: FouListener): number {
  return [local, peer, peerPort, device].filter((one) => one !== undefined).length;
}

function describe({ local, port, peer, peerPort, device }: FouListener): string {
  const connected = peer === undefined ? "" : `, connected to ${peer}:${peerPort ?? "*"}`;
  const bound = device === undefined ? "" : `, bound to ${device}`;
  return `${local ?? "*"}:${port}${connected}${bound}`;
}

/** ip_tunnel_lookup() (net/ipv4/ip_tunnel.c): both addresses, the remote one, the local one, any. */
export function deviceFor(
  links: readonly Link[],
  remote: IpAddress,
  local: IpAddress,
  iif: string | undefined,
): Link | undefined {
  const wanted: readonly (readonly [string | undefined, string | undefined])[] = [
    [local, remote],
    [ANY, remote],
    [local, undefined],
    [ANY, undefined],
  ];
  const up = links.filter((link) => link.ipip !== undefined && link.up);
  for (const [ofLocal, ofRemote] of wanted) {
    const found = up.filter(({ ipip }) => ipip?.local === ofLocal && ipip?.remote === ofRemote);
    const bound = found.find(({ ipip }) => ipip?.device !== undefined && ipip.device === iif);
    const free = found.find(({ ipip }) => ipip?.device === undefined);
    if (bound !== undefined || free !== undefined) return bound ?? free;
  }
  return undefined;
}
