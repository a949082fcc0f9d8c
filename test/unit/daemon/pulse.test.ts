import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { startPulse } from "../../../src/daemon/pulse.ts";

test("a beat a second, and a word before it when time has jumped", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const moment = { wall: 1_800_000_000_000, steady: 0 };
  const log: string[] = [];
  const stop = startPulse(
    { onBeat: () => log.push("beat"), onJump: () => log.push("jump") },
    () => ({ ...moment }),
  );
  const second = (wall: number, steady = 1000) => {
    moment.wall += wall;
    moment.steady += steady;
    mock.timers.tick(1000);
  };
  second(1000);
  second(3_600_000);
  second(1000);
  second(-3_600_000);
  second(120_000, 120_000);
  stop();
  second(1000);
  assert.deepEqual(log, ["beat", "jump", "beat", "beat", "jump", "beat", "jump", "beat"]);
  mock.timers.reset();
});
