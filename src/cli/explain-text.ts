/** `explain` for people: one paragraph a packet, its steps in order, and what becomes of it. Pure. */
import type { Explained, ExplainStep, Explanation } from "../apply/explain/model.ts";

export function renderExplanation({ packets, omitted }: Explanation): string {
  const blocks = packets.map(renderPacket);
  if (packets.length === 0) blocks.push("there is no tunnel\n");
  if (omitted > 0) blocks.push(`${omitted} more tunnels; name one with --to\n`);
  return blocks.join("\n");
}

function renderPacket(packet: Explained): string {
  const { steps, verdict, mend } = packet;
  const width = Math.max(...steps.map(({ step }) => step.length));
  const lines = [
    titleOf(packet),
    ...steps.map((step) => `  ${step.step.padEnd(width)}  ${step.what}${left(step)}`),
    `  => ${verdict}`,
  ];
  if (mend !== null) lines.push(`     ${mend}`);
  return `${lines.join("\n")}\n`;
}

function titleOf({ direction, packet, tunnel, peer, from, to, source, destination }: Explained) {
  const whose = [tunnel, peer].filter((name) => name !== null).join("/");
  if (direction === "out") {
    const inTunnel = whose === "" ? "" : ` (${whose})`;
    return `a packet to ${destination}${inTunnel}`;
  }
  const inner = source === null ? "" : `, inner source ${source}`;
  const at = to === null ? "" : ` at ${to}`;
  const by = from === null ? "" : ` from ${from}`;
  const names = { data: "data", proof: "a proof", answer: "an answer", junk: "junk" } as const;
  const name = packet === "protocol 4" ? "bare protocol 4" : names[packet];
  return `${name}${by} for ${whose}${at}${inner}`;
}

function left({ secondsLeft }: ExplainStep): string {
  if (secondsLeft === undefined || secondsLeft === null) return "";
  return ` (${secondsLeft < 10 ? secondsLeft.toFixed(1) : Math.round(secondsLeft)} s left)`;
}
