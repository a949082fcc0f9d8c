/**
 * One outer address and port at which footunnel's heartbeats are waited for, of however many tunnels. The
 * payload is a secret, compared byte for byte in constant time, and tells whose it is.
 */
import type { Endpoint } from "../net/address.ts";
import { type Answer, admit, refuse } from "./door.ts";
import type { Peer } from "./peers.ts";
import { TokenIndex } from "./token-index.ts";

/** footunnel's port for data, where the configuration names no other. */
export const FOOTUNNEL_PORT = 42_424;

export class HeartbeatDoor {
  readonly #secrets = new TokenIndex<Peer>();
  readonly #port: number;

  constructor(port: number, waiting: readonly Peer[]) {
    this.#port = port;
    for (const peer of waiting) {
      const { proof } = peer.config;
      if (proof.kind === "heartbeat") this.#secrets.set(proof.secret, peer);
    }
  }

  /**
   * From the heartbeats' own port it says nothing of the port for data; from any other one it is that port, as
   * a NAT that changes ports shows it.
   */
  judge(payload: Uint8Array, source: Endpoint): Answer {
    const peer = this.#secrets.get(payload);
    if (peer === undefined) {
      const what = payload.length === 0 ? "an empty heartbeat" : "a heartbeat with a wrong secret";
      return refuse(undefined, what);
    }
    const usual = peer.config.endpoint?.port ?? FOOTUNNEL_PORT;
    const port = source.port === this.#port ? usual : source.port;
    const endpoint = { address: source.address, port };
    const answer = admit(peer, endpoint);
    return answer.kind === "proven" ? { ...answer, endpoint } : answer;
  }
}
