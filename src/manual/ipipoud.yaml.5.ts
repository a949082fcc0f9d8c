/** ipipoud.yaml(5): every key of the configuration's schema, by the schema's own words. Pure. */
import { jsonSchema } from "../config/schema.ts";
import type { Edition } from "./ipipoud.8.ts";
import { Page } from "./roff.ts";

/** What we read of JSON Schema. */
export interface Node {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Node;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly not?: object;
}

/** A mapping of the file: where it stands, and its keys. */
export interface Mapping {
  /** `tunnels.NAME.peers.NAME`; empty: the top level. */
  readonly path: string;
  readonly keys: readonly (readonly [name: string, node: Node])[];
  readonly required: readonly string[];
}

/** All mappings with keys of their own, outermost first. */
export function mappingsOf(node: Node = jsonSchema() as Node, path = ""): Mapping[] {
  const found: Mapping[] = [];
  if (node.properties !== undefined) {
    const keys = Object.entries(node.properties);
    found.push({ path, keys, required: node.required ?? [] });
    for (const [name, inner] of keys) {
      found.push(...mappingsOf(inner, path === "" ? name : `${path}.${name}`));
    }
  }
  if (typeof node.additionalProperties === "object") {
    found.push(...mappingsOf(node.additionalProperties, `${path}.NAME`));
  }
  if (node.items !== undefined) found.push(...mappingsOf(node.items, `${path}[]`));
  for (const one of node.anyOf ?? []) found.push(...mappingsOf(one, path));
  return found;
}

/** What a value is, in words. */
export function typeOf(node: Node): string {
  if (node.not !== undefined) return "not supported yet";
  if (node.title !== undefined) return node.title;
  if (node.const !== undefined) return String(node.const);
  if (node.enum !== undefined) return node.enum.join(" | ");
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeOf))].join(" or ");
  switch (node.type) {
    case "boolean":
      return "true | false";
    case "integer":
    case "number": {
      const { minimum, maximum } = node;
      return minimum === undefined || maximum === undefined
        ? "number"
        : `number, ${minimum} to ${maximum}`;
    }
    case "array":
      return `list of ${typeOf(node.items ?? {})}`;
    case "object":
      return "mapping";
    default:
      return "text";
  }
}

const titles: Readonly<Record<string, string>> = {
  "": "TOP LEVEL",
  "tunnels.NAME": "A TUNNEL",
  "tunnels.NAME.peers.NAME": "A PEER",
};

/** @param examples Files of conf/, by what they show. */
export function configurationPage(
  { date, version }: Edition,
  examples: readonly (readonly [what: string, yaml: string])[],
): string {
  const page = new Page("IPIPOUD.YAML", 5, date, `ipipoud ${version}`, "File Formats");
  page
    .section("NAME")
    .text("ipipoud.yaml - configuration of ipipoud")
    .section("DESCRIPTION")
    .text(
      "`ipipoud`(8) reads `/etc/ipipou/ipipoud.yaml`, or what `--config` names: a file, or a folder whose every `*.yaml` and `*.json` is read. A `.json` file has the same content and is read faster. Files are merged: tunnels and peers of one name become one, lists follow each other, and a value given twice is an error that names both places.",
    )
    .paragraph(
      "A tunnel is one network interface and has one or more peers. A peer with an `endpoint` is dialled: we prove ourselves to it by `privateKey` or `token`. A peer without one is waited for: it proves itself by its `publicKey` or `token`. With `auth: none` nobody proves anything.",
    )
    .paragraph(
      "Unknown keys are errors. Every secret has a sibling that ends in `File`, the path of a file with the secret, of which one trailing newline is dropped. Paths are relative to the file that names them, and may begin with systemd's `\x24{CREDENTIALS_DIRECTORY}`. A duration is written as `500ms`, `27s`, `5m` or `1h`, a rate as `10/s`. IPv6 is not supported yet.",
    )
    .paragraph("`ipipoud --check` validates a file and shows what a start would do.");
  for (const { path, keys, required } of mappingsOf()) {
    page.section(titles[path] ?? path);
    if (path !== "") page.text(`Below \`${path}\`:`);
    for (const [name, node] of keys) {
      const must = required.includes(name) ? ", required" : "";
      const description = (node.description ?? "").replace(
        /^Not supported yet by this version\. /,
        "",
      );
      page.item(`\`${name}\` (${typeOf(node)}${must})`, description);
    }
  }
  page.section("EXAMPLES").text("As in the folder conf/ of the sources, where there are more.");
  for (const [what, yaml] of examples) page.paragraph(what).example(yaml);
  return page.section("SEE ALSO").text("`ipipoud`(8)").toString();
}
