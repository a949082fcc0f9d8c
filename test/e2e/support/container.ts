/**
 * A container without an engine: the image's file system as the Dockerfile's scripts left it, mounted and
 * confined as compose.yaml asks an engine to, and the image's entrypoint as process 1.
 */
import { readFile } from "node:fs/promises";
import type { Delivery } from "../../lab/delivery.ts";
import { eventually } from "./eventually.ts";
import type { Host, Output } from "./host.ts";
import type { Program } from "./program.ts";

/** Arguments: image, installation, folder for /etc/ipipou. */
const script = `
  image=$1 installation=$2 etc=$3
  mount --make-rprivate /
  mount -t tmpfs none /mnt
  mkdir /mnt/up /mnt/work /mnt/root
  mount -t overlay overlay /mnt/root -o lowerdir=$image,upperdir=/mnt/up,workdir=/mnt/work
  cd /mnt/root
  mkdir -p usr/lib/ipipoud run/ipipoud
  # The guest's view of this machine's files leaves their capabilities out: what system.sh did, once more.
  setcap cap_net_admin,cap_net_raw+ep usr/lib/ipipoud-node
  mount --bind $installation usr/lib/ipipoud
  mount --bind $etc etc/ipipou
  mount -t tmpfs -o uid=990,gid=0,mode=0770 none run/ipipoud
  mount -t tmpfs -o uid=990,gid=0,mode=0770 none var/lib/ipipoud
  mount -t tmpfs none dev
  for name in null urandom; do touch dev/$name; mount --bind /dev/$name dev/$name; done
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -o remount,ro /mnt/root
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot . \\
    setpriv --reuid=990 --regid=990 --clear-groups --inh-caps=-all --bounding-set=-all,+net_admin,+net_raw \\
    /usr/lib/ipipoud/conf/container/entrypoint.sh`;

export class Container {
  readonly host: Host;
  readonly process: Program;

  /** `etc` is the folder that it sees as /etc/ipipou. */
  constructor(host: Host, delivery: Delivery, etc: string) {
    const words = [delivery.imageRoot, delivery.installation, etc];
    const unshare = ["--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc"];
    this.host = host;
    this.process = host.start("unshare", [...unshare, "sh", "-ec", script, "sh", ...words]);
  }

  /** Process 1, as the kernel outside numbers it. */
  async pid(): Promise<string> {
    const { pid } = this.process;
    return await eventually(
      async () => (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim() || undefined,
      { what: "process 1" },
    );
  }

  /** A command in it, as an engine runs a HEALTHCHECK. */
  async exec(...command: string[]): Promise<Output> {
    const inside = ["--target", await this.pid(), "--mount", "--pid", "--root", "--wd"];
    const user = ["setpriv", "--reuid=990", "--regid=990", "--clear-groups", "--inh-caps=-all"];
    return await this.host.try("nsenter", ...inside, ...user, ...command);
  }

  /** SIGTERM to process 1, as an engine stops it; gives its exit code. */
  async stop(): Promise<number | string> {
    if (this.process.ended === undefined) await this.host.try("kill", "-TERM", await this.pid());
    return await this.process.end();
  }
}
