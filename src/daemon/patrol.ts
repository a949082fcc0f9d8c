/** Looks again and again at what others can change without the kernel telling us. */
import { lookAtSilent, type Silent, type SilentWants, silentChange } from "../apply/silent.ts";
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration } from "../config/model.ts";
import { isPlain } from "../plan/form.ts";
import { sysctlNames } from "../plan/sysctls.ts";
import type { Writer } from "../tunnel/writer.ts";

/** Milliseconds; what is gone is to be there again within a second. */
const INTERVAL = 400;

export interface PatrolOptions {
  readonly sockets: Sockets;
  readonly configuration: Configuration;
  readonly writer: Pick<Writer, "writes">;
  /** What has happened, in words. */
  readonly onChange: (what: string) => void;
  readonly onBeat: () => void;
  readonly onError: (error: unknown) => void;
}

/** Gives a function that ends it. */
export function startPatrol(options: PatrolOptions): () => void {
  const { sockets, configuration, writer, onChange, onBeat, onError } = options;
  const wants = wantsOf(configuration);
  let before: { readonly silent: Silent; readonly writes: number } | undefined;
  let complaint: string | undefined;
  let looking = false;
  let ended = false;

  async function look(): Promise<void> {
    const { writes } = writer;
    const silent = await lookAtSilent(sockets, wants, before?.silent);
    // A number is odd while a write is under way.
    const calm = writes % 2 === 0 && writes === writer.writes && writes === before?.writes;
    const what = before && silentChange(before.silent, silent, !calm);
    before = { silent, writes };
    if (what !== undefined && !ended) onChange(what);
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
