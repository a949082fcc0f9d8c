/** Looks again and again at what others can change without the kernel telling us. */
import {
  isListenerTo,
  lookAtSilent,
  type Silent,
  type SilentWants,
  silentChange,
} from "../apply/silent.ts";
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration } from "../config/model.ts";
import type { Message } from "../netlink/request.ts";
import { isPlain } from "../plan/form.ts";
import { sysctlNames } from "../plan/sysctls.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Writer } from "../tunnel/writer.ts";

/** Milliseconds; what is gone is to be there again within a second. */
const INTERVAL = 400;
/** Where writes follow one another it looks all the same. */
const PATIENCE = 1000;

export interface PatrolOptions {
  readonly sockets: Sockets;
  readonly configuration: Configuration;
  readonly peers: Peers;
  readonly writer: Pick<Writer, "writes" | "confirmedAt">;
  /** What has happened, in words. */
  readonly onChange: (what: string) => void;
  readonly onBeat: () => void;
  readonly onError: (error: unknown) => void;
}

/** Gives a function that ends it. */
export function startPatrol(options: PatrolOptions): () => void {
  const { sockets, configuration, peers, writer, onChange, onBeat, onError } = options;
  const wants = wantsOf(configuration);
  let last: Silent | undefined;
  /** What stood when all was as it should be, and how much had been written by then. */
  let good: { readonly silent: Silent; readonly writes: number } | undefined;
  /** What differed from that, and when. */
  let doubt: { readonly silent: Silent; readonly writes: number; readonly at: number } | undefined;
  let calmAt = performance.now();
  let complaint: string | undefined;
  let looking = false;
  let ended = false;

  /** What differs stays in doubt, and is told again, until a comparison of everything that began later says that it is right. */
  async function look(): Promise<void> {
    const { writes } = writer;
    const silent = await lookAtSilent(sockets, wants, last);
    const calm = writes % 2 === 0 && writes === writer.writes;
    last = silent;
    if (ended) return;
    // Half of a write is neither good nor bad.
    if (calm) calmAt = performance.now();
    else if (performance.now() - calmAt < PATIENCE) return;
    if (doubt !== undefined && writer.confirmedAt > doubt.at) {
      good = doubt;
      doubt = undefined;
    }
    good ??= { silent, writes };
    const byOthers = writes === good.writes;
    const what = silentChange(good.silent, silent, (listener) => !byOthers && mayBeOurs(listener));
    if (what === undefined) {
      good = { silent, writes };
      doubt = undefined;
      return;
    }
    doubt = { silent, writes, at: performance.now() };
    onChange(what);
  }

  function mayBeOurs(listener: Message): boolean {
    const endpoints = [...peers.all()].flatMap(({ applied, wanted }) => [applied, wanted]);
    return isListenerTo(
      endpoints.filter((endpoint) => endpoint !== undefined),
      listener,
    );
  }

  const timer = setInterval(() => {
    onBeat();
    if (looking || isNothing(wants)) return;
    looking = true;
    look()
      .then(() => {
        complaint = undefined;
      })
      .catch((error: unknown) => {
        const words = String(error);
        if (words !== complaint && !ended) onError(error);
        complaint = words;
      })
      .finally(() => {
        looking = false;
      });
  }, INTERVAL);
  timer.unref();
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

function wantsOf({ tunnels }: Configuration): SilentWants {
  return {
    listeners: tunnels.some((tunnel) => !isPlain(tunnel)),
    proxies: tunnels.some(({ proxyArp }) => proxyArp.length > 0),
    sysctls: [...new Set(sysctlNames(tunnels))],
  };
}

function isNothing({ listeners, proxies, sysctls }: SilentWants): boolean {
  return !listeners && !proxies && sysctls.length === 0;
}
