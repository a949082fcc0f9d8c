/** What a start needs of the kernel and of its own rights. Pure. */
import { isAwaited } from "../../../config/model.ts";
import { exitCode } from "../../../net/failure.ts";
import { type Finding, hindrance, warning } from "../../finding.ts";
import type { Holder, ModuleState } from "../facts.ts";
import type { Judged } from "../judged.ts";

export function rightsFindings({ facts, observation }: Judged): Finding[] {
  const { missingCapabilities: missing, inFirstUserNamespace } = facts;
  const findings: Finding[] = [];
  // Without CAP_NET_ADMIN there is a finding already that says what could not be seen.
  const news = missing.filter(
    (name) => observation.ruleset.kind !== "hidden" || name !== "CAP_NET_ADMIN",
  );
  if (news.length > 0) {
    const what = `${news.join(" and ")} ${news.length > 1 ? "are" : "is"} missing: a start with the rights of this check would be refused`;
    const mend =
      "check as root, or give it both capabilities (systemd: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)";
    findings.push(hindrance(exitCode.privilege, "missing-capability", what, mend));
  }
  if (!missing.includes("CAP_NET_ADMIN") && !inFirstUserNamespace) {
    const what = "this is not the first user namespace, from which alone FOU listeners can be made";
    const mend = "run it without user namespace (rootless containers and `userns-remap` have one)";
    findings.push(hindrance(exitCode.privilege, "user-namespace", what, mend));
  }
  return findings;
}

export function moduleFindings({ configuration, facts }: Judged): Finding[] {
  const waits = configuration.tunnels.some(({ peers }) => peers.some(isAwaited));
  const needed = ["ipip", ...(waits ? ["nfnetlink_queue"] : [])];
  return needed.flatMap((module) => moduleFinding(module, facts.modules.get(module) ?? "unknown"));
}

function moduleFinding(module: string, state: ModuleState): Finding[] {
  const load = `load it: \`modprobe ${module}\` (at boot: a line \`${module}\` in /etc/modules-load.d/ipipoud.conf)`;
  switch (state) {
    case "there":
    case "loadable":
      return [];
    case "absent":
      return [
        hindrance(
          exitCode.kernel,
          `no-${module}`,
          `the kernel has no ${module}, and no such module is installed for it`,
          "install the kernel's modules (Debian's -cloud kernels have fewer), or boot another kernel",
        ),
      ];
    case "unloadable":
      return [
        hindrance(
          exitCode.kernel,
          `no-${module}`,
          `the module ${module} is not loaded, and this host loads none by itself (kernel.modprobe, kernel.modules_disabled)`,
          load,
        ),
      ];
    case "unknown":
      return [
        warning(
          `unseen-${module}`,
          `the module ${module} is not loaded, and whether the host has it can't be seen from here`,
          `on the host, ${load}`,
        ),
      ];
  }
}

/** What the kernel said to a rehearsal of our rules. */
export function refusalFindings({ facts }: Judged): Finding[] {
  return facts.refusals.map(({ message, mend }) =>
    hindrance(exitCode.kernel, "no-nftables-part", message, mend),
  );
}

export function queueFindings({ configuration, facts }: Judged): Finding[] {
  const { number } = configuration.queue;
  const waits = configuration.tunnels.some(({ peers }) => peers.some(isAwaited));
  if (facts.queueHolder === undefined || facts.daemonRuns || !waits) return [];
  const what = `queue ${number} is held by another program${holderWords(facts.queueHolder)}`;
  const mend = "stop it, or set another `queue.number`";
  return [hindrance(exitCode.conflict, "foreign-queue", what, mend)];
}

export function limitFindings({ configuration, facts }: Judged): Finding[] {
  // Netlink, queue, control, log and node's own; then a raw socket for each way out.
  const needed = 64 + configuration.tunnels.length;
  const { openFiles } = facts;
  if (openFiles === undefined || openFiles >= needed) return [];
  const what = `a process may have ${openFiles} files open here, and up to ${needed} are needed`;
  const mend = "raise it: `ulimit -Hn`, or LimitNOFILE= in the unit";
  return [warning("few-open-files", what, mend)];
}

/** ` (suricata, pid 17)` */
export function holderWords(holder: Holder | undefined): string {
  const { pid, program } = holder ?? {};
  return pid === undefined ? "" : ` (${program ?? "?"}, pid ${pid})`;
}
