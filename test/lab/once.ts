/**
 * Tests of what is around the kernel (HTTP, files, installation) or only tells what is in it, whose tunnels other
 * files show on every kernel: these run on one of them.
 */
import { basename } from "node:path";

/** About how many seconds each takes in a guest, so that kernels which run side by side get equal shares. */
const SECONDS: ReadonlyMap<string, number> = new Map([
  ["container", 40],
  ["directory-url", 30],
  ["explain", 65],
  ["import", 25],
  ["metrics", 45],
  ["readme", 35],
  ["service", 200],
  ["store", 100],
]);

/** Which kernel each of these files is for; those that are not in it are for all. */
export function shareOut(
  files: readonly string[],
  kernels: readonly string[],
): ReadonlyMap<string, string> {
  const loads = new Map(kernels.map((kernel) => [kernel, 0]));
  const owners = new Map<string, string>();
  const once = files.flatMap((file) => {
    const seconds = file.includes("/e2e/") ? SECONDS.get(basename(file, ".test.js")) : undefined;
    return seconds === undefined ? [] : [{ file, seconds }];
  });
  for (const { file, seconds } of once.sort((a, b) => b.seconds - a.seconds)) {
    const [least] = [...loads].sort(([, a], [, b]) => a - b);
    if (least === undefined) break;
    const [kernel, load] = least;
    loads.set(kernel, load + seconds);
    owners.set(file, kernel);
  }
  return owners;
}
