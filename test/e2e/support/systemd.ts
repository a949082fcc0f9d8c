/**
 * systemd as a host's process 1 on a bare Debian, with nothing but the .deb installed. What it writes lands on
 * a RAM disk that goes with it.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Delivery } from "../../lab/delivery.ts";
import { eventually } from "./eventually.ts";
import type { Host, Output } from "./host.ts";
import type { Program } from "./program.ts";

/** Arguments: the bare root, a folder with the package and the files that the operator adds, a node. */
const script = `
  bare=$1 given=$2 node=$3
  mount --make-rprivate /
  mount -t tmpfs none /mnt
  mkdir /mnt/up /mnt/work /mnt/root
  mount -t overlay overlay /mnt/root -o lowerdir=$bare,upperdir=/mnt/up,workdir=/mnt/work
  cd /mnt/root
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs none run
  mkdir -p lib/modules old opt/given
  mount --rbind /lib/modules lib/modules
  mount --bind $given opt/given
  # Debian builds its node without a snapshot: each start takes an emulated processor 3 s more than this one's.
  mount --bind $node usr/bin/node
  mount -t cgroup2 none sys/fs/cgroup
  pivot_root . old
  exec chroot . sh -ec '
    umount -l /old
    # No login, and nothing that takes an emulated processor seconds.
    for unit in getty.target remote-fs.target systemd-random-seed.service systemd-update-utmp.service \\
      systemd-binfmt.service systemd-sysctl.service systemd-pcrphase.service kmod-static-nodes.service \\
      systemd-firstboot.service systemd-machine-id-commit.service systemd-journal-catalog-update.service \\
      systemd-user-sessions.service systemd-logind.service systemd-update-utmp-runlevel.service \\
      systemd-journal-flush.service systemd-tpm2-setup.service systemd-tpm2-setup-early.service \\
      apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \\
      dev-mqueue.mount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \\
      sys-kernel-config.mount sys-fs-fuse-connections.mount tmp.mount; do
      ln -sf /dev/null /etc/systemd/system/$unit
    done
    # Without the log of the kernel: it has nothing of ours.
    mkdir -p /etc/systemd/journald.conf.d
    printf "[Journal]\\nReadKMsg=no\\nStorage=volatile\\n" >/etc/systemd/journald.conf.d/test.conf
    dpkg -i /opt/given/ipipoud.deb >/run/dpkg.log 2>&1 || { cat /run/dpkg.log; exit 1; }
    cp -r /opt/given/etc /
    chown -R root:ipipoud /etc/ipipou && chmod 640 /etc/ipipou/*
    exec /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=console'`;

/** Files to lie below /etc when the host boots: name → text. */
export type Etc = Readonly<Record<string, string>>;

export class Systemd {
  readonly #host: Host;
  readonly #program: Program;
  readonly #pid: string;
  readonly #folder: string;

  private constructor(host: Host, program: Program, pid: string, folder: string) {
    this.#host = host;
    this.#program = program;
    this.#pid = pid;
    this.#folder = folder;
  }

  /** Installs the package, then boots as far as multi-user.target. */
  static async boot(host: Host, { hostRoot, deb }: Delivery, etc: Etc): Promise<Systemd> {
    const folder = await mkdtemp(join(tmpdir(), "ipipoud-systemd-"));
    const given = `mkdir -p "$0/etc/ipipou" "$0/etc/systemd/system/ipipoud.service.d"; cp "$1" "$0/ipipoud.deb"`;
    await host.run("sh", "-ec", given, folder, deb);
    for (const [name, text] of Object.entries(etc))
      await writeFile(join(folder, "etc", name), text);
    const unshare = ["--fork", "--pid", "--mount", "--uts", "--cgroup"];
    const args = [...unshare, "sh", "-ec", script, "sh", hostRoot, folder, process.execPath];
    const program = host.start("unshare", args, { container: "ipipoud-test" });
    const pid = await eventually(
      async () => {
        const { pid } = program;
        const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
        return children.trim() || undefined;
      },
      { what: "process 1" },
    );
    const systemd = new Systemd(host, program, pid, folder);
    try {
      await eventually(() => systemd.#isUp(), {
        timeout: 140_000,
        what: "multi-user.target",
      });
    } catch (error) {
      await systemd.stop();
      throw new Error(`no boot; process 1 said:\n${program.lines.slice(-40).join("\n")}`, {
        cause: error,
      });
    }
    return systemd;
  }

  async #isUp(): Promise<boolean> {
    if (this.#program.ended !== undefined) throw new Error("process 1 has ended");
    // Before systemd runs, systemctl finds itself in a chroot and is content.
    return (await this.run("systemctl", "is-active", "multi-user.target")).stdout === "active\n";
  }

  /** A program beside the services, as root. */
  async run(program: string, ...args: string[]): Promise<Output> {
    const enter = [
      "--target",
      this.#pid,
      "--mount",
      "--pid",
      "--uts",
      "--cgroup",
      "--root",
      "--wd",
    ];
    return await this.#host.try("nsenter", ...enter, program, ...args);
  }

  /** A file in /etc/ipipou, as an operator would put it there. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.#folder, name), text);
    const path = `/etc/ipipou/${name}`;
    const put = `cp "/opt/given/${name}" ${path}; chown root:ipipoud ${path}; chmod 640 ${path}`;
    const { code, stderr } = await this.run("sh", "-ec", put);
    if (code !== 0) throw new Error(`${path}: ${stderr}`);
  }

  /** Its end, and of all that runs in it. */
  async stop(): Promise<void> {
    await this.#host.try("kill", "-9", this.#pid);
    await this.#program.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
