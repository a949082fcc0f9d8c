/** What we write into a tunnel's store: our own node, and where those that come to us were seen. */
import { Complaint } from "../../config/complaint.ts";
import { readNodeText, writeNode } from "../../config/hosts.ts";
import type { Node, PublishConfig, StoreOrigin, TunnelConfig } from "../../config/model.ts";
import { type Endpoint, type IpAddress, isHost, type Prefix } from "../../net/address.ts";
import type { EventSink } from "../events.ts";
import type { Peer } from "../peers.ts";
import type { Publication, Wanted } from "./store/publication.ts";

export interface PublisherOptions {
  readonly tunnel: TunnelConfig;
  readonly from: StoreOrigin;
  readonly publish: PublishConfig;
  /** By which we prove ourselves; base64. undefined: we don't. */
  readonly publicKey: string | undefined;
  /** Our outer address and port, as far as they are known. */
  readonly outer: () => Endpoint | undefined;
  readonly peers: () => Iterable<Peer>;
  readonly emit: EventSink;
  /** Others know of us by now: whom we have asked in vain may answer. */
  readonly known: () => void;
}

/** For what we have written to be read, and for gates to be opened. Milliseconds. */
const SPREADING = 1000;

/** What stands in the store at this name. */
export type Read = (name: string) => Promise<string | undefined>;

/** Between prefix and inner address of those who were seen. */
export const SEEN = "seen/";

export class Publisher {
  readonly #options: PublisherOptions;
  #closed = false;
  #publication: Publication | undefined;
  #spreading: NodeJS.Timeout | undefined;
  readonly #begun: Promise<void>;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#begun = this.#begin();
  }

  /** @param withdraw It goes from the store at once. */
  async close(withdraw: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#spreading);
    await this.#begun;
    await this.#publication?.close(withdraw);
  }

  async #begin(): Promise<void> {
    const [{ membersOf }, { Publication }] = await Promise.all([
      import("./store/members.ts"),
      import("./store/publication.ts"),
    ]);
    if (this.#closed) return;
    const { from, publish, tunnel, emit } = this.#options;
    const { prefix } = from;
    this.#publication = new Publication({
      members: membersOf(from),
      ...{ prefix, lease: publish.lease, shared: (name) => name.startsWith(SEEN) },
      wanted: (read) => wantedOf(this.#options, read),
      onWritten: () => {
        clearTimeout(this.#spreading);
        if (!this.#closed) this.#spreading = setTimeout(this.#options.known, SPREADING);
      },
      onTrouble: (reason) =>
        emit({
          event: reason === undefined ? "recovered" : "failed",
          ...{ tunnel: tunnel.name, peer: null, endpoint: null },
          reason: `store ${prefix}: ${reason === undefined ? "we are written there again" : `we can't be written there: ${reason}`}`,
        }),
    });
  }
}

export async function wantedOf(
  options: Pick<PublisherOptions, "tunnel" | "publish" | "publicKey" | "outer" | "peers">,
  read: Read,
): Promise<Wanted> {
  const { tunnel, publish, peers } = options;
  const wanted = new Map<string, string>();
  const [own, ...others] = tunnel.addresses.map(({ local }) => local);
  if (publish.endpoint !== undefined && own !== undefined) {
    const node = await nodeOf(options, publish.endpoint, own, read);
    if (node !== undefined) wanted.set(own, JSON.stringify(writeNode(withOthers(node, others))));
  }
  for (const { config, wanted: at } of publish.report ? peers() : []) {
    const [prefix] = config.allowedIPs ?? [];
    if (config.role !== "wait" || at === undefined || prefix === undefined || !isHost(prefix))
      continue;
    wanted.set(SEEN + prefix.address, JSON.stringify({ host: at.address, port: at.port }));
  }
  return wanted;
}

/** undefined: there is nothing to say yet. */
async function nodeOf(
  { publicKey, outer }: Pick<PublisherOptions, "publicKey" | "outer">,
  endpoint: NonNullable<PublishConfig["endpoint"]>,
  own: IpAddress,
  read: Read,
): Promise<Node | undefined> {
  const at = outer();
  const key = publicKey === undefined ? {} : { publicKey };
  if (typeof endpoint === "object") {
    const port = endpoint.port === 0 ? at?.port : endpoint.port;
    return port === undefined ? undefined : { host: endpoint.host, port, ...key };
  }
  if (endpoint === "own") return at && { host: at.address, port: at.port, ...key };
  const seen = endpoint === "seen" ? await seenAt(own, read) : undefined;
  if (seen === undefined) return { host: undefined, port: at?.port ?? 0, ...key };
  const { host, port } = seen;
  // Nobody translates us: whoever wants to can reach us.
  const isOpen = host === at?.address && port === at?.port;
  return { host, port, ...key, ...(isOpen ? {} : { seen: true }) };
}

async function seenAt(own: IpAddress, read: Read): Promise<Node | undefined> {
  const text = await read(SEEN + own);
  const node = text === undefined ? undefined : readNodeText(text);
  return node instanceof Complaint || node?.host === undefined ? undefined : node;
}

function withOthers(node: Node, others: readonly IpAddress[]): Node {
  if (others.length === 0) return node;
  const allowedIPs = others.map((address): Prefix => ({ address, length: 32 }));
  return { ...node, allowedIPs };
}
