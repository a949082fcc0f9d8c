/** What the control socket's commands do. */
import { exitCode, Failure } from "../net/failure.ts";
import type { ControlHandler } from "./control.ts";
import type { Instance } from "./instance.ts";
import type { ControlRequest } from "./protocol.ts";

export function handlersOf(instance: Instance): Readonly<Record<string, ControlHandler>> {
  return {
    status: () => instance.status(),
    reauth: (request) => {
      const { tunnel, peer } = targetOf(request);
      const reached = instance.reauth(tunnel, peer);
      if (reached === 0) throw nobody("dialled peer", tunnel, peer);
      return { reached };
    },
    forget: (request) => {
      const { tunnel, peer } = targetOf(request);
      if (tunnel === undefined || peer === undefined) {
        throw new Failure(exitCode.usage, "forget needs TUNNEL/PEER");
      }
      const reached = instance.forget(tunnel, peer);
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
