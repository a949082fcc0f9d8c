/** Other programs that look after the network. Pure. */
import { type Finding, warning } from "../../finding.ts";
import type { Judged } from "../judged.ts";

const KEYS = {
  routes: "ManageForeignRoutes=no",
  rules: "ManageForeignRoutingPolicyRules=no",
  nexthops: "ManageForeignNextHops=no",
} as const;

export function managerFindings({ facts }: Judged): Finding[] {
  const findings: Finding[] = [];
  // Nexthops alone: versions before 256 know no such key, and remove none.
  const kinds = (facts.networkd ?? []).filter((kind) => kind !== "nexthops");
  if (kinds.length > 0) {
    const all = facts.networkd ?? [];
    const what = `systemd-networkd removes ${all.join(", ")} that others made, ours too, whenever it starts or sets an interface up; ipipoud puts them back, and packets are lost meanwhile`;
    const keys = all.map((kind) => KEYS[kind]).join(", ");
    const mend = `\`[Network]\` with ${keys} in /etc/systemd/networkd.conf.d/ipipoud.conf, and restart it`;
    findings.push(warning("networkd", what, mend));
  }
  for (const [device, file] of facts.networkManagerProfiles) {
    const what = `NetworkManager has a profile for ${device} (${file}) and would set its addresses and routes`;
    findings.push(
      warning("network-manager", what, "delete the profile, or name the interface otherwise"),
    );
  }
  return findings;
}
