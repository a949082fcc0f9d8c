/** Everything that `--check` says of a host beside what a start itself looks at. Pure. */
import type { Finding } from "../../finding.ts";
import type { Judge, Judged } from "../judged.ts";
import { clockFindings } from "./clock.ts";
import { placeFindings, secretFindings } from "./files.ts";
import { conntrackFindings, firewallFindings } from "./firewall.ts";
import {
  limitFindings,
  moduleFindings,
  queueFindings,
  refusalFindings,
  rightsFindings,
} from "./kernel.ts";
import { managerFindings } from "./managers.ts";
import { forwardingFindings, overlapFindings, routeFindings } from "./networks.ts";
import {
  defaultRouteFindings,
  endpointFindings,
  filterFindings,
  listenFindings,
  mtuFindings,
  underlayFindings,
} from "./paths.ts";
import { allowedFindings, keyFindings } from "./peers.ts";
import { portFindings } from "./ports.ts";

const judges: readonly Judge[] = [
  ...[rightsFindings, moduleFindings, refusalFindings, queueFindings, portFindings, routeFindings],
  ...[listenFindings, placeFindings, limitFindings],
  ...[underlayFindings, endpointFindings, defaultRouteFindings, filterFindings, mtuFindings],
  ...[firewallFindings, conntrackFindings, forwardingFindings, overlapFindings, managerFindings],
  ...[clockFindings, secretFindings, allowedFindings, keyFindings],
];

export function hostFindings(judged: Judged): Finding[] {
  return judges.flatMap((judge) => judge(judged));
}
