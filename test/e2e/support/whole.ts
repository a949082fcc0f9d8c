/** More than a snapshot: also settings, sockets and queues of a namespace, as a text to compare. */
import type { Host } from "./host.ts";
import { snapshot } from "./snapshot.ts";

/** Values that change by themselves. */
const volatile = ["nf_conntrack_count", "neigh/*/retrans_time*", "route/flush"];

const script = `
cd /proc/sys/net
find . -type f -perm -400 ${volatile.map((name) => `! -path '*/${name}'`).join(" ")} -exec grep -sH . {} + | sort
echo sockets
for file in udp raw; do awk -v file=$file 'NR > 1 { print file, $2, $3 }' /proc/net/$file; done | sort
awk '{ print "queue", $1 }' /proc/net/netfilter/nfnetlink_queue
grep -o '@ipipoud.*' /proc/net/unix || true`;

export async function wholeSnapshot(host: Host): Promise<string> {
  return `${await snapshot(host)}\n${await host.sh(script)}`;
}
