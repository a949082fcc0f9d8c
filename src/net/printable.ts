/** Text of others, so that it can stand in one line of ours: on a terminal, in a log, in an event. */

/** No control character, no line break and no trick with text's direction: they are spelled out. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** In quotes, and no more of it than `most` characters. */
export function quoted(text: string, most: number): string {
  return printable(JSON.stringify(text.slice(0, most)));
}
