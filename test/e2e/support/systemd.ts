/**
 * systemd as a host's process 1, in namespaces of its own, with the program installed as a package would
 * install it. What it writes to /usr, /etc and /var lands on a RAM disk that goes with it.
 */
import { readFile } from "node:fs/promises";
import { projectRoot } from "../../lab/paths.ts";
import { eventually } from "./eventually.ts";
import type { Host, Output } from "./host.ts";
import type { Program } from "./program.ts";

const script = `
  mount --make-rprivate /
  mount -t tmpfs none /run
  for folder in usr etc var; do
    mkdir -p /run/over/$folder/up /run/over/$folder/work
    mount -t overlay overlay /$folder \\
      -o lowerdir=/$folder,upperdir=/run/over/$folder/up,workdir=/run/over/$folder/work
  done
  to=/usr/lib/ipipoud
  mkdir -p $to/build/Release $to/dist $to/node_modules /usr/lib/systemd/system /etc/ipipou
  cp package.json $to; cp -r dist/bin $to/dist; cp build/Release/ipipoud.node $to/build/Release
  cp -r node_modules/raw-socket $to/node_modules
  ln -s $to/dist/bin/ipipoud.js /usr/bin/ipipoud
  cp conf/systemd/ipipoud.service /usr/lib/systemd/system
  for kind in sysusers tmpfiles modules-load; do
    mkdir -p /usr/lib/$kind.d; cp conf/systemd/$kind.conf /usr/lib/$kind.d/ipipoud.conf
  done
  # What no service here needs, and what takes an emulated processor seconds.
  for unit in udevd.service udev-trigger.service udevd-control.socket udevd-kernel.socket sysctl.service \\
    random-seed.service update-utmp.service binfmt.service remount-fs.service; do
    ln -sf /dev/null /etc/systemd/system/systemd-$unit
  done
  for unit in dev-mqueue.mount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \\
    sys-kernel-config.mount sys-fs-fuse-connections.mount kmod-static-nodes.service; do
    ln -sf /dev/null /etc/systemd/system/$unit
  done
  mount -t tmpfs none /tmp
  mkdir -p /sys/fs/cgroup
  mount -t cgroup2 none /sys/fs/cgroup
  exec /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=console`;

export class Systemd {
  readonly #host: Host;
  readonly #program: Program;
  readonly #pid: string;

  private constructor(host: Host, program: Program, pid: string) {
    this.#host = host;
    this.#program = program;
    this.#pid = pid;
  }

  static async boot(host: Host): Promise<Systemd> {
    const unshare = ["--fork", "--pid", "--mount", "--cgroup", "--mount-proc"];
    const args = [...unshare, "sh", "-ec", `cd '${projectRoot}'\n${script}`];
    const program = host.start("unshare", args, { container: "ipipoud-test" });
    const pid = await eventually(
      async () => {
        const { pid } = program;
        const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
        return children.trim() || undefined;
      },
      { what: "process 1" },
    );
    const systemd = new Systemd(host, program, pid);
    try {
      await eventually(() => systemd.#isUp(), {
        timeout: 120_000,
        what: `basic.target; systemd said:\n${program.lines.slice(-20).join("\n")}`,
      });
    } catch (error) {
      await systemd.stop();
      throw error;
    }
    return systemd;
  }

  async #isUp(): Promise<boolean> {
    return (await this.run("systemctl", "is-active", "basic.target")).code === 0;
  }

  /** A program beside the services, as root. */
  async run(program: string, ...args: string[]): Promise<Output> {
    const enter = ["--target", this.#pid, "--mount", "--pid", "--cgroup", "--root", "--wd"];
    return await this.#host.try("nsenter", ...enter, program, ...args);
  }

  /** A file in /etc/ipipou, as an operator would put it there. */
  async write(name: string, text: string): Promise<void> {
    const path = `/etc/ipipou/${name}`;
    const put = `printf %s "$0" >${path}; chown root:ipipoud ${path}; chmod 640 ${path}`;
    const { code, stderr } = await this.run("sh", "-ec", put, text);
    if (code !== 0) throw new Error(`${path}: ${stderr}`);
  }

  /** Its end, and of all that runs in it. */
  async stop(): Promise<void> {
    await this.#host.try("kill", "-9", this.#pid);
    await this.#program.end();
  }
}
