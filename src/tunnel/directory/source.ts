/** Where a directory comes from. Another kind of source is another file like the ones beside this. */
import type { Nodes } from "../../config/model.ts";

export interface DirectorySource {
  /** For events: a path, or a URL without what may be secret in it. */
  readonly name: string;
  /** Asks now, and whenever there may be news, until the function that it gives is called. */
  follow(listener: DirectoryListener): () => void;
}

export interface DirectoryListener {
  /**
   * What it says now, also where that is the same as before.
   *
   * @param faults Words for each entry that makes no sense, where entries stand for themselves.
   */
  nodes(nodes: Nodes, faults?: readonly string[]): void;
  /** It says nothing that could be used now, and why, also where that is the same as before. */
  trouble(reason: string): void;
}
