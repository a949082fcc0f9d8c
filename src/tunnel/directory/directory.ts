/** One tunnel's directory over time: the last good answer stays, and each change of its fortune is one event. */

import type { Nodes } from "../../config/model.ts";
import { isSameNode, readsTheSame } from "../../plan/directory.ts";
import type { EventName, EventSink } from "../events.ts";
import { fewOf } from "../few.ts";
import type { DirectoryListener, DirectorySource } from "./source.ts";

/** What is remembered from one instance of the daemon to the next. */
export interface Remembered {
  readonly nodes: Nodes | undefined;
  /** Why the last answer was none; undefined: it was one, or there was none yet. */
  readonly trouble: string | undefined;
}

export interface DirectoryOptions {
  readonly tunnel: string;
  readonly source: DirectorySource;
  readonly emit: EventSink;
  readonly known: Remembered;
  readonly remember: (now: Remembered) => void;
  /** These are its nodes from now on. */
  readonly changed: (nodes: Nodes) => void;
}

export class Directory implements DirectoryListener {
  readonly #options: DirectoryOptions;
  #now: Remembered;
  readonly #stop: () => void;
  /** Entries that make no sense now, in words. */
  #faults = "";

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#now = options.known;
    this.#stop = options.source.follow(this);
  }

  nodes(nodes: Nodes, faults: readonly string[] = []): void {
    this.#tell(faults);
    const { nodes: before, trouble } = this.#now;
    const same = before !== undefined && readsTheSame(before, nodes);
    if (same && trouble === undefined) return;
    this.#note({ nodes, trouble: undefined });
    const { source, changed } = this.#options;
    if (trouble !== undefined) this.#emit("recovered", `${source.name}: it can be read again`);
    if (same) return;
    this.#emit("changed", `${source.name}: ${inWords(before, nodes)}`);
    changed(nodes);
  }

  trouble(reason: string): void {
    const { nodes, trouble } = this.#now;
    if (reason === trouble) return;
    this.#note({ nodes, trouble: reason });
    const left =
      nodes === undefined ? "no nodes yet" : `what it said before stays (${count(nodes)})`;
    this.#emit("failed", `${this.#options.source.name}: ${reason}; ${left}`);
  }

  close(): void {
    this.#stop();
  }

  /** One event for as long as they are the same. */
  #tell(faults: readonly string[]): void {
    const words = fewOf(faults);
    if (words === this.#faults) return;
    this.#faults = words;
    if (words !== "") this.#emit("failed", `${this.#options.source.name}: ${words}`);
  }

  #note(now: Remembered): void {
    this.#now = now;
    this.#options.remember(now);
  }

  #emit(event: EventName, reason: string): void {
    const { tunnel, emit } = this.#options;
    emit({ event, tunnel, peer: null, endpoint: null, reason });
  }
}

/** `1 node came, 2 went, 1 moved: 10000 now` */
function inWords(before: Nodes | undefined, now: Nodes): string {
  let came = 0;
  let moved = 0;
  for (const [address, node] of now) {
    const was = before?.get(address);
    if (was === undefined) came++;
    else if (!isSameNode(was, node)) moved++;
  }
  const went = (before?.size ?? 0) - (now.size - came);
  const counts = [
    ...(came > 0 ? [`${came} came`] : []),
    ...(went > 0 ? [`${went} went`] : []),
    ...(moved > 0 ? [`${moved} moved`] : []),
  ];
  const total = `${count(now)} now`;
  return counts.length === 0 ? total : `${counts.join(", ")}: ${total}`;
}

function count({ size }: Nodes): string {
  return size === 1 ? "1 node" : `${size} nodes`;
}
