/** The command line as a value. Pure. */
import { parseArgs } from "node:util";
import { readDuration } from "../config/schema/scalars.ts";
import { familyOf, type IpAddress, parseAddress, parseEndpoint } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";

export const defaultConfigPath = "/etc/ipipou/ipipoud.yaml";

export type Command = {
  /** How many -v. */
  readonly verbosity: number;
  /** As given; empty where none was. */
  readonly configPaths: readonly string[];
} & (
  | { readonly name: "help" | "version" | "run" | "keygen" | "pubkey" | "schema" | "cleanup" }
  | { readonly name: "check"; readonly json: boolean }
  /** `args` is ipipou 0.1's command line, from behind `--`. */
  | { readonly name: "import"; readonly files: readonly string[]; readonly args: readonly string[] }
  | {
      readonly name: "explain";
      readonly address: IpAddress;
      /** With one it is an outer address. */
      readonly port: number | undefined;
      /** The tunnel that is asked about. */
      readonly to: string | undefined;
      readonly source: IpAddress | undefined;
      readonly json: boolean;
    }
  | {
      readonly name: "status";
      readonly tunnel: string | undefined;
      readonly json: boolean;
      /** Milliseconds from one to the next; undefined: once. */
      readonly watch: number | undefined;
      readonly control: string | undefined;
    }
  /** What the running daemon is asked to do. */
  | {
      readonly name: "reauth" | "forget";
      readonly target: Target | undefined;
      readonly control: string | undefined;
    }
  | {
      readonly name: "reload";
      /** Milliseconds after which it goes back by itself. */
      readonly confirmWithin: number | undefined;
      readonly control: string | undefined;
    }
  | { readonly name: "confirm"; readonly control: string | undefined }
  | { readonly name: "events"; readonly json: boolean; readonly control: string | undefined }
);

export interface Target {
  readonly tunnel: string;
  readonly peer: string | undefined;
}

