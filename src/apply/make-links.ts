/**
 * New devices, never without the sign that they are ours: the kernel takes the alias only from a second
 * message, and a kill between the two would leave a device that the next start takes for foreign. Both
 * go out in one datagram, which send(2) works through to its end; the second names the device by an index
 * that we have chosen.
 */
import { randomInt } from "node:crypto";
import { devicesOf, devicesWith } from "../kernel/devices.ts";
import { deleteLink, dumpLinks, setLinkAlias } from "../kernel/link.ts";
import type { Devices } from "../net/objects.ts";
import type { Netlink } from "../netlink/connection.ts";
import type { KernelError } from "../netlink/errors.ts";
import type { LinkResource } from "../plan/resources.ts";
import { linkRequests } from "./messages.ts";

/**
 * Indexes are chosen from here. Far from where the kernel counts (one up for each new device), because
 * a device that someone else made meanwhile under the index would get our alias.
 */
const FIRST_INDEX = 1 << 20;
const LAST_INDEX = 1 << 24;

/** requestAll() splits no more than 128 messages. */
const LINKS_AT_ONCE = 40;

/** An index that was free is taken: once would be remarkable. */
const ATTEMPTS = 5;

const TAKEN: ReadonlySet<string> = new Set(["EEXIST", "EBUSY"]);

/** Gives the index of each by its name. Throws the first refusal; devices of the same call may stand then. */
export async function makeLinks(
  route: Pick<Netlink, "requestAll" | "dump">,
  links: readonly LinkResource[],
  devices: Devices,
  chooseIndex: (devices: Devices) => number = freeIndex,
): Promise<Map<string, number>> {
  const made = new Map<string, number>();
  for (let first = 0; first < links.length; first += LINKS_AT_ONCE) {
    const some = links.slice(first, first + LINKS_AT_ONCE);
    // Not an index of those made just now: the alias would go to that one.
    const known = devicesWith(devices, made);
    for (const [name, index] of await makeSome(route, some, known, chooseIndex)) {
      made.set(name, index);
    }
  }
  return made;
}

async function makeSome(
  route: Pick<Netlink, "requestAll" | "dump">,
  links: readonly LinkResource[],
  before: Devices,
  chooseIndex: (devices: Devices) => number,
): Promise<Map<string, number>> {
  const indexes = new Map<string, number>();
  let devices = before;
  let left = links;
  for (let attempt = 1; left.length > 0; attempt++) {
    const chosen = new Set<number>();
    const made = left.map((link) => {
      let index = chooseIndex(devices);
      while (chosen.has(index)) index = chooseIndex(devices);
      chosen.add(index);
      indexes.set(link.spec.name, index);
      return { link, index, requests: linkRequests(link, devices, index) };
    });
    const results = await route.requestAll(made.flatMap(({ requests }) => requests));
    let at = 0;
    const refused = made.flatMap(({ link, index, requests }) => {
      const errors = results.slice(at, at + requests.length);
      at += requests.length;
      const error = errors.find((one) => one !== undefined);
      return error === undefined ? [] : [{ link, index, error, stands: errors[0] === undefined }];
    });
    if (refused.length === 0) break;
    // One that was made, but not marked for ours, would be somebody else's for ever after.
    const unmarked = refused.filter(({ stands }) => stands);
    if (unmarked.length > 0) {
      await route.requestAll(unmarked.map(({ index }) => deleteLink(index)));
    }
    devices = devicesOf(await route.dump(dumpLinks(false)));
    for (const one of refused) {
      if (attempt === ATTEMPTS || !isIndexTaken(one, devices)) throw one.error;
    }
    // Whoever got there first was given our alias by the message behind the refused one.
    await route.requestAll(refused.map(({ index }) => setLinkAlias(index, "")));
    left = refused.map(({ link }) => link);
  }
  return indexes;
}

/** EEXIST stands for a name, an index and a pair of addresses alike. */
function isIndexTaken(
  refused: { link: LinkResource; index: number; error: KernelError },
  devices: Devices,
): boolean {
  const { link, index, error } = refused;
  if (!TAKEN.has(error.code) || devices.index(link.spec.name) !== undefined) return false;
  return devices.name(index) !== undefined;
}

function freeIndex(devices: Devices): number {
  for (;;) {
    const index = randomInt(FIRST_INDEX, LAST_INDEX);
    if (devices.name(index) === undefined) return index;
  }
}
