/** Which ipipoud this is. */
import { createRequire } from "node:module";

export function version(): string {
  const { version } = createRequire(import.meta.url)("#package") as { version: string };
  return version;
}
