import type { DirectoryOrigin } from "../../config/model.ts";

/** What tells one source from another, whoever asks it and how. */
export function identityOf(from: DirectoryOrigin): string {
  switch (from.kind) {
    case "file":
      return from.path;
    case "url":
      return from.url;
    case "store":
      return `${[...from.members].sort().join()} ${from.prefix}`;
  }
}
