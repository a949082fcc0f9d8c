/**
 * What Linux does with our steps, as far as one object depends on another: what goes with a device, with a
 * nexthop, with a device's last address, and what it refuses.
 */
import assert from "node:assert/strict";
import { type IpAddress, ipAddress } from "../../src/net/address.ts";
import { describe } from "../../src/plan/describe.ts";
import { isPlaceholder } from "../../src/plan/ids.ts";
import { keyOf, type LinkResource, type Resource } from "../../src/plan/resources.ts";
import type { Step } from "../../src/plan/step.ts";

const ANY = ipAddress("0.0.0.0");

export class ModelKernel {
  readonly #objects = new Map<string, Resource>();

  constructor(objects: Iterable<Resource> = []) {
    for (const object of objects) this.#objects.set(keyOf(object), object);
  }

  get objects(): Resource[] {
    return [...this.#objects.values()];
  }

  /** Throws where Linux would refuse. */
  apply(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step);
  }

  #step({ action, resource }: Step): void {
    const key = keyOf(resource);
    const what = describe(resource);
    const there = this.#objects.get(key);
    if (action === "remove") {
      assert.ok(there !== undefined, `ENOENT: remove ${what}`);
      this.#remove(there);
      return;
    }
    if (action === "add") assert.ok(there === undefined, `EEXIST: add ${what}`);
    if (resource.object === "link") this.#checkLink(resource, there, what);
    else this.#checkHolders(resource, what);
    this.#objects.set(key, resource);
  }

  #checkLink(link: LinkResource, there: Resource | undefined, what: string): void {
    for (const other of this.#objects.values()) {
      if (other.object !== "link" || other.spec.name === link.spec.name) continue;
      assert.notEqual(pairOf(other), pairOf(link), `EEXIST: ${what}`);
    }
    if (there?.object !== "link") return;
    const [was, is] = [there, link].map(({ spec }) => spec.ipip.remote === undefined);
    assert.equal(was, is, `EINVAL: ${what}`);
  }

  #checkHolders(resource: Resource, what: string): void {
    const device = deviceOf(resource);
    if (device !== undefined && device !== "lo")
      assert.ok(this.#objects.has(`link ${device}`), `ENODEV: ${what}`);
    if (resource.object === "fou" && isPlaceholder(resource.spec.local ?? ANY)) {
      assert.ok(this.#isLocal(resource.spec.local ?? ANY), `EADDRNOTAVAIL: ${what}`);
    }
    if (resource.object !== "route" || resource.spec.nexthop === undefined) return;
    assert.ok(this.#objects.has(`nexthop ${resource.spec.nexthop}`), `ENOENT nexthop: ${what}`);
  }

  #isLocal(address: IpAddress): boolean {
    return this.objects.some(
      ({ object, spec }) =>
        object === "route" && spec.type === "local" && spec.destination.address === address,
    );
  }

  #remove(resource: Resource): void {
    this.#objects.delete(keyOf(resource));
    if (resource.object === "link") this.#drop((o) => deviceOf(o) === resource.spec.name);
    if (resource.object === "nexthop") {
      this.#drop((o) => o.object === "route" && o.spec.nexthop === resource.spec.id);
    }
    if (resource.object !== "address") return;
    const { device } = resource.spec;
    const left = this.objects.some((o) => o.object === "address" && o.spec.device === device);
    if (!left) this.#drop((o) => o.object === "route" && o.spec.device === device);
  }

  #drop(goes: (object: Resource) => boolean): void {
    for (const object of this.objects) {
      if (this.#objects.has(keyOf(object)) && goes(object)) this.#remove(object);
    }
  }
}

function pairOf({ spec: { ipip } }: LinkResource): string {
  return `${ipip.local} ${ipip.remote ?? "any"} ${ipip.device ?? ""}`;
}

function deviceOf(resource: Resource): string | undefined {
  switch (resource.object) {
    case "address":
    case "neighbour":
    case "route":
      return resource.spec.device;
    case "nexthop":
      return "device" in resource.spec.to ? resource.spec.to.device : undefined;
    default:
      return undefined;
  }
}
