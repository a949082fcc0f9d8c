/** Values of metrics as Prometheus' text, by its client library. */
import { setImmediate as pause } from "node:timers/promises";
import { Counter, Gauge, Registry } from "prom-client";
import { catalogue, type MetricName } from "./catalogue.ts";
import type { Samples } from "./samples.ts";

export const contentType = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * A registry of its own for each page: what is no more (a peer that a reload removed) leaves no series.
 * One metric after the other, and packets between them: many peers take a while.
 */
export async function expose(samples: Samples): Promise<Buffer> {
  const parts: string[] = [];
  for (const name of Object.keys(catalogue) as MetricName[]) {
    const those = samples.get(name);
    if (those === undefined) continue;
    const { type, help, labels } = catalogue[name];
    const registers = [new Registry()] as const;
    const options = { name, help, labelNames: [...labels], registers: [...registers] };
    if (type === "gauge") {
      const metric = new Gauge<string>(options);
      for (const { labels, value } of those) metric.set(labels, value);
    } else {
      const metric = new Counter<string>(options);
      for (const { labels, value } of those) metric.inc(labels, value);
    }
    parts.push(await registers[0].metrics());
    await pause();
  }
  return Buffer.from(parts.join(""));
}
