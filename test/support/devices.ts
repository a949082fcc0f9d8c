/** Devices by a list, for tests: lo is 1. */
import type { Devices } from "../../src/net/objects.ts";

export function devices(indexes: Readonly<Record<string, number>> = {}): Devices {
  const all = Object.entries({ lo: 1, ...indexes });
  return {
    index: (name) => all.find(([known]) => known === name)?.[1],
    name: (index) => all.find(([, known]) => known === index)?.[0],
  };
}
