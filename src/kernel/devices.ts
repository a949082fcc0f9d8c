/** Device names and indexes, from one link dump. */
import type { Devices } from "../net/objects.ts";
import type { Message } from "../netlink/request.ts";
import { decodeDevice } from "./link.ts";

/** @param dump Answers to dumpLinks(). */
export function devicesOf(dump: readonly Message[]): Devices {
  const byName = new Map<string, number>();
  const byIndex = new Map<number, string>();
  for (const message of dump) {
    const device = decodeDevice(message);
    if (device === undefined) continue;
    byName.set(device.name, device.index);
    byIndex.set(device.index, device.name);
  }
  return { index: (name) => byName.get(name), name: (index) => byIndex.get(index) };
}

/** The same and these, by name. */
export function devicesWith(devices: Devices, made: ReadonlyMap<string, number>): Devices {
  const names = new Map([...made].map(([name, index]) => [index, name]));
  return {
    index: (name) => made.get(name) ?? devices.index(name),
    name: (index) => names.get(index) ?? devices.name(index),
  };
}
