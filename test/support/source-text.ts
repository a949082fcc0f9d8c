/** Reads TypeScript as far as the layer test needs it: what is imported, and what is code at all. */

export interface Source {
  readonly text: string;
  /** The text with comments and the insides of strings blanked; line breaks and lengths stay. */
  readonly code: string;
}

export interface Import {
  readonly specifier: string;
  /** Nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** 1-based. */
  readonly line: number;
}

export function readSource(text: string): Source {
  return { text, code: outsideOf(text) };
}

/** In the order of the file; dynamic imports and `import("…").Type` too. */
export function importsOf({ text, code }: Source): Import[] {
  // In `code` a specifier is a pair of quotes with blanks between.
  const statement =
    /\bimport\s*(["'])\s*\1|\b(?:import|export)\b([^;"'()=]*?)\bfrom\s*(["'])\s*\3|\bimport\s*\(\s*(["'])\s*\4/g;
  return [...code.matchAll(statement)].map((match) => {
    const end = match.index + match[0].length - 1;
    const start = code.lastIndexOf(code[end] ?? "", end - 1) + 1;
    const dynamic = match[4] !== undefined;
    const isType = dynamic
      ? !/(?:\bawait|=>|\breturn|=)\s*$/.test(code.slice(0, match.index))
      : isTypeClause(match[2] ?? "");
    return {
      specifier: text.slice(start, end),
      typeOnly: isType,
      line: code.slice(0, match.index).split("\n").length,
    };
  });
}

/** `type { A }`, or braces in which every name has its own `type`. */
function isTypeClause(clause: string): boolean {
  if (/^\s*type\b/.test(clause)) return true;
  const braces = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1];
  if (braces === undefined) return false;
  const names = braces.split(",").filter((name) => name.trim() !== "");
  return names.length > 0 && names.every((name) => /^\s*type\s/.test(name));
}

const regexMayFollow = /(?:^|[=(,:;!&|?{}[\n]|=>|\breturn|\bcase|\btypeof|\bin|\bof)\s*$/;

/** Blanks comments, strings, template text and regular expressions; what stands in `${}` stays. */
export function outsideOf(text: string): string {
  const out = text.split("");
  /** Open template expressions: how many braces are open in each. */
  const templates: number[] = [];
  let at = 0;
  const blank = (from: number, to: number) => {
    for (let i = from; i < Math.min(to, out.length); i++) if (out[i] !== "\n") out[i] = " ";
  };
  const skipTo = (end: number) => {
    blank(at, end);
    at = end;
  };
  /** From just inside a string to its closing character, escapes skipped. */
  const closing = (quote: RegExp, from: number) => {
    for (let i = from; i < text.length; i++) {
      if (text[i] === "\\") i++;
      else if (quote.test(text.slice(i, i + 2))) return i;
    }
    return text.length;
  };
  const template = () => {
    skipTo(closing(/^(`|\$\{)/, at));
    if (text[at] === "`") at++;
    else {
      blank(at, at + 2);
      at += 2;
      templates.push(0);
    }
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? "";
    if (two === "//") {
      const end = text.indexOf("\n", at);
      skipTo(end < 0 ? text.length : end);
    } else if (two === "/*") {
      const end = text.indexOf("*/", at + 2);
      skipTo(end < 0 ? text.length : end + 2);
    } else if (one === '"' || one === "'") {
      at++;
      skipTo(closing(new RegExp(`^${one}`), at));
      at++;
    } else if (one === "`") {
      at++;
      template();
    } else if (one === "/" && regexMayFollow.test(out.slice(Math.max(0, at - 20), at).join(""))) {
      const end = closing(/^[/\n]/, at + 1);
      // A slash inside a class does not end it.
      skipTo(regexEnd(text, at, end));
    } else {
      const depth = templates.length - 1;
      if (one === "{" && depth >= 0) templates[depth] = (templates[depth] ?? 0) + 1;
      if (one === "}" && depth >= 0) {
        if (templates[depth] === 0) {
          templates.pop();
          skipTo(at + 1);
          template();
          continue;
        }
        templates[depth] = (templates[depth] ?? 0) - 1;
      }
      at++;
    }
  }
  return out.join("");
}

/** Behind the closing slash of a regular expression literal that begins at `start`. */
function regexEnd(text: string, start: number, fallback: number): number {
  let inClass = false;
  for (let i = start + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1;
  }
  return fallback;
}
