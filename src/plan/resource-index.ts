/**
 * Resources by what makes two of them the same object ({@link keyOf}), in the order in which they came. A
 * hub has hundreds of thousands of routes and nexthops: these are found without a text made for each.
 */
import type { IpAddress } from "../net/address.ts";
import { keyOf, type Resource, type RouteResource } from "./resources.ts";

interface Routes {
  readonly table: number;
  readonly metric: number;
  readonly length: number;
  readonly byAddress: Map<IpAddress, number>;
}

export class ResourceIndex {
  readonly #all: Resource[] = [];
  readonly #nexthops = new Map<number, number>();
  /** One for each table, metric and length of prefix: a handful. */
  readonly #routes: Routes[] = [];
  readonly #others = new Map<string, number>();

  /** Of those that are the same object the last one counts. */
  constructor(resources: Iterable<Resource>) {
    for (const resource of resources) this.#add(resource);
  }

  get all(): readonly Resource[] {
    return this.#all;
  }

  /** The one here that is the same object. */
  get(resource: Resource): Resource | undefined {
    const at = this.#find(resource);
    return at === undefined ? undefined : this.#all[at];
  }

  #add(resource: Resource): void {
    switch (resource.object) {
      case "nexthop":
        this.#put(this.#nexthops, resource.spec.id, resource);
        break;
      case "route":
        this.#put(
          this.#routesLike(resource).byAddress,
          resource.spec.destination.address,
          resource,
        );
        break;
      default:
        this.#put(this.#others, keyOf(resource), resource);
    }
  }

  #put<Key>(places: Map<Key, number>, key: Key, resource: Resource): void {
    const at = places.get(key);
    if (at !== undefined) this.#all[at] = resource;
    else places.set(key, this.#all.push(resource) - 1);
  }

  #find(resource: Resource): number | undefined {
    if (this.#all.length === 0) return undefined;
    switch (resource.object) {
      case "nexthop":
        return this.#nexthops.get(resource.spec.id);
      case "route":
        return this.#routesLike(resource).byAddress.get(resource.spec.destination.address);
      default:
        return this.#others.get(keyOf(resource));
    }
  }

  #routesLike({ spec }: RouteResource): Routes {
    const { table, metric } = spec;
    const { length } = spec.destination;
    for (const routes of this.#routes) {
      if (routes.table === table && routes.metric === metric && routes.length === length)
        return routes;
    }
    const routes = { table, metric, length, byAddress: new Map<IpAddress, number>() };
    this.#routes.push(routes);
    return routes;
  }
}
