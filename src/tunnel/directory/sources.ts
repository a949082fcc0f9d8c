/** Which file follows which kind of source. Another kind is another case here, and a file of its own. */
import type { DirectoryConfig } from "../../config/model.ts";
import { FileSource } from "./file.ts";
import type { DirectorySource } from "./source.ts";
import { StoreSource } from "./store.ts";
import { UrlSource } from "./url.ts";

export function sourceOf({ from, interval }: DirectoryConfig): DirectorySource {
  switch (from.kind) {
    case "file":
      return new FileSource({ path: from.path, interval });
    case "url":
      return new UrlSource({ url: from.url, caFile: from.caFile, interval });
    case "store":
      return new StoreSource({ from, interval });
  }
}
