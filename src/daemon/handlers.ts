/** What the control socket's commands do. */
import { exitCode, Failure } from "../net/failure.ts";
import type { ControlHandler } from "./control.ts";
import type { Instance } from "./instance.ts";
import type { ControlRequest } from "./protocol.ts";
import type { Supervisor } from "./supervisor.ts";

export type Subject = Pick<Instance, "status" | "reauth" | "forget">;

/** What they need of the one that runs everything. */
export interface Commanded extends Pick<Supervisor, "reload" | "confirm"> {
  ask<T>(question: (instance: Subject) => T): Promise<Awaited<T>>;
}

export function handlersOf(supervisor: () => Commanded): Readonly<Record<string, ControlHandler>> {
  return {
    status: () => supervisor().ask((instance) => instance.status()),
    reload: ({ confirmWithin }) => {
      if (confirmWithin !== undefined && !isDelay(confirmWithin)) {
        throw new Failure(exitCode.usage, "confirmWithin is a number of milliseconds");
      }
      return supervisor().reload(confirmWithin);
    },
    confirm: () => {
      if (supervisor().confirm()) return null;
      throw new Failure(exitCode.usage, "no reload waits to be confirmed");
    },
    reauth: async (request) => {
      const { tunnel, peer } = targetOf(request);
      const reached = await supervisor().ask((instance) => instance.reauth(tunnel, peer));
      if (reached === 0) throw nobody("dialled peer", tunnel, peer);
      return { reached };
    },
    forget: async (request) => {
      const { tunnel, peer } = targetOf(request);
      if (tunnel === undefined || peer === undefined) {
        throw new Failure(exitCode.usage, "forget needs TUNNEL/PEER");
      }
      const reached = await supervisor().ask((instance) => instance.forget(tunnel, peer));
      if (reached === 0) throw nobody("peer", tunnel, peer);
      return { reached };
    },
  };
}

function targetOf({ tunnel, peer }: ControlRequest): {
  tunnel: string | undefined;
  peer: string | undefined;
} {
  return { tunnel: text(tunnel), peer: text(peer) };
}

/** setTimeout takes no more than 2^31 - 1 ms. */
function isDelay(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= 0x7fff_ffff;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function nobody(what: string, tunnel: string | undefined, peer: string | undefined): Failure {
  const name = [tunnel, peer].filter((part) => part !== undefined).join("/");
  return new Failure(
    exitCode.usage,
    name === "" ? `there is no ${what}` : `there is no ${what} ${name}`,
  );
}
