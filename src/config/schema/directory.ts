/** Where a tunnel's peers come from beside the configuration. */
import * as z from "zod";
import { Complaint } from "../complaint.ts";
import type { PublishConfig } from "../model.ts";
import { choice, flag, list, path, secretText, text, wantMapping } from "./leaf.ts";
import { readDuration, readEndpoint, readInterval, readPrefix } from "./scalars.ts";

const wantUrl = "write https://example.net/hosts.json";

function readUrl(written: string): string | Complaint {
  if (!URL.canParse(written)) return new Complaint("not a URL", wantUrl);
  const { protocol, href } = new URL(written);
  return protocol === "https:" || protocol === "http:"
    ? href
    : new Complaint("neither an http nor an https URL", wantUrl);
}

const wantInterval = "want a duration of at least 1s: 27s, 5m, 1h";

const wantUser = "want 1 to 255 printable characters";

function readUser(written: string): string | Complaint {
  return /^[!-~]{1,255}$/.test(written) ? written : new Complaint("not a name", wantUser);
}

const wantPublish = "write own, seen, none or HOST[:PORT]";

function readPublish(written: string): PublishConfig["endpoint"] | Complaint {
  if (written === "own" || written === "seen" || written === "none") return written;
  const endpoint = readEndpoint(written);
  if (endpoint instanceof Complaint) return endpoint;
  return { host: endpoint.host.toLowerCase(), port: endpoint.port };
}

const wantLease = "want a duration of 5s to 1h";

function readLease(written: string): number | Complaint {
  const value = readDuration(written);
  if (value instanceof Complaint) return value;
  return value >= 5000 && value <= 3_600_000 ? value : new Complaint("not a lease", wantLease);
}

const wantMembers = "write [https://192.0.2.1:2379, …], each member's client URL";

/** Whoever prints it prints no secret: nothing but the origin. */
function readMember(written: string): string | Complaint {
  if (!URL.canParse(written)) return new Complaint("not a URL", wantMembers);
  const url = new URL(written);
  const { protocol, origin } = url;
  if (protocol !== "https:" && protocol !== "http:") {
    return new Complaint("neither an http nor an https URL", wantMembers);
  }
  if (url.href !== `${origin}/`) {
    return new Complaint("more than a host and a port", wantMembers);
  }
  return origin;
}

const wantStorePrefix = "write /fleet/: printable characters with a / at the end";

function readStorePrefix(written: string): string | Complaint {
  return /^[!-~]{0,254}\/$/.test(written)
    ? written
    : new Complaint("not a prefix", wantStorePrefix);
}

export const directoryShape = {
  file: path().optional().describe("The hosts file. It is read again when it changes."),
  url: text(new Complaint("not a URL", wantUrl), readUrl)
    .optional()
    .describe("An http or https URL that gives a hosts file; the last good answer stays."),
  store: list(
    text(new Complaint("not a URL", wantMembers), readMember),
    new Complaint("not a list of URLs", wantMembers),
    new Complaint("a cluster without members", wantMembers),
  )
    .optional()
    .describe(
      "The members of an etcd cluster (3.4 or later), by their client URLs; each node is a key under `prefix`.",
    ),
  interval: text(new Complaint("not a duration", wantInterval), readInterval)
    .optional()
    .describe(
      "How often the URL is asked, or file or store are looked at in any case. Default 5m.",
    ),
  caFile: path()
    .optional()
    .describe(
      "Certificates (PEM) of those who may vouch for the host of the URL, or for the store's members, in place of the system's.",
    ),
  prefix: text(new Complaint("not a prefix", wantStorePrefix), readStorePrefix)
    .optional()
    .describe("Of the store's keys: PREFIX192.168.100.1 is a node. Default /ipipoud/TUNNEL/."),
  user: text(new Complaint("not a name", wantUser), readUser)
    .optional()
    .describe("The store's user that we are; with `password` or `passwordFile`."),
  password: secretText().optional().describe("The user's password."),
  passwordFile: path()
    .optional()
    .describe("File with the password; one trailing newline is dropped."),
  certFile: path()
    .optional()
    .describe("Our certificate (PEM), where the store's members ask for one; with `keyFile`."),
  keyFile: path().optional().describe("The certificate's key (PEM)."),
  allowedIPs: list(
    text(new Complaint("not a network", "write 192.168.100.0/24"), readPrefix),
    new Complaint("not a list of networks", "write [192.168.100.0/24]"),
  )
    .optional()
    .describe(
      "The inner addresses that the directory may give to its nodes; needed with a store. Default: any.",
    ),
  publish: text(new Complaint("not an endpoint", wantPublish), readPublish)
    .optional()
    .describe(
      "With a store: our own node is written there while we run. HOST[:PORT] says where others reach us, `own` our outer address, `seen` where a hub with `report` saw us, `none` only our key. Default: nothing is written.",
    ),
  report: flag()
    .optional()
    .describe(
      "With a store: where those that come to us were seen is written there. Default false.",
    ),
  lease: text(new Complaint("not a duration", wantLease), readLease)
    .optional()
    .describe("How long what we have written outlasts us, 5s to 1h. Default 30s."),
  auth: choice(["none"])
    .optional()
    .describe(
      "With a store: nodes without a publicKey are taken, too, from their host's address, as those of a file are.",
    ),
};

export const directory = () =>
  z.strictObject(directoryShape, wantMapping("write directory as { file: hosts.json }"));

/** A tunnel's directory in one file after reading. */
export type DirectoryPart = z.output<ReturnType<typeof directory>>;
