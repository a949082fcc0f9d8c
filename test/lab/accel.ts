/**
 * Whether /dev/kvm does its job. It can exist and hang (nested virtualisation that boots no stock
 * kernel), so it is tried once, with a time limit, and the answer kept for this host and kernel.
 */
import { accessSync, constants } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname, release } from "node:os";
import { join } from "node:path";
import type { Kernel } from "./kernels.ts";
import { machineArguments } from "./machine.ts";
import { cacheFolder } from "./paths.ts";
import { capture } from "./run.ts";

export type Accelerator = "kvm" | "tcg";

const probeTimeout = 20_000;

/** IPIPOUD_LAB_ACCEL decides; else the remembered answer; else a trial boot. */
export async function accelerator(
  kernel: Kernel,
  say: (line: string) => void,
): Promise<Accelerator> {
  const wish = process.env["IPIPOUD_LAB_ACCEL"];
  if (wish === "kvm" || wish === "tcg") return wish;
  if (wish !== undefined && wish !== "") {
    throw new Error(`IPIPOUD_LAB_ACCEL is ${wish}: kvm or tcg`);
  }
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return "tcg";
  }
  const memory = join(cacheFolder, `accel-${hostname()}-${release()}-${kernel.name}`);
  const remembered = await readFile(memory, "utf8").catch(() => "");
  if (remembered === "kvm" || remembered === "tcg") return remembered;
  say(`trying whether /dev/kvm boots a kernel (at most ${probeTimeout / 1000} s, once)`);
  const answer: Accelerator = (await probe(kernel)) ? "kvm" : "tcg";
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(memory, answer);
  say(
    answer === "kvm" ? "it does" : "it does not: emulating the CPU instead, about 10 times slower",
  );
  return answer;
}

async function probe(kernel: Kernel): Promise<boolean> {
  const args = [
    ...(await machineArguments(kernel, "kvm")),
    ...["-m", "512", "-append", "console=ttyS0 quiet panic=-1 lab_probe=yes", "-serial", "stdio"],
  ];
  const { stdout } = await capture("qemu-system-x86_64", args, { timeout: probeTimeout });
  return stdout.includes("lab: probe ok");
}
