/** Figures of size: the table, and what is above its limit. */
import type { SizeFigure } from "./guest.ts";
import { sizeScenarios } from "./scenarios.ts";

/** Instructions beyond those of a small start, against the same by hand. */
export function ratio({ few, all, ip, nft }: SizeFigure): number {
  return (all - few) / (ip + nft);
}

export function sizeTable(kernel: string, figures: readonly SizeFigure[]): string {
  const lines = [
    `kernel ${kernel}, millions of instructions (CPU time under icount) from start to ready`,
    "",
    row("", "with few", "with all", "ip -batch", "nft -f", "ratio", "MB", "messages of a roam"),
  ];
  for (const figure of figures) {
    const { scenario, many, few, all, ip, nft, resident, roamBesideFew, roamBesideAll } = figure;
    const costs = [few, all, ip, nft].map((cost) => String(Math.round(cost)));
    const roams = `${roamBesideAll} (${roamBesideFew})`;
    const rest = [ratio(figure).toFixed(2), String(Math.round(resident)), roams];
    lines.push(row(`${many} ${scenario}`, ...costs, ...rest));
  }
  return `${lines.join("\n")}\n`;
}

function row(first: string, ...others: string[]): string {
  return (
    first.padEnd(16) + others.map((one) => one.padStart(Math.max(11, one.length + 2))).join("")
  );
}

/** One line for each figure above its limit, or that compares what is not the same. */
export function sizeExcesses(figures: readonly SizeFigure[]): string[] {
  return figures.flatMap((figure) => {
    const { scenario, resident, roamBesideFew, roamBesideAll, made, madeByHand } = figure;
    const limits = sizeScenarios.find(({ name }) => name === scenario)?.limits;
    if (limits === undefined) return [`${scenario}: no limits`];
    const over: string[] = [];
    if (ratio(figure) > limits.ratio)
      over.push(`${scenario}: ${ratio(figure).toFixed(2)} times by hand is above ${limits.ratio}`);
    if (resident >= limits.megabytes)
      over.push(`${scenario}: ${Math.round(resident)} MB is not under ${limits.megabytes}`);
    if (roamBesideAll !== roamBesideFew)
      over.push(`${scenario}: a roam takes ${roamBesideAll} messages, alone ${roamBesideFew}`);
    for (const kind of ["links", "routes", "nexthops"] as const) {
      if (made[kind] !== madeByHand[kind])
        over.push(`${scenario}: ${made[kind]} ${kind}, ${madeByHand[kind]} by hand: not the same`);
    }
    return over;
  });
}
