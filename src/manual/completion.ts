/**
 * Completion for shells, made from the tables of commands and options. Names of tunnels and peers are asked of
 * the running daemon. Pure.
 */
import { type OptionName, optionsOf } from "../cli/arguments.ts";
import { commandWords, type Operand, optionWords } from "./commands.ts";

const always: readonly OptionName[] = ["verbose", "help"];
const short: Partial<Readonly<Record<OptionName, string>>> = {
  verbose: "v",
  help: "h",
  version: "V",
};

/** What can be typed as a command. */
const commands = [...optionsOf.keys()].filter((name) => name !== "run" && name !== "check");

/** Options of a command, and of none at all. */
function allowed(command: string | undefined): OptionName[] {
  const own = command === undefined ? ["config", "check", "version"] : optionsOf.get(command);
  return [...((own ?? []) as OptionName[]), ...always];
}

function operandOf(command: string): Operand | undefined {
  return commandWords[command]?.completes;
}

function summaryOf(command: string): string {
  return commandWords[command]?.summary ?? "";
}

function withOperand(operand: Operand): string[] {
  return commands.filter((name) => operandOf(name) === operand);
}

const withValue = (Object.keys(optionWords) as OptionName[]).filter(
  (name) => optionWords[name].value !== undefined,
);

/**
 * `status --json` on one line, taken apart by sed: a tunnel's name is followed by its interface, a peer's by
 * its state. Only names that no shell has to quote.
 */
const tunnelNames = String.raw`sed 's/"name":/\n&/g' | sed -n 's/^"name":"\([A-Za-z0-9_.@-]*\)","interface":.*/\1/p'`;
const peerNames = String.raw`sed 's/"name":/\n&/g' | sed -n -e 's/^"name":"\([A-Za-z0-9_.@-]*\)","interface":.*/\1/;t tunnel' -e 's/^"name":"\([A-Za-z0-9_.@-]*\)","state":.*/\1/;t peer' -e 'b' -e ':tunnel' -e 'h;p;b' -e ':peer' -e 'G;s/\(.*\)\n\(.*\)/\2\/\1/p'`;

export function bash(): string {
  const words = (names: readonly OptionName[]): string =>
    names.map((name) => `--${name}`).join(" ");
  const cases = commands.map((name) => `    ${name}) options="${words(allowed(name))}" ;;`);
  const files = withValue.filter((name) => optionWords[name].completes === "file");
  const values = withValue.filter((name) => Array.isArray(optionWords[name].completes));
  return `# bash completion for ipipoud, made by \`npm run man\`.

_ipipoud() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command='' options i at=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    --config | --control) at+=("\${COMP_WORDS[i]}" "\${COMP_WORDS[i + 1]}") && ((++i)) ;;
    ${withValue
      .filter((name) => name !== "config" && name !== "control")
      .map((name) => `--${name}`)
      .join(" | ")}) ((++i)) ;;
    --check) command=\${command:-check} ;;
    --) return ;;
    -*) ;;
    *) command=\${command:-\${COMP_WORDS[i]}} ;;
    esac
  done

  case $previous in
  ${files.map((name) => `--${name}`).join(" | ")})
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
    ;;
${values
  .map((name) => {
    const list = optionWords[name].completes as readonly string[];
    return `  --${name})
    mapfile -t COMPREPLY < <(compgen -W '${list.join(" ")}' -- "$current")
    return
    ;;
`;
  })
  .join("")}  esac

  case $command in
    '') options="${words(allowed(undefined))}" ;;
    check) options="${words((optionsOf.get("check") ?? []).filter((name) => name !== "check"))} ${words(always)}" ;;
${cases.join("\n")}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi

  case $command in
  '')
    mapfile -t COMPREPLY < <(compgen -W '${commands.join(" ")}' -- "$current")
    ;;
  ${withOperand("file").join(" | ")})
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    ;;
  ${withOperand("tunnel").join(" | ")})
    mapfile -t COMPREPLY < <(compgen -W "$(ipipoud status --json "\${at[@]}" 2>/dev/null | ${tunnelNames})" -- "$current")
    ;;
  ${withOperand("tunnel/peer").join(" | ")})
    mapfile -t COMPREPLY < <(compgen -W "$(ipipoud status --json "\${at[@]}" 2>/dev/null | ${peerNames})" -- "$current")
    ;;
  esac
}

complete -F _ipipoud ipipoud
`;
}

