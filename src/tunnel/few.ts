/** The first of several sentences: no more than a line of an event holds. */
export function fewOf(words: readonly string[]): string {
  const more = words.length > 3 ? `; and ${words.length - 3} more` : "";
  return `${words.slice(0, 3).join("; ")}${more}`;
}
