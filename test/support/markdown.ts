/** Code in our Markdown: fenced, indented by four, and between backticks. */

export interface Block {
  /** Behind the fence; empty for indented code. */
  readonly language: string;
  readonly text: string;
  /** Of its first line, from 1 on. */
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number; fenced: boolean } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const text = `${open.lines.join("\n").trimEnd()}\n`;
    blocks.push({ language: open.language, text, line: open.line });
    open = undefined;
  };
  const lines = markdown.split("\n");
  lines.forEach((line, i) => {
    const fence = /^```(\w*)/.exec(line);
    if (open?.fenced) {
      if (fence === null) open.lines.push(line);
      else close();
    } else if (fence !== null) {
      close();
      open = { language: fence[1] ?? "", lines: [], line: i + 2, fenced: true };
    } else if (line.startsWith("    ") && (open !== undefined || lines[i - 1] === "")) {
      open ??= { language: "", lines: [], line: i + 1, fenced: false };
      open.lines.push(line.slice(4));
    } else if (line !== "") close();
    else open?.lines.push("");
  });
  close();
  return blocks;
}

/** Everything that is code, with its line. */
export function codeOf(markdown: string): { readonly text: string; readonly line: number }[] {
  const spans = markdown
    .split("\n")
    .flatMap((text, i) =>
      text.startsWith("    ")
        ? []
        : [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => ({ text: code, line: i + 1 })),
    );
  return [...blocksOf(markdown), ...spans];
}
