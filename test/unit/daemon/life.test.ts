/**
 * Whole lives on a small Linux in memory: of its messages to the kernel each third meets a fault, in turn.
 * With IPIPOUD_FAULTS=all every message meets every fault: eight thousand lives, some minutes.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { faults } from "../../support/linux/faults.ts";
import { Life, type Step, steps } from "../../support/linux/life.ts";
import type { Fault } from "../../support/linux/linux.ts";

const all = process.env["IPIPOUD_FAULTS"] === "all";

/** What stands after each step where nothing goes wrong, and how many messages it took. */
interface Reference {
  readonly state: readonly string[];
  readonly messages: number;
}

/** Milliseconds after which a state that has not come will not come: longer than all pauses between tries. */
const PATIENCE = 5000;

/** Lives at a time: most of them wait for a second try. */
const AT_ONCE = 40;

async function until(life: Life, state: readonly string[]): Promise<void> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    if (same(life.linux.state, state)) return;
    if (performance.now() > end) assert.deepEqual(life.linux.state, state);
    await sleep(20);
  }
}

function same(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((line, i) => alike(line, others[i] ?? ""));
}

/** An expression that the kernel is said to lack (ENOENT) has a substitute in this one chain. */
function alike(line: string, other: string): boolean {
  const substituted = "chain defragment ";
  return line === other || (line.startsWith(substituted) && other.startsWith(substituted));
}

/** Names of messages, or the words for what is missing. */
const NAMED = /RTM_|FOU_CMD_|NFT_MSG_|NFNL_MSG_|CTRL_CMD_|family `fou`|CAP_NET_ADMIN/;

function named(error: unknown): void {
  assert.ok(error instanceof Error);
  assert.match(error.message, NAMED);
  assert.ok(!error.message.includes("\n"), error.message);
}

describe("a life", () => {
  const references = new Map<Step | "nothing", Reference>();
  const stateAfter = (step: Step | "nothing"): readonly string[] =>
    references.get(step)?.state ?? assert.fail();
  const previous = (step: Step): Step | "nothing" => steps[steps.indexOf(step) - 1] ?? "nothing";

  before(async () => {
    const life = new Life();
    references.set("nothing", { state: life.linux.state, messages: 0 });
    for (const step of steps) {
      let messages = 0;
      life.linux.fault = () => {
        messages++;
        return undefined;
      };
      await life.take(step);
      // What peers prove is written when the event loop comes round.
      if (step === "authenticate" || step === "roam") await sleep(100);
      references.set(step, { state: life.linux.state, messages });
    }
  });

  it("leaves nothing behind", () => {
    assert.deepEqual(stateAfter("stop"), stateAfter("nothing"));
    for (const step of steps.slice(0, -1)) assert.ok(stateAfter(step).length > 40);
    assert.notDeepEqual(stateAfter("start"), stateAfter("authenticate"));
    assert.notDeepEqual(stateAfter("authenticate"), stateAfter("roam"));
    assert.notDeepEqual(stateAfter("roam"), stateAfter("reload"));
  });

  /** Up to the step, and the step with this fault at its n-th message. */
  async function broken(step: Step, n: number, fault: Fault): Promise<void> {
    const life = new Life();
    for (const one of steps.slice(0, steps.indexOf(step))) {
      await life.take(one);
      await until(life, stateAfter(one));
    }
    let sent = 0;
    life.linux.fault = () => (++sent === n ? fault : undefined);
    const error = await life.take(step).then(
      () => undefined,
      (reason: unknown) => reason ?? new Error("rejected with nothing"),
    );
    if (error !== undefined) named(error);
    switch (step) {
      case "start":
        if (error === undefined) break;
        assert.deepEqual(life.linux.state, stateAfter("nothing"), "what failed is undone");
        life.end();
        await life.start();
        break;
      case "reload":
        if (error === undefined) break;
        assert.deepEqual(life.fatal, []);
        assert.deepEqual(life.linux.state, stateAfter(previous(step)), "all as it was");
        await life.take("reload");
        break;
      case "stop":
        if (error === undefined) break;
        await life.start();
        await life.stop();
        break;
    }
    await until(life, stateAfter(step));
    for (const { event, reason } of life.events)
      if (event === "failed") assert.match(reason ?? "", NAMED);
    if (step !== "stop") await life.stop();
    assert.deepEqual(life.linux.state, stateAfter("nothing"));
  }

  for (const step of steps) {
    it(`every fault at every message of: ${step}`, async (t) => {
      const { messages } = references.get(step) ?? assert.fail();
      const kinds = Object.entries(faults);
      const todo = Array.from({ length: messages }, (_, i) => i + 1).flatMap((n) =>
        kinds
          .filter((_, kind) => all || (n % 3 === 0 && kind === (n / 3) % kinds.length))
          .map(([name, fault]) => ({ name, fault, n })),
      );
      t.diagnostic(`${messages} messages, ${todo.length} lives`);
      const wrong: string[] = [];
      const worker = async (): Promise<void> => {
        for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
          const { name, fault, n } = one;
          await broken(step, n, fault).catch((error: unknown) => {
            wrong.push(
              `${step}, message ${n}, ${name}: ${error instanceof Error ? error.stack : error}`,
            );
          });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      assert.equal(wrong.length, 0, `${wrong.length}:\n${wrong.slice(0, 5).join("\n\n")}`);
    });
  }
});
