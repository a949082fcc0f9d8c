/** Once a second: a beat, and word of it when time has jumped meanwhile (see tunnel/clock.ts). */
import { hasJumped, type Moment } from "../tunnel/clock.ts";

export interface PulseListener {
  onBeat(): void;
  /** The machine slept, we were stopped, or the clock was set. */
  onJump(): void;
}

const INTERVAL = 1000;

const here = (): Moment => ({ wall: Date.now(), steady: performance.now() });

/** Gives a function that ends it. */
export function startPulse(listener: PulseListener, now: () => Moment = here): () => void {
  let before = now();
  const timer = setInterval(() => {
    const moment = now();
    const jumped = hasJumped(before, moment, INTERVAL);
    before = moment;
    if (jumped) listener.onJump();
    listener.onBeat();
  }, INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}
