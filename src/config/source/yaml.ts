/**
 * YAML 1.2 files by the package `yaml`, as plain values: core schema, no tags of one's own, no merge
 * keys, aliases bounded. The package's messages quote the file, so ours are told from its error codes.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type YAMLError,
} from "yaml";
import { Complaint } from "../complaint.ts";
import { ConfigurationError, fileProblem } from "../problems.ts";
import type { At } from "./document.ts";
import { type Located, type Path, positionOf, type Source } from "./document.ts";
import { tooDeep } from "./limits.ts";
import { tooDeepAt } from "./yaml-nesting.ts";
import { resolveTree, type Tree, YamlFlaw } from "./yaml-tree.ts";

/** @throws ConfigurationError for syntax, a key that stands twice, unknown tags, unbounded aliases. */
export function readYaml(file: string, text: string): Source {
  const refuse = (offset: number, complaint: Complaint): never => {
    throw new ConfigurationError([fileProblem(file, complaint, positionOf(text, offset))]);
  };
  const deep = tooDeepAt(text);
  if (deep !== undefined) return refuse(deep, tooDeep);
  const document = parse(text);
  if (document instanceof Complaint) return refuse(0, document);
  const [first] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (first !== undefined) return refuse(first.pos[0], syntaxComplaint(first));
  if (document.directives?.yaml.version !== "1.2") {
    return refuse(0, new Complaint("not YAML 1.2", "remove the %YAML line"));
  }
  try {
    const tree = resolveTree(document.contents, text);
    return {
      value: tree.value,
      document: { file, text, locate: (path, at) => locate(tree, path, at) },
    };
  } catch (error) {
    if (error instanceof YamlFlaw) return refuse(error.offset, error.complaint);
    throw error;
  }
}

function parse(text: string): Document.Parsed | Complaint {
  try {
    return parseDocument(text, {
      version: "1.2",
      schema: "core",
      stringKeys: true,
      resolveKnownTags: false,
      merge: false,
      // Quadratic: 100,000 peers take minutes. The tree is checked for it instead.
      uniqueKeys: false,
      // Pretty means: with the source line in the message.
      prettyErrors: false,
      logLevel: "error",
    });
  } catch {
    return new Complaint("not valid YAML", "look for brackets and quotes that are not closed");
  }
}

function syntaxComplaint(error: YAMLError): Complaint {
  return (
    complaints[error.code] ?? new Complaint("not valid YAML", "check this line and the one above")
  );
}

const quote = "put the text in quotes";
const indent = "indent the keys of one mapping by the same number of spaces";

/** What the package's error codes mean to somebody who writes a configuration. */
const complaints: Readonly<Partial<Record<YAMLError["code"], Complaint>>> = {
  ALIAS_PROPS: new Complaint("an alias with an anchor or a tag", quote),
  BAD_ALIAS: new Complaint("a text that begins with * is an alias", quote),
  BAD_COLLECTION_TYPE: new Complaint("a tag that does not fit its value", "remove the tag"),
  BAD_DIRECTIVE: new Complaint("a line that begins with % is a directive", "remove it"),
  BAD_DQ_ESCAPE: new Complaint(
    "an unknown escape between double quotes",
    "write \\\\ for a backslash, or use single quotes",
  ),
  BAD_INDENT: new Complaint("wrong indentation, or a bracket that is not closed", indent),
  BAD_PROP_ORDER: new Complaint("an anchor or tag in the wrong place", quote),
  BAD_SCALAR_START: new Complaint("a text cannot begin with this character", quote),
  BLOCK_AS_IMPLICIT_KEY: new Complaint(
    "a second key on one line",
    'quote a text that contains ": "',
  ),
  BLOCK_IN_FLOW: new Complaint("indented values inside brackets", "close the bracket first"),
  KEY_OVER_1024_CHARS: new Complaint("a key of more than 1024 characters"),
  MISSING_CHAR: new Complaint(
    "something is missing here",
    "look for a quote, bracket, comma or colon",
  ),
  MULTILINE_IMPLICIT_KEY: new Complaint("a key over several lines", 'look for a missing ":" above'),
  MULTIPLE_ANCHORS: new Complaint("two anchors on one value", "remove one"),
  MULTIPLE_DOCS: new Complaint("a second document", "remove the --- line"),
  MULTIPLE_TAGS: new Complaint("two tags on one value", "remove them"),
  NON_STRING_KEY: new Complaint("a key that is not text", "write a plain name before the colon"),
  RESOURCE_EXHAUSTION: new Complaint("nested too deep", "look for brackets that are not closed"),
  TAB_AS_INDENT: new Complaint("a tab in the indentation", "use spaces"),
  TAG_RESOLVE_FAILED: new Complaint(
    "a text that begins with ! is a tag, and an unknown one",
    quote,
  ),
};

/** Aliases are followed: what they stand for has its place where it is written. */
function locate(tree: Tree, path: Path, at: At): Located {
  let node = tree.root;
  let keyAt = tree.offsetOf(node);
  let depth = 0;
  for (const part of path) {
    const container = tree.target(node);
    if (typeof part === "number") {
      const item = isSeq(container) ? container.items[part] : undefined;
      if (item === undefined) break;
      node = item;
      keyAt = tree.offsetOf(item);
    } else {
      const pair = isMap(container)
        ? container.items.find(({ key }) => isScalar(key) && key.value === part)
        : undefined;
      if (pair === undefined) break;
      node = pair.value;
      keyAt = tree.offsetOf(pair.key);
    }
    depth++;
  }
  const target = tree.target(node);
  const collection = isMap(target) || isSeq(target);
  const nothing = !isAlias(node) && tree.isEmpty(node);
  const offset = at === "key" || collection || nothing ? keyAt : tree.offsetOf(node);
  return { depth, offset, items: isSeq(target) ? target.items.length : undefined };
}
