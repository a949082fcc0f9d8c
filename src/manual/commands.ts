/**
 * The words about each command and option, for the manual page and for shells. What there is stands in
 * cli/arguments.ts; a test fails for what is there and not here.
 */
import type { OptionName } from "../cli/arguments.ts";

/** What may follow a command, and be completed. */
export type Operand = "tunnel" | "tunnel/peer" | "file" | "other";

export interface CommandWords {
  /** Behind the command's name, as in `status [TUNNEL]`. */
  readonly operands: string;
  readonly completes: Operand | undefined;
  /** One line, without a full stop. */
  readonly summary: string;
  /** Further sentences. */
  readonly text: string;
}

export interface OptionWords {
  /** What its value is called; undefined: it has none. */
  readonly value: string | undefined;
  /** Values to offer, or files. */
  readonly completes: readonly string[] | "file" | undefined;
  readonly summary: string;
  readonly text: string;
}

/** `run` and `check` are `ipipoud` and `ipipoud --check`. */
export const commandWords: Readonly<Record<string, CommandWords>> = {
  run: {
    operands: "",
    completes: undefined,
    summary: "Run in the foreground until SIGTERM or SIGINT",
    text: "Brings all tunnels up, says `ready` on stderr (or to systemd), and keeps them as the configuration has them. At a clean stop everything that it made is removed, unless `onStop: keep` is set.",
  },
  check: {
    operands: "",
    completes: undefined,
    summary: "Show what a start would do and what stands in its way",
    text: "Changes nothing. Validates the configuration, looks at the running kernel, and prints the steps that a start would take now; beside the running daemon, those that a reload would take. Works without privileges as far as it can and says what it could not see. Exits with 0 if a start would succeed.",
  },
  status: {
    operands: "[TUNNEL]",
    completes: "tunnel",
    summary: "Show tunnels and peers of the running daemon",
    text: "Per tunnel its interface, addresses and traffic, per peer its endpoint, state and last authentication; reads like `wg show`.",
  },
  events: {
    operands: "",
    completes: undefined,
    summary: "Show what happens, as it happens",
    text: "One line an event, until it is interrupted: peers that connect, roam or expire, packets that are refused and why, what was repaired.",
  },
  explain: {
    operands: "ADDRESS[:PORT]",
    completes: "other",
    summary: "Show what would happen now to a packet from or to this address",
    text: "Step by step, and read from the kernel, with or without a running daemon: an outer address (with the UDP port it sends from) or an inner one. Made-up packets go through the rules, listeners, devices and routes that are there now: data, a proof, junk, bare protocol 4, and one to the peer; each ends with what becomes of it, why, and the mend. Rules of other tables (a host firewall) are not followed: `nft monitor trace` shows those. Needs CAP_NET_ADMIN.",
  },
  reauth: {
    operands: "[TUNNEL[/PEER]]",
    completes: "tunnel/peer",
    summary: "Authenticate to dialled peers again, now",
    text: "SIGUSR1 to the daemon does the same for all of them.",
  },
  forget: {
    operands: "TUNNEL/PEER",
    completes: "tunnel/peer",
    summary: "Forget which packets of a peer were seen",
    text: "The peer has to prove itself anew, and its clock may be behind what it was: needed where a key moved to a machine whose clock is late.",
  },
  reload: {
    operands: "",
    completes: undefined,
    summary: "Read the configuration again and change what differs",
    text: "Prints what was changed. Where the new configuration is wrong or can't be had, everything stays as it was. SIGHUP to the daemon does the same. With `--confirm TIME` it goes back by itself unless `ipipoud confirm` comes within that time: for whoever configures a host through the tunnel.",
  },
  confirm: {
    operands: "",
    completes: undefined,
    summary: "Keep what was reloaded with --confirm",
    text: "",
  },
  cleanup: {
    operands: "",
    completes: undefined,
    summary: "Remove what a dead daemon left in the kernel",
    text: "Only what is marked as ours, and only if no daemon runs.",
  },
  keygen: {
    operands: "",
    completes: undefined,
    summary: "Print a new private key",
    text: "Refuses to write it to a file that others may read: `(umask 077; ipipoud keygen > FILE)`.",
  },
  pubkey: {
    operands: "",
    completes: undefined,
    summary: "Print the public key of the private key on standard input",
    text: "",
  },
  import: {
    operands: "FILE... [-- OPTION...]",
    completes: "file",
    summary: "Print files of ipipou 0.1, and its options, as a configuration",
    text: "Comments are kept; what has no place any more is said in one.",
  },
  schema: {
    operands: "",
    completes: undefined,
    summary: "Print the JSON Schema of the configuration",
    text: "Editors complete and check YAML with it.",
  },
};

export const optionWords: Readonly<Record<OptionName, OptionWords>> = {
  config: {
    value: "FILE",
    completes: "file",
    summary: "Configuration, or a folder of them",
    text: "YAML or JSON; a folder means every `*.yaml` and `*.json` in it. May be given several times. Default `/etc/ipipou/ipipoud.yaml`.",
  },
  control: {
    value: "PATH",
    completes: "file",
    summary: "Control socket of the running daemon",
    text: "Default: what the configuration of `--config` says, else `/run/ipipoud/control.sock`.",
  },
  check: {
    value: undefined,
    completes: undefined,
    summary: "Dry run",
    text: "See COMMANDS.",
  },
  json: {
    value: undefined,
    completes: undefined,
    summary: "Output for programs",
    text: "Fields may be added from version to version, and are never renamed.",
  },
  verbose: {
    value: undefined,
    completes: undefined,
    summary: "More detail",
    text: "The daemon logs at level debug; commands say more of what went wrong.",
  },
  watch: {
    value: undefined,
    completes: undefined,
    summary: "Show it again and again, with rates",
    text: "Of `status`, every second (`--watch=SECONDS` for another interval), until it is interrupted. A terminal is drawn over, a pipe gets a block each time, with `--json` one object.",
  },
  to: {
    value: "TUNNEL",
    completes: undefined,
    summary: "The one tunnel that is asked about",
    text: "Of `explain`: a stranger could mean any tunnel.",
  },
  source: {
    value: "INNER",
    completes: undefined,
    summary: "Inner source of the data that is asked about",
    text: "Of `explain`; default: an address that the peer may have.",
  },
  confirm: {
    value: "TIME",
    completes: ["30s", "60s", "5m"],
    summary: "Go back after this time unless confirmed",
    text: "Of `reload`; a duration such as 60s or 5m.",
  },
  help: {
    value: undefined,
    completes: undefined,
    summary: "Show a summary of all commands",
    text: "",
  },
  version: { value: undefined, completes: undefined, summary: "Show the version", text: "" },
};
