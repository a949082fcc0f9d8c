/** Signed proofs carry the time: a clock that is wrong locks people out. Pure. */
import { type Finding, note, warning } from "../../finding.ts";
import type { Judged } from "../judged.ts";

/** Files are copied between time zones, and kernels built in others. Seconds. */
const DAY = 86_400;

export function clockFindings({ configuration, facts }: Judged): Finding[] {
  const timed = configuration.tunnels.some(({ peers }) =>
    peers.some(({ proof, identity }) => proof.kind === "key" || identity.kind === "key"),
  );
  if (!timed) return [];
  const { now, past, synchronised } = facts.clock;
  const later = past.filter(({ time }) => time > now + DAY).sort((a, b) => b.time - a.time)[0];
  if (later !== undefined) {
    const what = `the clock says ${day(now)}, but ${later.what} on ${day(later.time)}: proofs carry the time, and no peer would take ours`;
    return [warning("clock", what, "set it (`timedatectl set-ntp true`, or `date -s`)")];
  }
  if (synchronised !== false) return [];
  const what = "systemd-timesyncd has not reached a time server yet: proofs carry the time";
  return [note("clock-unsynchronised", what, "see `timedatectl timesync-status`")];
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
