/** Figures against the reference: the table, and what is above its limit. */
import type { Figure } from "./guest.ts";

const reference = "bare FOU";

/** Highest ratio to the reference that is accepted. */
const limits: Readonly<Record<string, { receive: number; send: number }>> = {
  "direct, exact": { receive: 1.06, send: 1.01 },
  "direct, prefixes": { receive: 1.08, send: 1.01 },
  "hub, 1 peer": { receive: 1.12, send: 1.12 },
  "hub, 10000 peers": { receive: 1.12, send: 1.12 },
  "hub, 100000 peers": { receive: 1.12, send: 1.12 },
  "translated peer": { receive: 1.18, send: 1.3 },
  "translated tunnel": { receive: 1.18, send: 1.3 },
};

const directions = ["receive", "send"] as const;

export function table(kernel: string, figures: readonly Figure[]): string {
  const base = figures.find(({ scenario }) => scenario === reference);
  const lines = [
    `kernel ${kernel}, instructions per 64-byte packet (both ends and the application), ratio to ${reference}`,
    "",
    `${"".padEnd(20)}${directions.map((name) => name.padStart(20)).join("")}`,
  ];
  for (const figure of figures) {
    const cells = directions.map((name) => {
      const ratio = base === undefined ? "" : ` (${(figure[name] / base[name]).toFixed(3)})`;
      return `${Math.round(figure[name])}${ratio}`.padStart(20);
    });
    lines.push(figure.scenario.padEnd(20) + cells.join(""));
  }
  return `${lines.join("\n")}\n`;
}

/** One line for each figure above its limit; a scenario without figures, or no reference, is one too. */
export function excesses(figures: readonly Figure[]): string[] {
  const base = figures.find(({ scenario }) => scenario === reference);
  if (base === undefined) return [`no figure for ${reference}`];
  return [...sizeMatters(figures), ...aboveLimits(figures, base)];
}

/** A hub's packets may not cost more for its having many peers than this. */
const mostForSize = 1.02;

function sizeMatters(figures: readonly Figure[]): string[] {
  const one = figures.find(({ scenario }) => scenario === "hub, 1 peer");
  const all = figures.find(({ scenario }) => scenario === "hub, 100000 peers");
  if (one === undefined || all === undefined) return [];
  return directions.flatMap((name) => {
    const ratio = all[name] / one[name];
    if (ratio <= mostForSize) return [];
    return [
      `${all.scenario}, ${name}: ${ratio.toFixed(3)} of ${one.scenario}, above ${mostForSize}`,
    ];
  });
}

function aboveLimits(figures: readonly Figure[], base: Figure): string[] {
  return figures.flatMap((figure) =>
    directions.flatMap((name) => {
      const limit = limits[figure.scenario]?.[name];
      const ratio = figure[name] / base[name];
      if (limit === undefined || ratio <= limit) return [];
      return [`${figure.scenario}, ${name}: ${ratio.toFixed(3)} is above ${limit}`];
    }),
  );
}
