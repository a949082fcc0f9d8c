/** Colours, for a terminal alone. Pure. */

/** SGR parameters (ECMA-48): `\x1b[31m`. */
const COLORS = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2 } as const;

export type Color = keyof typeof COLORS;
export type Paint = (color: Color, text: string) => string;

export const plain: Paint = (_, text) => text;
export const colored: Paint = (color, text) => `\u001b[${COLORS[color]}m${text}\u001b[0m`;

/** What terminals agree on: no-color.org, and that a dumb one knows no sequences. */
export function wantsColor(
  isTerminal: boolean,
  environment: { readonly NO_COLOR?: string | undefined; readonly TERM?: string | undefined },
): boolean {
  const { NO_COLOR = "", TERM } = environment;
  return isTerminal && NO_COLOR === "" && TERM !== "dumb";
}
