/** One virtual machine: QEMU with this machine's root, one command, its exit code. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { accelerator } from "./accel.ts";
import type { Kernel } from "./kernels.ts";
import { lockFile, sourceFile } from "./paths.ts";
import { ramdisk } from "./ramdisk.ts";

export interface Boot {
  readonly kernel: Kernel;
  readonly command: (results: string) => readonly string[];
  /** Working folder in the guest, the same path as here. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds from the start of the machine. */
  readonly timeout: number;
  /** MiB of memory; what the guest writes lives in it too. */
  readonly memory?: number;
  /** The guest's clock counts its instructions, one nanosecond each; idle time is skipped. */
  readonly icount?: boolean;
  /** A terminal instead of a pipe: the command talks to the user. */
  readonly interactive?: boolean;
  /** Gets the guest's console as it comes; default: our stdout. */
  readonly output?: (text: string) => void;
  /** Lines about what takes long. */
  readonly say: (line: string) => void;
  /** Reads what the guest left in /run/lab before that folder goes, also after a crash. */
  readonly results?: (folder: string) => Promise<void>;
}

/** The guest did not come to the end of its command. */
export class GuestFailed extends Error {}

/** QEMU's exit code when init.sh ends the machine; 0 would be a reset, a panic for example. */
const cleanEnd = 41;

/** Where init.sh mounts the folder that guest and host share. */
const guestShare = "/run/lab";

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Boots, runs the command, gives its exit code. Waits for another machine's end where there is one. */
export async function boot(options: Boot): Promise<number> {
  const share = await mkdtemp(join(tmpdir(), "ipipoud-lab-"));
  try {
    await writeFile(join(share, "prepare.sh"), await readFile(sourceFile("lab", "prepare.sh")));
    await writeFile(join(share, "command.sh"), commandScript(options));
    try {
      await qemu(options, share);
    } finally {
      await options.results?.(share);
    }
    const exit = await readFile(join(share, "exit"), "utf8").catch(() => undefined);
    if (exit === undefined) {
      throw new GuestFailed(`the guest (kernel ${options.kernel.name}) ended before its command`);
    }
    return Number(exit.trim());
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await rm(share, { recursive: true, force: true });
    process.exit(130); // whoever asked for an end wants no further machine
  } finally {
    await rm(share, { recursive: true, force: true });
  }
}

/** SIGINT or SIGTERM came while a machine ran or was waited for. */
class Interrupted extends Error {}

function commandScript(options: Boot): string {
  const path = [dirname(process.execPath), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin"];
  const environment: Record<string, string> = {
    HOME: "/root",
    PATH: [...new Set([...path, "/usr/bin", "/sbin", "/bin"])].join(":"),
    LANG: "C.UTF-8",
    IPIPOUD_LAB: options.kernel.name,
    ...(options.interactive ? terminal() : { TERM: "dumb" }),
    ...options.environment,
  };
  return [
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`),
    ...(options.interactive ? [`stty sane cols "$COLUMNS" rows "$LINES"`] : []),
    `cd ${quote(options.folder)} || exit 1`,
    `exec ${options.command(guestShare).map(quote).join(" ")}`,
    "",
  ].join("\n");
}

function terminal(): Record<string, string> {
  return {
    TERM: process.env["TERM"] ?? "linux",
    COLUMNS: String(process.stdout.columns ?? 80),
    LINES: String(process.stdout.rows ?? 24),
  };
}

async function qemu(options: Boot, share: string): Promise<void> {
  const accel = options.icount ? "tcg" : await accelerator(options.kernel, options.say);
  const args = [
    ...(await machineArguments(options.kernel, accel, options.icount)),
    ...["-m", String(options.memory ?? 1536)],
    ...(options.icount ? ["-icount", "shift=0,sleep=off"] : []),
    ...shareArguments("root", "/", true),
    ...shareArguments("lab", share, false),
    ...["-append", kernelWords(options)],
    // Ctrl-C belongs to the shell in the guest, or ends the machine.
    ...["-chardev", `stdio,id=console,signal=${options.interactive ? "off" : "on"}`],
    ...["-serial", "chardev:console"],
  ];
  await underLock(args, options);
}

/**
 * Emulated, `rep movsb` copies byte by byte; a kernel and a C library that hear of ERMS and FSRM take it for fast.
 * Without, everything costs a fifth less. A machine that counts keeps them, so that its figures stay comparable.
 */
const EMULATED = "max,-erms,-fsrm";
const COUNTED = "max";

/** What every machine of the lab has in common, the probe's too. */
export async function machineArguments(
  kernel: Kernel,
  accel: "kvm" | "tcg",
  counts = false,
): Promise<string[]> {
  const processor = accel === "kvm" ? "host" : counts ? COUNTED : EMULATED;
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-machine", "pc", "-accel", accel === "kvm" ? "kvm" : "tcg,thread=single"],
    // More than one CPU under tcg: patching of jump labels has crashed kernels.
    ...["-cpu", processor, "-smp", accel === "kvm" ? "2" : "1"],
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"],
    ...["-kernel", kernel.image, "-initrd", await ramdisk(kernel)],
  ];
}

function kernelWords(options: Boot): string {
  return [
    "console=ttyS0 quiet panic=-1",
    // What a boot would otherwise spend seconds on.
    "tsc=reliable no_timer_check nokaslr",
    // New namespaces take this from the module's parameter, whatever prepare.sh sets.
    "ipv6.disable_ipv6=1",
    `lab_modules=${join(options.kernel.root, "lib/modules")}`,
    ...(options.interactive ? ["lab_interactive=yes"] : []),
  ].join(" ");
}

function shareArguments(tag: string, path: string, readOnly: boolean): string[] {
  // multidevs: folders of the host may lie on several file systems, whose inode numbers overlap.
  const fs = `local,id=${tag},path=${path},security_model=none,multidevs=remap`;
  return [
    ...["-fsdev", readOnly ? `${fs},readonly=on` : fs],
    ...["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}

/** flock(1) becomes QEMU, so the lock is held exactly as long as the machine runs. */
async function underLock(args: readonly string[], options: Boot): Promise<void> {
  const started = "lab: lock held";
  const script = `echo ${quote(started)}; exec qemu-system-x86_64 "$@"`;
  const child = spawn(
    "flock",
    ["-F", lockFile(options.kernel.name), "sh", "-c", script, "qemu", ...args],
    {
      stdio: [options.interactive ? "inherit" : "ignore", "pipe", "inherit"],
    },
  );
  let interrupted = false;
  const stop = (): void => {
    interrupted = true;
    child.kill("SIGTERM");
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let waited = false;
  const waiting = setTimeout(() => {
    waited = true;
    options.say("another virtual machine with this kernel is running; waiting for its end");
  }, 500);
  let timer: NodeJS.Timeout | undefined;
  let timedOut = false;
  let head: string | undefined = "";
  const output =
    options.output ??
    ((text: string): void => {
      process.stdout.write(text);
    });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (head === undefined) {
      output(text);
      return;
    }
    head += text;
    if (!head.startsWith(`${started}\n`)) return;
    clearTimeout(waiting);
    if (waited) options.say("it has ended; starting");
    timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeout * 1000);
    const rest = head.slice(started.length + 1);
    head = undefined;
    if (rest !== "") output(rest);
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (interrupted) throw new Interrupted();
    if (timedOut) {
      throw new GuestFailed(`the guest was still running after ${options.timeout} s: killed`);
    }
    if (code !== cleanEnd) throw new GuestFailed(`qemu-system-x86_64 ended with code ${code}`);
  } finally {
    clearTimeout(waiting);
    clearTimeout(timer);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
