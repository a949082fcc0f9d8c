/**
 * What the daemon holds outside the kernel's network objects: the lock of its table and its control socket.
 * A reload may move either; the new one is taken before the old one is let go.
 */
import type { Configuration } from "../config/model.ts";
import { type Control, type ControlHandler, type ControlStream, serveControl } from "./control.ts";
import { type Lock, lockTable } from "./lock.ts";
import type { Log } from "./log.ts";

export interface BelongingsOptions {
  readonly handlers: Readonly<Record<string, ControlHandler>>;
  readonly streams: Readonly<Record<string, ControlStream>>;
  readonly log: Log;
}

/** What a reload has taken so far. */
export interface Taken {
  /** It stays; what it replaces is let go. */
  commit(): void;
  abandon(): Promise<void>;
}

export class Belongings {
  readonly #options: BelongingsOptions;
  #lock: Lock | undefined;
  #control: Control | undefined;

  constructor(options: BelongingsOptions) {
    this.#options = options;
  }

  /** Throws a {@link Failure} that says who holds it. */
  async lock({ table }: Configuration): Promise<void> {
    this.#lock = await lockTable(table);
  }

  async listen({ control }: Configuration): Promise<void> {
    this.#control = await this.#serve(control);
  }

  /** Takes what `next` names and `current` doesn't. Throws a {@link Failure}; nothing has changed then. */
  async take(next: Configuration, current: Configuration): Promise<Taken> {
    const lock = next.table === current.table ? undefined : await lockTable(next.table);
    let control: Control | undefined;
    try {
      control = next.control === current.control ? undefined : await this.#serve(next.control);
    } catch (error) {
      lock?.release();
      throw error;
    }
    return {
      commit: () => {
        if (lock !== undefined) {
          this.#lock?.release();
          this.#lock = lock;
        }
        if (control !== undefined) {
          // Whoever asked for this hears the answer on the old socket.
          void this.#control?.retire();
          this.#control = control;
        }
      },
      abandon: async () => {
        lock?.release();
        await control?.close();
      },
    };
  }

  async close(): Promise<void> {
    await this.#control?.close();
    this.#lock?.release();
  }

  #serve(path: string): Promise<Control> {
    return serveControl({ path, ...this.#options });
  }
}
