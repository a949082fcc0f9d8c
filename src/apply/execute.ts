/** Carries steps out. The only file that changes the kernel; `--check` can't reach it. */
import { devicesOf } from "../kernel/devices.ts";
import { FOU_GENL_NAME } from "../kernel/fou.ts";
import { findFamily, type GenericFamily } from "../kernel/genetlink.ts";
import { dumpLinks } from "../kernel/link.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { Devices } from "../net/objects.ts";
import { KernelError } from "../netlink/errors.ts";
import type { Step } from "../plan/diff.ts";
import type { Change } from "./change.ts";
import { makeLinks } from "./make-links.ts";
import { messagesOf } from "./messages.ts";
import { executeRuleset } from "./nftables/execute.ts";
import type { Sockets } from "./sockets.ts";

/**
 * In order: what the gate must know before devices and listeners change, these, and what it may know only
 * then. Throws {@link KernelError} with the first refusal; steps after it are not tried.
 */
export async function execute(sockets: Sockets, change: Change): Promise<void> {
  await executeRuleset(sockets.netfilter, change.gateBefore);
  if (change.steps.length > 0) await executeSteps(sockets, change.steps);
  await executeRuleset(sockets.netfilter, change.gateAfter);
}

/** What goes away together with something else, or has gone already, is no failure to remove. */
const GONE: ReadonlySet<string> = new Set(["ENODEV", "ESRCH", "ENOENT", "EADDRNOTAVAIL"]);

async function executeSteps(sockets: Sockets, steps: readonly Step[]): Promise<void> {
  const fou = await findFamily(sockets.generic, FOU_GENL_NAME);
  if (fou === undefined) {
    throw new Failure(
      exitCode.kernel,
      "the kernel has no generic netlink family `fou`",
      "`modprobe fou`",
    );
  }
  let devices = await readDevices(sockets);
  for (const run of runs(steps)) {
    const newLinks = run.flatMap(({ action, resource }) =>
      action === "add" && resource.object === "link" ? [resource] : [],
    );
    if (newLinks.length > 0) await makeLinks(sockets.route, newLinks, devices);
    else await executeRun(sockets, run, devices, fou);
    if (run.some(({ action, resource }) => resource.object === "link" && action !== "change")) {
      devices = await readDevices(sockets);
    }
  }
}

/** Steps that can go out in one go: of one kind of object and one action. */
function runs(steps: readonly Step[]): Step[][] {
  const all: Step[][] = [];
  for (const step of steps) {
    const last = all.at(-1);
    const same =
      last?.[0]?.resource.object === step.resource.object && last[0].action === step.action;
    if (same) last.push(step);
    else all.push([step]);
  }
  return all;
}

async function executeRun(
  sockets: Sockets,
  run: readonly Step[],
  devices: Devices,
  fou: GenericFamily,
): Promise<void> {
  const messages = run.flatMap((step) =>
    messagesOf(step, devices, fou).map((message) => ({
      ...message,
      removing: step.action === "remove",
    })),
  );
  const socket = messages[0]?.family === "generic" ? sockets.generic : sockets.route;
  const results = await socket.requestAll(messages.map(({ request }) => request));
  throwFirst(
    results.filter((error, i) => !(messages[i]?.removing === true && GONE.has(error?.code ?? ""))),
  );
}

async function readDevices({ route }: Sockets): Promise<Devices> {
  return devicesOf(await route.dump(dumpLinks(false)));
}

function throwFirst(results: readonly (KernelError | undefined)[]): void {
  const error = results.find((result) => result instanceof KernelError);
  if (error !== undefined) throw error;
}
