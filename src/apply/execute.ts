/** Carries steps out. The only file that changes the kernel; `--check` can't reach it. */
import { devicesOf, devicesWith } from "../kernel/devices.ts";
import { FOU_GENL_NAME } from "../kernel/fou.ts";
import { findFamily, type GenericFamily } from "../kernel/genetlink.ts";
import { dumpLinks } from "../kernel/link.ts";
import { writeSysctl } from "../kernel/sysctl.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { Devices } from "../net/objects.ts";
import type { Request } from "../netlink/request.ts";
import type { LinkResource } from "../plan/resources.ts";
import type { Step } from "../plan/step.ts";
import type { Change } from "./change.ts";
import { makeLinks } from "./make-links.ts";
import { requestsOf } from "./messages.ts";
import { executeRuleset } from "./nftables/execute.ts";
import type { NftChange } from "./nftables/nft-change.ts";
import type { Sockets } from "./sockets.ts";

/**
 * One tunnel that can't be written is one tunnel: the others' steps go on, its own stop.
 *
 * In order: what the gate must know before devices and listeners change, these, and what it may know only
 * then. Throws the first refusal ({@link KernelError}) when all is done that could be.
 */
export async function execute(sockets: Sockets, change: Change): Promise<void> {
  await executeRuleset(sockets.netfilter, change.gateBefore);
  const failures = change.steps.length > 0 ? await executeSteps(sockets, change.steps) : [];
  // By the table we know whose the listeners are: it goes when they have gone.
  const stays = failures.length > 0 && change.gateAfter.some(removesTable);
  if (!stays) await executeRuleset(sockets.netfilter, change.gateAfter);
  if (failures.length > 0) throw failures[0];
}

function removesTable({ action, object }: NftChange): boolean {
  return action === "remove" && object.kind === "table";
}

/** What goes away together with something else, or has gone already, is no failure to remove. */
const GONE: ReadonlySet<string> = new Set(["ENODEV", "ESRCH", "ENOENT", "EADDRNOTAVAIL"]);

/** Gives what was refused, each tunnel's first refusal. */
async function executeSteps(sockets: Sockets, steps: readonly Step[]): Promise<unknown[]> {
  const fou = await findFamily(sockets.generic, FOU_GENL_NAME);
  if (fou === undefined && steps.some(needsFou)) {
    throw new Failure(
      exitCode.kernel,
      "the kernel has no generic netlink family `fou`",
      "`modprobe fou`",
    );
  }
  let devices = await readDevices(sockets);
  const broken = new Map<string | null, unknown>();
  for (const run of runs(steps)) {
    const [first] = run;
    const isLink = first?.resource.object === "link";
    for (const part of parts(run)) {
      const whole = part.filter(
        ({ resource: { tunnel } }) => tunnel === null || !broken.has(tunnel),
      );
      try {
        if (isLink && first.action === "add") {
          devices = devicesWith(devices, await makeLinks(sockets.route, linksOf(whole), devices));
        } else for (const one of await executeRun(sockets, whole, devices, fou)) note(one);
      } catch (error) {
        for (const { resource } of whole) note({ tunnel: resource.tunnel, error });
        if (isLink) devices = await readDevices(sockets);
      }
    }
    if (isLink && first.action === "remove") devices = await readDevices(sockets);
  }
  return [...broken.values()];

  function note({ tunnel, error }: Refusal): void {
    if (!broken.has(tunnel)) broken.set(tunnel, error);
  }
}

/** A host whose tunnels all do without UDP needs no such module. */
function needsFou({ resource: { object, spec } }: Step): boolean {
  return object === "fou" || (object === "link" && spec.ipip.fou !== undefined);
}

interface Refusal {
  readonly tunnel: string | null;
  readonly error: unknown;
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

/** Messages are made when their turn comes: those of a whole hub at once would take 100 MB. */
const AT_ONCE = 2000;

function* parts(run: readonly Step[]): Generator<readonly Step[]> {
  for (let first = 0; first < run.length; first += AT_ONCE) yield run.slice(first, first + AT_ONCE);
}

function linksOf(steps: readonly Step[]): LinkResource[] {
  return steps.flatMap(({ resource }) => (resource.object === "link" ? [resource] : []));
}

async function executeRun(
  sockets: Sockets,
  run: readonly Step[],
  devices: Devices,
  fou: GenericFamily | undefined,
): Promise<Refusal[]> {
  if (run[0]?.resource.object === "sysctl") return await writeSysctls(run);
  const socket = run[0]?.resource.object === "fou" ? sockets.generic : sockets.route;
  const requests: Request[] = [];
  /** The step that request i is of. */
  const owners: Step[] = [];
  for (const step of run) {
    for (const request of requestsOf(step, devices, fou)) {
      requests.push(request);
      owners.push(step);
    }
  }
  const results = await socket.requestAll(requests);
  const refusals: Refusal[] = [];
  for (let i = 0; i < results.length; i++) {
    const step = owners[i];
    let error = results[i];
    if (step === undefined || error === undefined) continue;
    const other = openInstead(step, error.code);
    if (other !== undefined) [error] = await socket.requestAll(requestsOf(other, devices, fou));
    if (error === undefined || (step.action === "remove" && GONE.has(error.code))) continue;
    refusals.push({ tunnel: step.resource.tunnel, error });
  }
  return refusals;
}

async function writeSysctls(run: readonly Step[]): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const { resource } of run) {
    if (resource.object !== "sysctl") continue;
    const { name, value } = resource.spec;
    try {
      await writeSysctl(name, value);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      // The device has gone, and its parameters with it.
      if (code === "ENOENT") continue;
      const dotted = name.replaceAll("/", ".");
      const error = new Failure(
        exitCode.privilege,
        `tunnel ${resource.tunnel}: ${dotted} can't be set to ${value} (${code})`,
        `set it from outside (in a container: \`--sysctl ${dotted}=${value}\`)`,
        { cause },
      );
      refusals.push({ tunnel: resource.tunnel, error });
    }
  }
  return refusals;
}

/** connect(2) without a route, as before a laptop is online. */
const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH", "EACCES"]);

/**
 * Where a listener can't be connected to its peer because no route leads there now, an open one does:
 * the gate checks the same. It is compared as what it is, so the next comparison tries again.
 */
function openInstead(step: Step, code: string): Step | undefined {
  const { resource, action } = step;
  if (resource.object !== "fou" || resource.spec.peer === undefined) return undefined;
  const applies = action === "add" ? NO_ROUTE.has(code) : code === "EINVAL";
  if (!applies) return undefined;
  const spec = { ...resource.spec, peer: undefined, peerPort: undefined };
  return { ...step, resource: { ...resource, spec } };
}

async function readDevices({ route }: Sockets): Promise<Devices> {
  return devicesOf(await route.dump(dumpLinks(false)));
}
