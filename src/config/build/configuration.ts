/** The whole: every tunnel, what they must not share, and the daemon's own settings. */

import { Complaint } from "../complaint.ts";
import { defaultTable } from "../defaults.ts";
import type { Configuration, TunnelConfig } from "../model.ts";
import { formatName, type Problems } from "../problems.ts";
import type { FilePart } from "../schema.ts";
import { checkHeartbeats } from "./heartbeat.ts";
import { checkShared } from "./mobility.ts";
import { buildTunnel } from "./tunnel.ts";

/** unix(7): sun_path has 108 bytes with its final zero. */
const longestSocketPath = 107;

export function buildConfiguration(part: FilePart, problems: Problems): Configuration {
  if (part.tunnels === undefined) {
    problems.add([], new Complaint("no tunnels", "add a tunnel under `tunnels`"));
  }
  const tunnels = Object.entries(part.tunnels ?? {}).map(([name, tunnel]) =>
    buildTunnel(name, tunnel, problems),
  );
  checkTunnels(tunnels, problems);
  checkHeartbeats(tunnels, problems);
  checkShared(tunnels, problems);
  const control = part.control ?? "/run/ipipoud/control.sock";
  if (Buffer.byteLength(control) > longestSocketPath) {
    const what = `a path of ${Buffer.byteLength(control)} bytes, a socket's has at most ${longestSocketPath}`;
    problems.add(["control"], new Complaint(what, "choose a shorter one"));
  }
  return Object.freeze({
    tunnels: Object.freeze(tunnels),
    queue: Object.freeze({
      number: part.queue?.number ?? 26_992,
      maxLength: part.queue?.maxLength ?? 1024,
      ratePerSource: part.queue?.ratePerSource ?? 10,
      rateTotal: part.queue?.rateTotal ?? 1000,
    }),
    table: part.table ?? defaultTable,
    counters: part.counters ?? false,
    conntrack: part.conntrack,
    stateDirectory: part.stateDirectory ?? "/var/lib/ipipoud",
    control,
    log: Object.freeze({ level: part.log?.level ?? "info", format: part.log?.format ?? "text" }),
    metrics: part.metrics?.listen,
    onStop: part.onStop ?? "remove",
  });
}

/** An interface, a place to listen, and everything that has no other way, belong to one tunnel. */
function checkTunnels(tunnels: readonly TunnelConfig[], problems: Problems): void {
  const interfaces = new Map<string, string>();
  const places = new Map<string, string>();
  let everything: string | undefined;
  for (const tunnel of tunnels) {
    const path = ["tunnels", tunnel.name];
    const sameInterface = interfaces.get(tunnel.interface);
    if (sameInterface !== undefined) {
      const what = `the interface ${tunnel.interface} belongs to the tunnel ${formatName(sameInterface)} already`;
      problems.add([...path, "interface"], new Complaint(what, "choose another name"));
    }
    interfaces.set(tunnel.interface, tunnel.name);

    const full = tunnel.peers.find(({ allowedIPs }) =>
      allowedIPs?.some(({ length }) => length === 0),
    );
    if (full !== undefined && everything !== undefined) {
      // Each would take the other's outer packets.
      const what = `0.0.0.0/0 goes to the tunnel ${formatName(everything)} already`;
      const mend = "give it to one tunnel, and networks to the others";
      problems.add([...path, "peers", full.name, "allowedIPs"], new Complaint(what, mend), {
        at: "key",
      });
    } else if (full !== undefined) everything = tunnel.name;

    const { address, port, device } = tunnel.listen;
    // An address decides alone; without one, the device's will be taken, or that of the default route.
    const local = address ?? `@${device ?? ""}`;
    if (tunnel.encapsulation === "none") {
      const pair = `${local} ${tunnel.peers[0]?.endpoint?.host}`;
      const samePair = places.get(pair);
      if (samePair !== undefined) {
        const what = `the tunnel ${formatName(samePair)} has the same two outer addresses, and no UDP either`;
        const mend = "give one of them another address, or UDP (leave `encapsulation` out)";
        problems.add(path, new Complaint(what, mend), { at: "key" });
      }
      places.set(pair, tunnel.name);
    }
    if (port === undefined) continue;
    const place = `${local} ${port}`;
    const samePlace = places.get(place);
    if (samePlace !== undefined) {
      const what = `the tunnel ${formatName(samePlace)} listens at the same address on port ${port} already`;
      problems.add([...path, "listen"], new Complaint(what, "choose another port"));
    }
    places.set(place, tunnel.name);
  }
}
