/** A terminal with this text in it, as SVG. Pure. */

const LINE = 19;
const WIDTH = 8.4;
const MARGIN = 16;
const BAR = 34;

/** @param session Lines; those that begin with `$ ` are what somebody typed. */
export function terminalPicture(session: string): string {
  const lines = session.trimEnd().split("\n");
  const columns = Math.max(...lines.map((line) => line.length));
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
    return `<tspan fill="#8bd49c">$</tspan> <tspan font-weight="bold">${escaped(typed[1] ?? "")}</tspan>`;
  }
  return escaped(line);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
