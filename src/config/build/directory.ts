/** A tunnel's directory: exactly one source, and what belongs to it. */
import { Complaint } from "../complaint.ts";
import type {
  DirectoryConfig,
  DirectoryLimits,
  DirectoryOrigin,
  Identity,
  InnerAddress,
  PublishConfig,
} from "../model.ts";
import type { Problems } from "../problems.ts";
import type { DirectoryPart } from "../schema/directory.ts";
import type { Path } from "../source/document.ts";
import { withoutRepeats } from "./prefixes.ts";
import { hasSecret, takeSecret } from "./secrets.ts";

/** udptun's. Milliseconds. */
const defaultInterval = 300_000;
const defaultLease = 30_000;

export interface DirectoryContext {
  readonly tunnel: string;
  /** How the tunnel as a whole proves itself. */
  readonly tunnelKey: Identity;
  readonly addresses: readonly InnerAddress[];
  readonly path: Path;
  readonly problems: Problems;
}

type Complain = (what: string, mend: string, key?: string) => undefined;

export function buildDirectory(
  part: DirectoryPart | undefined,
  context: DirectoryContext,
): DirectoryConfig | undefined {
  if (part === undefined) return undefined;
  const { path, problems } = context;
  const complain: Complain = (what, mend, key) => {
    problems.add(key === undefined ? path : [...path, key], new Complaint(what, mend), {
      at: "key",
    });
    return undefined;
  };
  const from = originOf(part, context, complain);
  if (from === undefined) return undefined;
  const { interval = defaultInterval } = part;
  const limits = limitsOf(part, context, complain);
  return Object.freeze({
    from: Object.freeze(from),
    interval,
    ...(limits && { limits: Object.freeze(limits) }),
  });
}

function originOf(
  part: DirectoryPart,
  context: DirectoryContext,
  complain: Complain,
): DirectoryOrigin | undefined {
  const { file, url, store, caFile } = part;
  const given = (["file", "url", "store"] as const).filter((key) => part[key] !== undefined);
  if (given.length > 1) {
    const [first, ...others] = given.map((key) => `\`${key}\``);
    return complain(`a directory with both ${first} and ${others.join(" and ")}`, "keep one");
  }
  const secure = [...(url === undefined ? [] : [url]), ...(store ?? [])];
  if (caFile !== undefined && !secure.some((one) => one.startsWith("https:"))) {
    return complain("a `caFile`, and no https URL to check", "remove it, or add the URL");
  }
  if (store !== undefined) return storeOf(store, part, context, complain);
  const stray = OF_STORE.find((key) => part[key] !== undefined);
  if (stray !== undefined) {
    return complain(`\`${stray}\`, and no store`, "remove it, or add `store`", stray);
  }
  if (file !== undefined) return { kind: "file", path: file };
  if (url !== undefined) return { kind: "url", url, caFile };
  return complain("a directory without a source", "add `file`, `url` or `store`");
}

const OF_STORE = [
  ...["prefix", "user", "password", "passwordFile", "certFile", "keyFile", "auth"],
  ...["publish", "report", "lease"],
] as const;

function storeOf(
  store: readonly string[],
  part: DirectoryPart,
  context: DirectoryContext,
  complain: Complain,
): DirectoryOrigin {
  const { tunnel, path, problems } = context;
  const { user, caFile, certFile, keyFile } = part;
  const prefix = part.prefix ?? `/ipipoud/${encodeURIComponent(tunnel)}/`;
  const password = takeSecret(part, "password", path, problems);
  const hasPassword = hasSecret(part, "password");
  if (user !== undefined && !hasPassword) {
    complain("a user without a password", "add `passwordFile`", "user");
  }
  if (user === undefined && hasPassword)
    complain("a password, and nobody whose it is", "add `user`");
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const mend = "`certFile` and `keyFile` go together";
    complain("half of a certificate", mend, certFile === undefined ? "keyFile" : "certFile");
  }
  const secure = store.every((url) => url.startsWith("https:"));
  if (certFile !== undefined && !secure) {
    complain("a certificate, and a member without TLS to show it to", "write https", "store");
  }
  if (hasPassword && !secure) {
    complain("a password that would be sent in clear", "write https", "store");
  }
  const members = Object.freeze([...new Set(store)]);
  const publish = publishOf(part, context, complain);
  return { kind: "store", members, prefix, user, password, caFile, certFile, keyFile, publish };
}

function publishOf(
  part: DirectoryPart,
  { tunnelKey, addresses }: DirectoryContext,
  complain: Complain,
): PublishConfig | undefined {
  const { publish: endpoint, report = false, lease } = part;
  if (endpoint === undefined && !report) {
    if (lease !== undefined) {
      complain("a lease, and nothing that is written", "add `publish`, or remove it", "lease");
    }
    return undefined;
  }
  if (addresses.length === 0) {
    complain("a node without an inner address", "add the tunnel's `address`", "publish");
  }
  if ((endpoint === "seen" || endpoint === "none") && tunnelKey.kind !== "key") {
    const what = "a node that is known by its key alone, and no key";
    complain(what, "add the tunnel's `privateKeyFile`", "publish");
  }
  return Object.freeze({ endpoint, report, lease: lease ?? defaultLease });
}

/** A file or URL is its operator's own word; into a store each node may write for itself. */
function limitsOf(
  part: DirectoryPart,
  { tunnelKey }: DirectoryContext,
  complain: Complain,
): DirectoryLimits | undefined {
  const allowedIPs = withoutRepeats(part.allowedIPs);
  if (part.store === undefined) {
    return allowedIPs && { allowedIPs, unproven: true, proving: undefined };
  }
  if (allowedIPs === undefined) {
    const mend = "add the directory's `allowedIPs`: [192.168.100.0/24]";
    complain("a store that may give any inner address to its nodes", mend);
  }
  const unproven = part.auth === "none";
  return { allowedIPs: allowedIPs ?? [], unproven, proving: tunnelKey };
}
