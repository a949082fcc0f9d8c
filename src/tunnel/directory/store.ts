/** A prefix of an etcd cluster. Most daemons have none, so what follows it is loaded when somebody does. */
import type { StoreOrigin } from "../../config/model.ts";
import type { DirectoryListener, DirectorySource } from "./source.ts";

export interface StoreSourceOptions {
  readonly from: StoreOrigin;
  /** Milliseconds. */
  readonly interval: number;
}

export class StoreSource implements DirectorySource {
  readonly name: string;
  readonly #options: StoreSourceOptions;

  constructor(options: StoreSourceOptions) {
    this.#options = options;
    this.name = `store ${options.from.prefix}`;
  }

  follow(listener: DirectoryListener): () => void {
    const { from, interval } = this.#options;
    let closed = false;
    let close = (): void => undefined;
    const begin = async (): Promise<void> => {
      const [{ membersOf }, { Following }] = await Promise.all([
        import("./store/members.ts"),
        import("./store/following.ts"),
      ]);
      if (closed) return;
      const { prefix } = from;
      const following = new Following({ members: membersOf(from), prefix, listener, interval });
      close = () => following.close();
    };
    void begin();
    return () => {
      closed = true;
      close();
    };
  }
}
