import { Lexer } from "yaml";
import { deepest } from "./limits.ts";

/** Every level of block style takes a column at least. */
const widestIndent = 8 * deepest;

/**
 * Where a text is nested deeper than any configuration, found without recursion: the package composes
 * recursively, and where its stack ends inside a regular expression, V8 ends the process.
 */
export function tooDeepAt(text: string): number | undefined {
  let offset = 0;
  /** Brackets that are open. */
  let open = 0;
  /** Columns of spaces and of `-`, `?`, `:` at a line's begin; undefined behind its first content. */
  let indent: number | undefined = 0;
  /** The lexer announces a scalar by a mark of its own; what follows is content, whatever it looks like. */
  let scalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    if (marks.has(lexeme)) {
      scalar = lexeme === scalarMark;
      continue;
    }
    if (!scalar) {
      if (lexeme === "[" || lexeme === "{") open++;
      else if (lexeme === "]" || lexeme === "}") open = Math.max(0, open - 1);
    }
    if (open > deepest) return offset;
    if (!scalar && /^\r?\n$/.test(lexeme)) indent = 0;
    else if (indent !== undefined && !scalar && /^(?:[ \t]+|[-?:])$/.test(lexeme)) {
      indent += lexeme.length;
    } else {
      if (indent !== undefined && indent > widestIndent && open === 0) return offset;
      indent = undefined;
    }
    scalar = false;
    offset += lexeme.length;
  }
  return undefined;
}

/** Of the package's lexer (`CST.SCALAR` and its neighbours): lexemes that stand for no text. */
const scalarMark = "\u001f";
const marks: ReadonlySet<string> = new Set(["\u0002", "\u0018", scalarMark]);