/** All there are; what each means for people and shells: src/manual/commands.ts. */
export const options = {
  config: { type: "string", multiple: true },
  control: { type: "string" },
  check: { type: "boolean" },
  json: { type: "boolean" },
  verbose: { type: "boolean", short: "v", multiple: true },
  watch: { type: "string" },
  to: { type: "string" },
  source: { type: "string" },
  confirm: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const;

export type OptionName = keyof typeof options;

/** Beside --verbose, which all take. */
export const optionsOf: ReadonlyMap<string, readonly OptionName[]> = new Map([
  ["run", ["config"]],
  ["check", ["config", "check", "json"]],
  ["status", ["config", "control", "json", "watch"]],
  ["explain", ["config", "json", "to", "source"]],
  ["reauth", ["config", "control"]],
  ["forget", ["config", "control"]],
  ["reload", ["config", "control", "confirm"]],
  ["confirm", ["config", "control"]],
  ["events", ["config", "control", "json"]],
  ["cleanup", ["config"]],
  ["keygen", []],
  ["pubkey", []],
  ["schema", []],
  ["import", []],
]);

/** Throws a {@link Failure} (usage) for what makes no sense. */
export function parseArguments(args: readonly string[]): Command {
  const { values, positionals, behind } = parse(args);
  const common = {
    verbosity: values.verbose?.length ?? 0,
    configPaths: values.config ?? [],
  };
  if (values.help) return { ...common, name: "help" };
  if (values.version) return { ...common, name: "version" };

  const [first, ...rest] = positionals;
  const name = first ?? (values.check ? "check" : "run");
  const allowed = first === "run" || first === "check" ? undefined : optionsOf.get(name);
  if (allowed === undefined) {
    throw usage(`there is no command "${name}"`, commandHint(name));
  }
  for (const given of Object.keys(values)) {
    if (given === "verbose" || allowed.some((option) => option === given)) continue;
    const where = first === undefined ? "without a command" : `with \`${name}\``;
    throw usage(`--${given} means nothing ${where}`, "see `ipipoud --help`");
  }

  const json = values.json === true;
  const { control } = values;
  switch (name) {
    case "check":
      return { ...common, name, json };
    case "status":
      return {
        ...{ ...common, name, json, control },
        ...{ tunnel: atMostOne(name, rest), watch: interval(values.watch) },
      };
    case "explain": {
      const source = values.source === undefined ? undefined : ipv4(values.source, "--source");
      return { ...common, name, json, to: values.to, source, ...whom(rest) };
    }
    case "reauth":
      return { ...common, name, target: target(name, atMostOne(name, rest)), control };
    case "forget": {
      const whom = target(name, atMostOne(name, rest));
      if (whom?.peer === undefined) throw usage("`forget` wants TUNNEL/PEER");
      return { ...common, name, target: whom, control };
    }
    case "import":
      return { ...common, name, files: rest, args: behind };
    case "reload":
      none(name, rest);
      return { ...common, name, confirmWithin: delay(values.confirm), control };
    case "confirm":
      none(name, rest);
      return { ...common, name, control };
    case "events":
      none(name, rest);
      return { ...common, name, json, control };
    case "pubkey":
      none(name, rest, "it reads standard input: `ipipoud pubkey < FILE`");
      return { ...common, name };
    case "cleanup":
    case "keygen":
    case "schema":
      none(name, rest);
      return { ...common, name };
    default:
      return { ...common, name: "run" };
  }
}

/** What is behind a `--` is another program's for `import`, and no options of ours for the rest. */
function parse(args: readonly string[]) {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const behind = end < 0 ? [] : args.slice(end + 1);
  try {
    // Its value may be left out, and what follows is no value of it then.
    const args = own.map((arg) => (arg === "--watch" ? "--watch=" : arg));
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const forImport = positionals[0] === "import";
    return { values, positionals: forImport ? positionals : [...positionals, ...behind], behind };
  } catch (error) {
    // "Unknown option '--foo'. To specify …": the first sentence says it.
    const text = error instanceof Error ? error.message : String(error);
    const sentence = text.replace(/\.\s[\s\S]*$/, "").replace(/^[A-Z]/, (c) => c.toLowerCase());
    throw usage(sentence, "see `ipipoud --help`");
  }
}

function atMostOne(name: string, rest: readonly string[]): string | undefined {
  none(name, rest.slice(1));
  return rest[0];
}

function none(name: string, rest: readonly string[], mend?: string): void {
  if (rest[0] !== undefined) throw usage(`\`${name}\` does not take "${rest[0]}"`, mend);
}

/** What somebody may have meant by a word in a command's place. */
function commandHint(word: string): string {
  if (word === "check") return "it is `ipipoud --check`";
  const file = word.includes("/") || /\.(?:ya?ml|json)$/.test(word);
  return file ? "a configuration is named by `--config FILE`" : "see `ipipoud --help`";
}

/** ADDRESS or ADDRESS:PORT. */
function whom(rest: readonly string[]): { address: IpAddress; port: number | undefined } {
  const text = atMostOne("explain", rest);
  if (text === undefined) {
    throw usage(
      "`explain` wants an ADDRESS",
      "an outer one (with :PORT for one sender) or an inner one",
    );
  }
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) return { address: ipv4(text, "`explain`"), port: undefined };
  return { address: ipv4(endpoint.address, "`explain`"), port: endpoint.port };
}

function ipv4(text: string, where: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw usage(`${where}: "${text}" is no address`, "write 198.51.100.2");
  if (familyOf(address) === "ipv4") return address;
  throw usage(`${where}: ${address} is IPv6`, "tunnels are IPv4, inside and outside");
}

function target(name: string, text: string | undefined): Target | undefined {
  if (text === undefined) return undefined;
  const [tunnel = "", peer, ...more] = text.split("/");
  if (tunnel === "" || peer === "" || more.length > 0) {
    throw usage(`\`${name}\` wants TUNNEL or TUNNEL/PEER, not "${text}"`);
  }
  return { tunnel, peer };
}

function delay(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = readDuration(text);
  if (typeof value === "number" && value > 0) return value;
  const why = typeof value === "number" ? "no time at all" : value.what;
  throw usage(`--confirm: "${text}" is ${why}`, "write 60s or 5m");
}

/** Seconds, as `watch -n` takes them, or a duration. */
function interval(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === "") return DEFAULT_INTERVAL;
  const seconds = /^[0-9]{1,6}(?:\.[0-9]+)?$/.test(text) ? Number(text) * 1000 : readDuration(text);
  if (typeof seconds === "number" && seconds >= LEAST_INTERVAL) return seconds;
  const why = typeof seconds === "number" ? "too short a time" : seconds.what;
  throw usage(`--watch: "${text}" is ${why}`, "write --watch=2 (seconds) or --watch=500ms");
}

const DEFAULT_INTERVAL = 1000;
/** A status of 100,000 peers is work for the daemon. */
const LEAST_INTERVAL = 100;

function usage(what: string, mend?: string): Failure {
  return new Failure(exitCode.usage, what, mend);
}
