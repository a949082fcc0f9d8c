/** How the demonstration looks: numbered chapters, sentences, and quoted output. */
import type { Host } from "../e2e/support/host.ts";

let chapters = 0;

export function chapter(title: string, ...text: string[]): void {
  chapters++;
  tell("", `── ${chapters}. ${title} ${"─".repeat(Math.max(0, 90 - title.length))}`, "", ...text);
}

export function tell(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

/** Output or a file, moved to the right. */
export function quote(text: string): void {
  if (text.trim() === "") tell("    (none)");
  else
    tell(
      ...text
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`),
    );
}

/** What a command is good for, the command, and what it says. */
export async function show(host: Host, why: string, command: [string, ...string[]]): Promise<void> {
  tell("", why, `  ${host.name}# ${command.join(" ")}`);
  const [program, ...args] = command;
  quote(await host.run(program, ...args));
}
