/** Runs in the guest, under icount: every scenario in turn, results as JSON into the given file. */
import { writeFile } from "node:fs/promises";
import { Ends } from "./ends.ts";
import { measure } from "./measure.ts";
import { scenarios } from "./scenarios.ts";

export interface Figure {
  readonly scenario: string;
  /** Instructions per 64-byte packet. */
  readonly receive: number;
  readonly send: number;
}

const [blast = "", file = "", ...wanted] = process.argv.slice(2);
const figures: Figure[] = [];
let number = 0;
for (const scenario of scenarios) {
  if (wanted.length > 0 && !wanted.includes(scenario.name)) continue;
  const ends = await Ends.create(++number);
  const { tested, peer } = ends;
  const inner = await scenario.prepare(ends);
  try {
    const receive = await measure({ from: peer, to: tested, address: inner.tested }, blast);
    const send = await measure({ from: tested, to: peer, address: inner.peer }, blast);
    figures.push({ scenario: scenario.name, receive, send });
    process.stderr.write(`bench: ${scenario.name}: ${Math.round(receive)}, ${Math.round(send)}\n`);
  } finally {
    await inner.end?.();
    await ends.remove();
  }
  await writeFile(file, JSON.stringify(figures));
}
