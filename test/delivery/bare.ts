/** A bare Debian for one script, as root, on this very kernel; what it writes is gone when it ends. */
import { capture, type Finished } from "../lab/run.ts";

const script = `
  mount -t tmpfs none /mnt
  mkdir /mnt/up /mnt/work /mnt/root
  mount -t overlay overlay /mnt/root -o lowerdir="$1",upperdir=/mnt/up,workdir=/mnt/work
  mount -t proc proc /mnt/root/proc
  mkdir /mnt/root/opt/given
  mount --bind "$2" /mnt/root/opt/given
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot /mnt/root sh -ec "$3"`;

/** `given` is the folder that it finds as /opt/given. */
export async function inBareRoot(root: string, given: string, text: string): Promise<Finished> {
  const args = ["--mount", "--pid", "--fork", "sh", "-ec", script, "sh", root, given, text];
  return await capture("unshare", args, { timeout: 120_000 });
}
