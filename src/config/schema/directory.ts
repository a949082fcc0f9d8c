/** Where a tunnel's peers come from beside the configuration. */
import * as z from "zod";
import { Complaint } from "../complaint.ts";
import { path, text, wantMapping } from "./leaf.ts";
import { readDuration } from "./scalars.ts";

const wantUrl = "write https://example.net/hosts.json";

function readUrl(written: string): string | Complaint {
  if (!URL.canParse(written)) return new Complaint("not a URL", wantUrl);
  const { protocol, href } = new URL(written);
  return protocol === "https:" || protocol === "http:"
    ? href
    : new Complaint("neither an http nor an https URL", wantUrl);
}

const wantInterval = "want a duration of at least 1s: 27s, 5m, 1h";

function readInterval(written: string): number | Complaint {
  const value = readDuration(written);
  if (value instanceof Complaint) return value;
  return value >= 1000 ? value : new Complaint("less than a second", wantInterval);
}

export const directoryShape = {
  file: path().optional().describe("The hosts file. It is read again when it changes."),
  url: text(new Complaint("not a URL", wantUrl), readUrl)
    .optional()
    .describe("An http or https URL that gives a hosts file; the last good answer stays."),
  interval: text(new Complaint("not a duration", wantInterval), readInterval)
    .optional()
    .describe("How often the URL is asked, or the file is looked at in any case. Default 5m."),
  caFile: path()
    .optional()
    .describe(
      "Certificates (PEM) of those who may vouch for the URL's host, in place of the system's.",
    ),
};

export const directory = () =>
  z.strictObject(directoryShape, wantMapping("write directory as { file: hosts.json }"));
