/**
 * On a small Linux in memory somebody else deletes and changes what is ours, at random: after each all is as it
 * was, one event says so, and of what belongs to others no byte is another one.
 *
 *     IPIPOUD_REPAIRS=1000 does it so often (a minute), IPIPOUD_SEED=N has others.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RTM_NEWADDR } from "../../../src/kernel/address.ts";
import { RTM_NEWLINK } from "../../../src/kernel/link.ts";
import { RTM_NEWNEIGH } from "../../../src/kernel/neighbour.ts";
import { RTM_NEWNEXTHOP } from "../../../src/kernel/nexthop.ts";
import { RTM_NEWROUTE } from "../../../src/kernel/route.ts";
import { RTM_NEWRULE } from "../../../src/kernel/rule.ts";
import { type Damage, damages } from "../../support/linux/damage.ts";
import { Life, OUTER } from "../../support/linux/life.ts";
import type { Linux } from "../../support/linux/linux.ts";
import { addOthers } from "../../support/linux/others.ts";
import { Program } from "../../support/linux/program.ts";
import { pick, type Random, random } from "../../support/random.ts";

const COUNT = Number(process.env["IPIPOUD_REPAIRS"] ?? 100);
/** Damages in one life: of the same again and again the repairs become rarer, which is another test's. */
const EACH = 10;
const AT_ONCE = 20;
const seed = Number(process.env["IPIPOUD_SEED"] ?? 1);

/** Milliseconds: a second is promised, and twenty lives share this thread. */
const PATIENCE = 5000;

/** Each object's bytes as the kernel tells them, but for nf_tables, where a table is told with all that is in it. */
function bytes({ route, generic, tables }: Linux): Set<string> {
  const types = [
    ...[RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE],
    ...[RTM_NEWNEXTHOP, RTM_NEWRULE, RTM_NEWNEIGH],
  ];
  const objects = types.flatMap((type) =>
    route
      .dump({ type: type + 2, flags: 0, sequence: 0, payload: Buffer.alloc(16) })
      .map(({ payload }) => `${type} ${payload.toString("hex")}`),
  );
  return new Set([...objects, ...generic.state, ...tables.stateOf("other")]);
}

/** Reading the state takes longer than a repair: it is read when there is something to see. */
async function repaired(life: Life, state: readonly string[], what: string): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (life.events.length === 0 && performance.now() < end) await sleep(10);
  const now = life.linux.state;
  const only = (some: readonly string[], others: readonly string[]) =>
    some.filter((line) => !others.includes(line));
  const differs = { more: only(now, state), less: only(state, now) };
  assert.deepEqual(differs, { more: [], less: [] }, `${what}\n${words(life)}`);
}

function words({ events }: Life): string {
  return events.map(({ event, reason }) => `${event} ${reason}`).join("\n");
}

describe(`others delete and change what is ours (seed ${seed})`, () => {
  const done = new Map<string, number>();
  before(() => assert.equal(COUNT % EACH, 0));

  async function hurt(program: Program, { atOnce, requests }: Damage): Promise<void> {
    await (atOnce ? program.batch(requests) : program.demand(requests));
  }

  const kindOf = ({ kind }: Damage): string => kind;

  /** One of a kind that has not had its turn in this life. */
  async function choose(life: Life, random: Random, had: Set<string>): Promise<Damage> {
    const all = await damages(life.linux);
    const kinds = [...new Set(all.map(kindOf))];
    const left = kinds.filter((kind) => !had.has(kind));
    const kind = pick(random, left.length > 0 ? left : kinds);
    had.add(kind);
    done.set(kind, (done.get(kind) ?? 0) + 1);
    return pick(
      random,
      all.filter((damage) => damage.kind === kind),
    );
  }

  async function live(random: Random): Promise<void> {
    const life = new Life();
    const program = new Program(life.linux);
    await addOthers(program, OUTER);
    const theirs = bytes(life.linux);
    await life.take("start");
    await life.take("authenticate");
    await sleep(100);
    const whole = life.linux.state;
    // So that what the patrol looks at has been seen once.
    await sleep(500);
    const had = new Set<string>();
    const story: string[] = [];
    for (let i = 0; i < EACH; i++) {
      const damage = await choose(life, random, had);
      const what = [...story, `${damage.kind}: ${damage.words}`].join("\n");
      life.events.length = 0;
      await hurt(program, damage);
      assert.notDeepEqual(life.linux.state, whole, `${what} did nothing`);
      await repaired(life, whole, what);
      // A second event would come from what is heard late.
      await sleep(60);
      const repairs = life.events.filter(({ event }) => event === "repaired");
      assert.equal(repairs.length, 1, `${what}\n${words(life)}`);
      assert.equal(life.events.length, 1, `${what}\n${words(life)}`);
      const now = bytes(life.linux);
      story.push(`${damage.kind}: ${damage.words}`);
      for (const one of theirs) assert.ok(now.has(one), `${what}: of others is gone: ${one}`);
    }
    await life.stop();
    assert.deepEqual(bytes(life.linux), theirs);
  }

  it("the same again as soon as it is repaired: what nobody tells of is found all the same", async () => {
    const life = new Life();
    const program = new Program(life.linux);
    await life.take("start");
    await sleep(500);
    const whole = life.linux.state;
    const all = await damages(life.linux);
    const find = (kind: string, start: string): Damage =>
      all.find((damage) => damage.kind === kind && damage.words.startsWith(start)) ?? assert.fail();
    const turns = [
      ...Array.from({ length: 3 }, () => find("neighbour", "delete")),
      // Something was written since the last look.
      find("address", "delete"),
      find("fou", "another protocol"),
    ];
    for (const damage of turns) {
      life.events.length = 0;
      await hurt(program, damage);
      await repaired(life, whole, damage.words);
    }
    await life.stop();
  });

  it(`${COUNT} times: all as it was, one event each, theirs untouched`, async (t) => {
    const lives = Array.from({ length: COUNT / EACH }, (_, i) => random(seed + i));
    const worker = async (): Promise<void> => {
      for (let one = lives.pop(); one !== undefined; one = lives.pop()) await live(one);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    t.diagnostic([...done].map(([kind, count]) => `${count} × ${kind}`).join(", "));
    assert.equal(
      [...done.values()].reduce((sum, count) => sum + count, 0),
      COUNT,
    );
  });
});
