/**
 * Who stands where outside, and which of several at one place is translated. Knows no clock and no
 * kernel: the same sequence of arrivals and departures gives the same answers.
 *
 * A place is a pair of outer addresses, (a device's local, a remote). Of a hub's peers there the one that
 * came first has the plain form, the others are translated; when it goes, the next moves up, which costs no
 * packet. A direct tunnel's device would take the packets of all of them, so direct tunnels have the plain
 * form only where no hub's peer is, and of these only the one that came first. One that is translated stays
 * so until it moves by itself: its device and the gate can't change at one moment. A tunnel without UDP
 * can't be translated, so everybody else makes room for it.
 */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { type Endpoint, type IpAddress, isHost, sameEndpoint } from "../net/address.ts";
import { formOfTunnel, isPlain, type TunnelForm } from "./form.ts";
import type { ForeignIpip } from "./situation.ts";
import type { Standing } from "./standing.ts";

export interface Claim {
  /** `tunnel/peer` */
  readonly key: string;
  readonly form: TunnelForm;
  /** The outer address of its tunnel's device. */
  readonly local: IpAddress;
  readonly endpoint: Endpoint;
  /** Has only single inner addresses: the gate then tells it from others at its endpoint. */
  readonly exact: boolean;
  /** It can't be translated: there is no UDP. */
  readonly plain: boolean;
  /** A device of somebody else has this pair. */
  readonly foreign: boolean;
  /** It stands there, translated, already. */
  readonly stays: boolean;
}

/** @param foreignIpip Devices of somebody else. */
export function claimOf(
  of: Pick<Claim, "key" | "local" | "endpoint" | "stays"> & {
    readonly tunnel: TunnelConfig;
    readonly peer: PeerConfig;
  },
  foreignIpip: readonly Pick<ForeignIpip, "local" | "remote">[],
): Claim {
  const { tunnel, peer, key, local, endpoint, stays } = of;
  return {
    ...{ key, local, endpoint, stays },
    form: formOfTunnel(tunnel),
    plain: isPlain(tunnel),
    exact: peer.allowedIPs?.every(isHost) ?? false,
    foreign: foreignIpip.some((one) => one.local === local && one.remote === endpoint.address),
  };
}

export interface Outcome {
  readonly standing: Standing;
  /** Others that stand differently now. */
  readonly changed: readonly string[];
  /** Others that have lost their endpoint to this one. */
  readonly displaced: readonly string[];
}

interface Occupant extends Claim {
  standing: Standing;
}

/** Both in the order of arrival. */
interface Place {
  readonly hub: Occupant[];
  readonly direct: Occupant[];
}

export class Places {
  readonly #byKey = new Map<string, Occupant>();
  readonly #byPair = new Map<string, Place>();

  standing(key: string): Standing | undefined {
    return this.#byKey.get(key)?.standing;
  }

  /** Who stands at this endpoint, of all tunnels at this local address. */
  at(local: IpAddress, { address, port }: Endpoint): readonly string[] {
    const place = this.#byPair.get(`${local}|${address}`);
    if (place === undefined) return [];
    return [...place.hub, ...place.direct]
      .filter(({ endpoint }) => endpoint.port === port)
      .map(({ key }) => key);
  }

  take(claim: Claim): Outcome {
    const { key, endpoint } = claim;
    const mine = this.#byKey.get(key);
    const stays = mine !== undefined && pairOf(mine) === pairOf(claim);
    if (stays && mine.endpoint.port === endpoint.port) {
      return { standing: mine.standing, changed: [], displaced: [] };
    }
    const changed = new Set<string>();
    if (mine !== undefined && !stays) for (const other of this.leave(key)) changed.add(other);
    const place = this.#byPair.get(pairOf(claim)) ?? { hub: [], direct: [] };
    this.#byPair.set(pairOf(claim), place);
    // Two with networks at one endpoint can't be told apart: the later proof is the better one.
    const displaced = place.hub
      .filter((one) => one !== mine && !claim.exact && !one.exact && isSame(one, claim))
      .map((one) => one.key);
    for (const other of displaced) for (const heir of this.leave(other)) changed.add(heir);
    // The last one's going may have taken the place away.
    this.#byPair.set(pairOf(claim), place);
    const line = place[claim.form];
    const second = line.some((one) => one !== mine && isSame(one, claim));
    const translated = claim.form === "hub" || !(claim.plain || isFree(place, claim, mine));
    const occupant: Occupant = { ...claim, standing: { translated, second } };
    this.#byKey.set(key, occupant);
    if (stays) {
      line[line.indexOf(mine)] = occupant;
      for (const heir of inherit(line, mine)) changed.add(heir);
    } else line.push(occupant);
    for (const other of settle(place)) changed.add(other);
    changed.delete(key);
    for (const other of displaced) changed.delete(other);
    return { standing: occupant.standing, changed: [...changed], displaced };
  }

  /** Gives the others that stand differently now. */
  leave(key: string): readonly string[] {
    const mine = this.#byKey.get(key);
    if (mine === undefined) return [];
    this.#byKey.delete(key);
    const place = this.#byPair.get(pairOf(mine));
    if (place === undefined) return [];
    const line = place[mine.form];
    const at = line.indexOf(mine);
    if (at >= 0) line.splice(at, 1);
    if (place.hub.length + place.direct.length === 0) this.#byPair.delete(pairOf(mine));
    return [...new Set([...inherit(line, mine), ...settle(place)])];
  }

  clear(): void {
    this.#byKey.clear();
    this.#byPair.clear();
  }
}

/** Whoever else is at the endpoint has now what an endpoint has once. */
function inherit(line: readonly Occupant[], gone: Occupant): string[] {
  if (gone.standing.second) return [];
  const heir = line.find((one) => isSame(one, gone));
  if (heir === undefined) return [];
  heir.standing = { ...heir.standing, second: false };
  return [heir.key];
}

/** For a direct tunnel. @param mine What it was before, at the same place. */
function isFree(
  { hub, direct }: Place,
  { foreign, stays }: Claim,
  mine: Occupant | undefined,
): boolean {
  if (foreign || stays || hub.length > 0) return false;
  return !direct.some((one) => one !== mine && !one.standing.translated);
}

/** Gives those that stand differently now. */
function settle({ hub, direct }: Place): string[] {
  const [first] = hub;
  if (first === undefined && !direct.some(({ plain }) => plain)) return [];
  const inTheWay = direct.find(({ plain, standing }) => !plain && !standing.translated);
  return [
    ...(first === undefined ? [] : restand(first, first.foreign)),
    ...(inTheWay === undefined ? [] : restand(inTheWay, true)),
  ];
}

function restand(one: Occupant, translated: boolean): string[] {
  if (one.standing.translated === translated) return [];
  one.standing = { ...one.standing, translated };
  return [one.key];
}

/** Peers of one tunnel at one endpoint: two tunnels never share address and port of ours. */
function isSame(a: Claim, b: Claim): boolean {
  return a.form === "hub" && b.form === "hub" && sameEndpoint(a.endpoint, b.endpoint);
}

function pairOf({ local, endpoint }: Claim): string {
  return `${local}|${endpoint.address}`;
}
