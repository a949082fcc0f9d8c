/** The running kernel as the lab, where it has all it takes: no virtual machine then. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { capture } from "./run.ts";

/** Tried for real, in a namespace that goes with the shell. */
const probe = `
  for module in ipip fou veth bridge nf_tables nfnetlink_queue nft_queue nft_ct nft_nat; do
    modprobe -q $module
  done
  unshare --net sh -ec '
    ip link set lo up
    ip fou add port 10000 ipproto 4
    ip link add name probe0 type ipip local 127.0.0.1 remote 127.0.0.2 encap fou encap-sport 10000 encap-dport 10000
    ip link add name probe1 type veth peer name probe2
    nft add table ip probe
    nft add chain ip probe in "{ type filter hook prerouting priority -310; }"
    nft add rule ip probe in notrack
    nft add rule ip probe in ct state new queue num 1
    nft add chain ip probe out "{ type nat hook postrouting priority 100; }"
    nft add rule ip probe out snat to 127.0.0.1'`;

let answer: Promise<boolean> | undefined;

/** Whether we are root on a kernel with ipip, fou, nft_queue and NAT. */
export function capableHere(): Promise<boolean> {
  answer ??= capture("sh", ["-c", probe])
    .then(({ code }) => process.getuid?.() === 0 && code === 0)
    .catch(() => false);
  return answer;
}

export interface HereOptions {
  readonly command: (results: string) => readonly string[];
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeout: number;
  readonly interactive?: boolean;
  readonly results?: (folder: string) => Promise<void>;
}

/** The same contract as a guest's: exit code, results folder, environment; but nothing is thrown away after. */
export async function runHere(options: HereOptions): Promise<number> {
  const results = await mkdtemp(join(tmpdir(), "ipipoud-lab-"));
  try {
    return await new Promise((resolve, reject) => {
      const [program = "true", ...args] = options.command(results);
      const child = spawn(program, args, {
        cwd: options.folder,
        stdio: [options.interactive ? "inherit" : "ignore", "inherit", "inherit"],
        env: {
          ...process.env,
          PATH: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`,
          IPIPOUD_LAB: "host",
          ...options.environment,
        },
      });
      const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout * 1000);
      child.on("error", reject);
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve(code ?? 137);
      });
    });
  } finally {
    await options.results?.(results);
    await rm(results, { recursive: true, force: true });
  }
}
