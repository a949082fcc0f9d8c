/** A terminal with this text in it, as SVG. Pure. */

const LINE = 19;
const WIDTH = 8.4;
const MARGIN = 16;
const BAR = 34;

const COLORS: Readonly<Record<string, string>> = {
  green: "#8bd49c",
  yellow: "#ebbf83",
  red: "#e27e8d",
  cyan: "#70e1e8",
  dim: "#8095b0",
};

/** Text of this colour, for {@link terminalPicture}. */
export function mark(color: string, text: string): string {
  return `\u0001${color}\u0002${text}\u0003`;
}

/** What is there to read, without colours. */
export function textOf(session: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: marks of our own
  return session.replace(/\u0001\w+\u0002|\u0003/g, "");
}

/** @param session Lines; those that begin with `$ ` are what somebody typed. */
export function terminalPicture(session: string): string {
  const lines = session.trimEnd().split("\n");
  const columns = Math.max(...lines.map((line) => textOf(line).length));
  const width = Math.ceil(columns * WIDTH + 2 * MARGIN);
  const height = lines.length * LINE + BAR + MARGIN;
  const dots = ["#e27e8d", "#ebbf83", "#8bd49c"].map(
    (color, i) => `<circle cx="${20 + i * 18}" cy="17" r="5.5" fill="${color}"/>`,
  );
  const texts = lines.map((line, i) => {
    const y = BAR + 14 + i * LINE;
    return `<text x="${MARGIN}" y="${y}">${spans(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="ipipoud in a terminal">
<!-- Made by \`npm run picture\` from what the program says. -->
<rect width="${width}" height="${height}" rx="8" fill="#1d252c"/>
${dots.join("\n")}
<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#d7e0ea" xml:space="preserve">
${texts.join("\n")}
</g>
</svg>
`;
}

function spans(line: string): string {
  const typed = /^\$ (.*)$/.exec(line);
  if (typed !== null) {
    return `<tspan fill="${COLORS["green"]}">$</tspan> <tspan font-weight="bold">${escaped(typed[1] ?? "")}</tspan>`;
  }
  return (
    escaped(line)
      .replaceAll("\u0003", "</tspan>")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: marks of our own
      .replace(/\u0001(\w+)\u0002/g, (_, color: string) => `<tspan fill="${COLORS[color]}">`)
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
