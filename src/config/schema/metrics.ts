/** Metrics over HTTP: where they may be asked for. */
import * as z from "zod";
import type { Endpoint } from "../../net/address.ts";
import { Complaint } from "../complaint.ts";
import { integer } from "./leaf.ts";
import { readMetricsListen } from "./scalars.ts";

const wantPlace = new Complaint(
  "neither PORT nor ADDRESS:PORT",
  "write 9787 for this host alone, or 0.0.0.0:9787",
);

/** A port may be a number or a text, as YAML has it. */
const place = () =>
  z
    .union([integer(1, 65_535), z.string()], { error: () => wantPlace.encode() })
    .transform((value, context): Endpoint => {
      const result = readMetricsListen(String(value));
      if (!(result instanceof Complaint)) return result;
      context.addIssue({ code: "custom", message: result.encode() });
      return z.NEVER;
    });

export const metricsShape = {
  listen: place().describe(
    "Where Prometheus asks, at /metrics: PORT or :PORT for 127.0.0.1 alone, or ADDRESS:PORT (0.0.0.0:9787 for every address). Whoever reaches it may read it.",
  ),
};
