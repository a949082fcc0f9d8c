/**
 * Kernel parameters: what to write, and what to remember so that the stop can put it back. Pure.
 *
 * What was there before is remembered in the kernel, in our table: that lives exactly as long as the
 * parameters do (a kill keeps both, a boot takes both), and belongs to their network namespace.
 */
import type { TunnelConfig } from "../config/model.ts";
import { MAIN_TABLE } from "../net/objects.ts";
import type { SysctlResource } from "./resources.ts";
import type { Step } from "./step.ts";

export const IP_FORWARD = "net/ipv4/ip_forward";

/** 1 is strict, 2 loose. */
export const rpFilterOf = (device: string): string => `net/ipv4/conf/${device}/rp_filter`;
const RP_FILTER = /\/rp_filter$/;
const STRICT = "1";
const LOOSE = "2";

export interface WantedSysctl {
  readonly tunnel: string;
  readonly name: string;
  readonly value: string;
}

/** What we have written over. */
export interface Remembered {
  readonly name: string;
  /** What we wrote, and what was there. */
  readonly is: string;
  readonly was: string;
}

export interface Sysctls {
  readonly wanted: readonly WantedSysctl[];
  /** Present values of those that exist. */
  readonly values: ReadonlyMap<string, string>;
  readonly remembered: readonly Remembered[];
  /** Devices that are about to be made, and that are about to go, with all that is theirs. */
  readonly made: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
}

export interface SysctlPlan {
  readonly steps: readonly Step[];
  /** What is to be remembered from now on. */
  readonly remembered: readonly Remembered[];
}

/**
 * A tunnel by whose own routing table, or mark, packets leave gets answers from where the main table would
 * not send: a strict filter on its device drops them.
 */
export function wantedSysctls(tunnels: readonly TunnelConfig[]): WantedSysctl[] {
  return tunnels.flatMap(({ name, interface: device, forwarding, routes, rules, marks }) => {
    const uneven =
      rules.length + marks.length > 0 || routes.some(({ table }) => table !== MAIN_TABLE);
    return [
      ...(forwarding ? [{ tunnel: name, name: IP_FORWARD, value: "1" }] : []),
      ...(uneven ? [{ tunnel: name, name: rpFilterOf(device), value: LOOSE }] : []),
    ];
  });
}

/** What has to be looked at for these tunnels. */
export function sysctlNames(tunnels: readonly TunnelConfig[]): string[] {
  const names = wantedSysctls(tunnels).map(({ name }) => name);
  const filters = names.some((name) => RP_FILTER.test(name));
  // Whoever does not forward answers for nobody.
  const proxies = tunnels.some(({ proxyArp }) => proxyArp.length > 0);
  return [
    ...names,
    ...(filters ? [rpFilterOf("all"), rpFilterOf("default")] : []),
    ...(proxies ? [IP_FORWARD] : []),
  ];
}

export function planSysctls(sysctls: Sysctls): SysctlPlan {
  const { wanted, remembered, values, gone } = sysctls;
  const steps: Step[] = [];
  const kept = new Map<string, Remembered>();
  const before = new Map(remembered.map((one) => [one.name, one]));
  for (const { tunnel, name, value } of wanted) {
    const there = presentValue(sysctls, name);
    if (there === undefined || kept.has(name)) continue;
    const known = before.get(name);
    if (there === value) {
      if (known !== undefined) kept.set(name, known);
      continue;
    }
    if (RP_FILTER.test(name) && !isStrict(values, there)) continue;
    steps.push(write(tunnel, name, value, there));
    kept.set(name, { name, is: value, was: there });
    // Those that the kernel changes along with it are known too, as they were.
    if (name === IP_FORWARD) for (const one of setAlong(values)) kept.set(one.name, one);
  }
  const forwards = wanted.some(({ name }) => name === IP_FORWARD);
  for (const one of remembered) {
    if (kept.has(one.name) || gone.has(deviceIn(one.name) ?? "")) continue;
    if (isAlong(one.name)) {
      if (forwards) kept.set(one.name, one);
    } else if (values.get(one.name) === one.is) {
      // Else somebody has changed it since, and had a reason.
      steps.push(...putBack(one, one.was, remembered));
    }
  }
  return { steps, remembered: [...kept.values()] };
}

/** What leads back to the values of an earlier look. */
export function revertSysctls(
  earlier: Pick<Sysctls, "values" | "remembered">,
  now: Pick<Sysctls, "values" | "remembered">,
): Step[] {
  const written = [
    ...now.remembered,
    ...earlier.remembered.map(({ name, is, was }) => ({ name, is: was, was: is })),
  ];
  return written.flatMap((one) => {
    const value = earlier.values.get(one.name);
    const stands = isAlong(one.name) || now.values.get(one.name) !== one.is || value === one.is;
    return stands || value === undefined ? [] : putBack(one, value, now.remembered);
  });
}

/** With what the kernel then sets along. */
function putBack(
  { name, is }: Remembered,
  value: string,
  remembered: readonly Remembered[],
): Step[] {
  const along = name === IP_FORWARD ? remembered.filter((one) => isAlong(one.name)) : [];
  return [
    write(null, name, value, is),
    ...along.map((one) => write(null, one.name, one.was, one.is)),
  ];
}

function write(tunnel: string | null, name: string, value: string, there: string): Step {
  const of = (spec: SysctlResource["spec"]): SysctlResource => ({ object: "sysctl", tunnel, spec });
  return { action: "change", resource: of({ name, value }), previous: of({ name, value: there }) };
}

/** A new device begins with the defaults. */
function presentValue({ values, made }: Sysctls, name: string): string | undefined {
  const device = deviceIn(name);
  if (device === undefined || !made.has(device)) return values.get(name);
  return values.get(name.replace(`/${device}/`, "/default/"));
}

/**
 * The greater of the host's value and the device's own counts (include/linux/inetdevice.h, IN_DEV_RPFILTER), so
 * that loose beats strict.
 */
export function isStrict(values: ReadonlyMap<string, string>, own: string): boolean {
  const all = values.get(rpFilterOf("all")) ?? "0";
  return (all > own ? all : own) === STRICT;
}

/** The device whose parameter it is. */
export function deviceIn(name: string): string | undefined {
  const device = /^net\/ipv4\/conf\/([^/]+)\//.exec(name)?.[1];
  return device === "all" || device === "default" ? undefined : device;
}

/** net/ipv4/devinet.c, inet_forward_change(): these go with ip_forward, there and back. */
const REDIRECTS = "net/ipv4/conf/all/accept_redirects";
const FORWARDING = /^net\/ipv4\/conf\/(?!all\/)[^/]+\/forwarding$/;

export function isAlong(name: string): boolean {
  return name === REDIRECTS || FORWARDING.test(name);
}

/** Those whose value is not the one that ip_forward takes them back to. */
function setAlong(values: ReadonlyMap<string, string>): Remembered[] {
  const odd: Remembered[] = [];
  for (const [name, was] of values) {
    if (!isAlong(name)) continue;
    const [is, back] = name === REDIRECTS ? (["0", "1"] as const) : (["1", "0"] as const);
    if (was !== back) odd.push({ name, is, was });
  }
  return odd;
}
