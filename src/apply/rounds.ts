/**
 * Moves that are decided together are not all written together. Pure.
 *
 * By a hub's outer address the gate knows one port: while one peer leaves an address and another takes it,
 * the second one's packets would go to the first one's port. So the first leaves before the second comes.
 * And a direct tunnel's device takes all that comes from its peer's address: it makes room before a hub's
 * peer comes there.
 */
import { sameEndpoint } from "../net/address.ts";
import { formOfTunnel } from "../plan/form.ts";
import type { KnownEndpoint } from "../plan/situation.ts";
import type { Move } from "./applier.ts";

export interface Rounds {
  /** Direct tunnels that become translated where they are. */
  readonly room: readonly Move[];
  readonly first: readonly Move[];
  /** Each finds its place free; those whose packets flow lose none. */
  readonly second: readonly Move[];
}

export function inRounds(all: readonly Move[]): Rounds {
  const room = all.filter(makesRoom);
  const moves = all.filter((move) => !makesRoom(move));
  const leavers = new Map<string, Move>();
  for (const move of moves) {
    const from = placeOf(move, move.before);
    if (from !== undefined && from !== placeOf(move, move.after)) leavers.set(from, move);
  }
  const first: Move[] = [];
  const second: Move[] = [];
  for (const move of moves) {
    const to = placeOf(move, move.after);
    const leaver = to === undefined ? undefined : leavers.get(to);
    if (isHeir(move)) second.push(move);
    else if (leaver !== undefined && leaver !== move) {
      first.push({ ...move, after: undefined });
      second.push({ ...move, before: undefined });
    } else first.push(move);
  }
  return { room, first, second };
}

/** A direct tunnel whose peer is where it was. */
function makesRoom({ tunnel, before, after }: Move): boolean {
  return (
    formOfTunnel(tunnel) === "direct" &&
    before?.translated === false &&
    after?.translated === true &&
    sameEndpoint(before.endpoint, after.endpoint)
  );
}

/** Where it is, it was already: only the way there changes. */
function isHeir({ before, after }: Move): boolean {
  return (
    before?.translated === true &&
    after?.translated === false &&
    sameEndpoint(before.endpoint, after.endpoint)
  );
}

/** What a hub's peer has to itself; undefined: nothing. */
function placeOf({ tunnel }: Move, known: KnownEndpoint | undefined): string | undefined {
  if (known === undefined || known.translated || formOfTunnel(tunnel) === "direct")
    return undefined;
  return `${tunnel.name} ${known.endpoint.address}`;
}
