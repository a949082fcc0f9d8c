/** The members of one cluster, asked one after the other, and who we are to them. */
import type { StoreOrigin } from "../../../config/model.ts";
import type { Secret } from "../../../config/secret.ts";
import { ask, follow, type MemberFiles } from "./exchange.ts";
import { StoreFault } from "./fault.ts";
import { type Mapping, strange } from "./messages.ts";

export interface MembersOptions {
  /** Of its members, at least one. */
  readonly urls: readonly string[];
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly files: MemberFiles;
}

export function membersOf(origin: StoreOrigin): Members {
  const { members: urls, user, password, caFile, certFile, keyFile } = origin;
  return new Members({ urls, user, password, files: { caFile, certFile, keyFile } });
}

export class Members {
  readonly #options: MembersOptions;
  #at: number;
  /** Shown instead of the password; the cluster forgets it after some time. */
  #token: string | undefined;

  constructor(options: MembersOptions, chance = Math.random()) {
    this.#options = options;
    // Not everybody at the first one.
    this.#at = Math.floor(chance * options.urls.length);
  }

  get size(): number {
    return this.#options.urls.length;
  }

  /** The member that is asked now. */
  get member(): string {
    return this.#options.urls[this.#at % this.size] ?? "";
  }

  /** Another member, if there is one. */
  next(): void {
    this.#at++;
  }

  /** Another member than the one that is asked now; the same where there is one. */
  get other(): string {
    return this.#options.urls[(this.#at + 1) % this.size] ?? "";
  }

  async ask(
    method: string,
    body: Mapping,
    signal: AbortSignal,
    url = this.member,
  ): Promise<Mapping> {
    return await this.#known(signal, url, async (token) => {
      const { files } = this.#options;
      return await ask({ url, method, body, token, files, signal });
    });
  }

  async follow(
    method: string,
    body: Mapping,
    signal: AbortSignal,
    take: (message: Mapping) => void,
  ): Promise<void> {
    const url = this.member;
    await this.#known(signal, url, async (token) => {
      const { files } = this.#options;
      await follow({ url, method, body, token, files, signal }, take);
    });
  }

  /** A token that is not good any more is not the end: the password is. */
  async #known<T>(
    signal: AbortSignal,
    url: string,
    work: (token: string | undefined) => Promise<T>,
  ): Promise<T> {
    const token = await this.#authenticated(signal, url);
    try {
      return await work(token);
    } catch (error) {
      if (!(error instanceof StoreFault) || !error.stale || token === undefined) throw error;
      if (this.#token === token) this.#token = undefined;
      return await work(await this.#authenticated(signal, url));
    }
  }

  async #authenticated(signal: AbortSignal, url: string): Promise<string | undefined> {
    const { user, password, files } = this.#options;
    if (user === undefined || password === undefined) return undefined;
    if (this.#token !== undefined) return this.#token;
    const body = { name: user, password: password.reveal().toString("utf8") };
    const question = { url, method: "auth/authenticate", body, token: undefined, files, signal };
    const { token } = await ask(question);
    // It becomes a header.
    if (typeof token !== "string" || !/^[!-~]{1,4096}$/.test(token)) throw strange("token");
    this.#token = token;
    return token;
  }
}