export function zsh(): string {
  const spec = (name: OptionName): string => {
    const { value, completes, summary } = optionWords[name];
    const letter = short[name];
    const repeat = name === "config" || name === "verbose" ? "*" : "";
    const excluded = letter === undefined || repeat ? "" : `(-${letter} --${name})`;
    const names = letter === undefined ? `--${name}` : `{-${letter},--${name}}`;
    const what =
      completes === "file" ? "_files" : Array.isArray(completes) ? `(${completes.join(" ")})` : "";
    const argument = value === undefined ? "" : `:${value}:${what}`;
    return `${quoted(excluded + repeat)}${names}${quoted(`[${summary}]${argument}`)}`;
  };
  const specs = (names: readonly OptionName[]): string => names.map(spec).join(" ");
  const operand = (command: string): string => {
    switch (operandOf(command)) {
      case "tunnel":
        return " '1:tunnel:_ipipoud_tunnels'";
      case "tunnel/peer":
        return " '1:peer:_ipipoud_peers'";
      case "file":
        return " '*:file:_files'";
      case "other":
        return ` '1:${commandWords[command]?.operands.replace(/[[\]:]/g, "\\$&")}:'`;
      default:
        return "";
    }
  };
  return `#compdef ipipoud
# zsh completion for ipipoud, made by \`npm run man\`.

_ipipoud_tunnels() {
  local -a names
  names=(\${(f)"$(ipipoud status --json 2>/dev/null | ${tunnelNames})"})
  compadd -a names
}

_ipipoud_peers() {
  local -a names
  names=(\${(f)"$(ipipoud status --json 2>/dev/null | ${peerNames})"})
  compadd -a names
}

_ipipoud() {
  local context state line
  local -a commands
  typeset -A opt_args
  commands=(
${commands.map((name) => `    ${quoted(`${name}:${summaryOf(name)}`)}`).join("\n")}
  )
  _arguments -C ${specs([...new Set([...allowed(undefined), "json" as const])])} '1: :->command' '*:: :->rest'
  case $state in
  command) _describe command commands ;;
  rest)
    case $words[1] in
${commands.map((name) => `    ${name}) _arguments ${specs(allowed(name))}${operand(name)} ;;`).join("\n")}
    esac
    ;;
  esac
}

if [[ $funcstack[1] == _ipipoud ]]; then
  _ipipoud "$@"
else
  compdef _ipipoud ipipoud
fi
`;
}

export function fish(): string {
  const line = (condition: string, rest: string): string =>
    `complete -c ipipoud -n ${quoted(condition)} ${rest}`;
  const option = (condition: string, name: OptionName): string => {
    const { value, completes, summary } = optionWords[name];
    const letter = short[name] === undefined ? "" : `-s ${short[name]} `;
    const argument =
      value === undefined
        ? ""
        : completes === "file"
          ? " -r -F"
          : ` -x -a ${quoted((completes ?? []).join(" "))}`;
    return line(condition, `${letter}-l ${name}${argument} -d ${quoted(summary)}`);
  };
  const after = (name: string): string => `__fish_seen_subcommand_from ${name}`;
  const before = `not __fish_seen_subcommand_from ${commands.join(" ")}`;
  const operands = (kind: Operand, rest: string): string[] =>
    withOperand(kind).map((name) => line(after(name), rest));
  return `# fish completion for ipipoud, made by \`npm run man\`.

function __ipipoud_tunnels
    ipipoud status --json 2>/dev/null | ${tunnelNames}
end

function __ipipoud_peers
    ipipoud status --json 2>/dev/null | ${peerNames}
end

complete -c ipipoud -f
${[
  ...commands.map((name) => line(before, `-a ${name} -d ${quoted(summaryOf(name))}`)),
  ...[...new Set([...allowed(undefined), "json" as const])].map((name) => option(before, name)),
  ...commands.flatMap((name) => allowed(name).map((one) => option(after(name), one))),
  ...operands("tunnel", "-a '(__ipipoud_tunnels)'"),
  ...operands("tunnel/peer", "-a '(__ipipoud_peers)'"),
  ...operands("file", "-F"),
].join("\n")}
`;
}

/** For all three shells; our texts hold no quotes. */
function quoted(text: string): string {
  if (text === "") return "";
  if (text.includes("'")) throw new RangeError(`a quote in ${text}`);
  return `'${text}'`;
}
