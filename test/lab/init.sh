#!/bin/busybox sh
# First process of the lab's guest: puts the host's root (read-only, over 9p) under a tmpfs, so that
# everything can be written and nothing reaches the host, then runs the command it finds in the share
# `lab`, leaves its exit code there and ends the machine.
# Words from the kernel's command line that it knows nothing of arrive as environment (lab_…).
b=/bin/busybox
$b mkdir -p /proc /sys /dev /lower /upper /new
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS0 2>&1
# Lines end in \n here as in a pipe; the interactive shell puts the terminal right for itself.
$b stty -F /dev/ttyS0 -onlcr

finish() {
  # The machine's isa-debug-exit device: QEMU ends with code 2 * 20 + 1. A reboot would print a line.
  $b sync
  [ -c /dev/port ] || $b mount -t devtmpfs dev /dev
  printf '\024' | $b dd of=/dev/port bs=1 seek=244 2>/dev/null
}

if [ "$lab_probe" = yes ]; then
  echo "lab: probe ok"
  finish
fi

while read -r module; do
  $b insmod "/modules/$module" || echo "lab: insmod $module failed"
done </modules/order

# cache=loose: the host's root is taken as it was when first read; a boot is short.
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /lower &&
  $b mount -t tmpfs -o size=80%,mode=755 upper /upper &&
  $b mkdir /upper/data /upper/work &&
  $b mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /new || {
  echo "lab: can't mount this machine's root in the guest"
  finish
}
$b mount -t proc proc /new/proc
$b mount -t sysfs sys /new/sys
$b mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
$b mount --move /dev /new/dev
$b mkdir -p /new/dev/pts /new/dev/shm
$b mount -t devpts devpts /new/dev/pts
$b mount -t tmpfs -o mode=1777 shm /new/dev/shm
$b mount -t tmpfs -o mode=755 run /new/run
$b mkdir -p /new/run/lab /new/run/lock /new/lib/modules
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none lab /new/run/lab
$b mount --bind "/lower$lab_modules" /new/lib/modules
$b hostname lab
$b ip link set lo up

# shellcheck disable=SC2016
$b chroot /new /bin/sh /run/lab/prepare.sh
if [ "$lab_interactive" = yes ]; then
  $b chroot /new $b setsid -c /bin/sh /run/lab/command.sh </new/dev/ttyS0 >/new/dev/ttyS0 2>&1
else
  $b chroot /new /bin/sh /run/lab/command.sh
fi
echo $? >/new/run/lab/exit
finish
