/** ipipoud(8): the program. Pure. */
import { optionsOf } from "../cli/arguments.ts";
import { exitCodes } from "../cli/exit-codes.ts";
import { catalogue } from "../daemon/metrics/catalogue.ts";
import { commandWords, optionWords } from "./commands.ts";
import { Page } from "./roff.ts";

export interface Edition {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly version: string;
}

export function programPage({ date, version }: Edition): string {
  const manual = "System Administration";
  const page = new Page("IPIPOUD", 8, date, `ipipoud ${version}`, manual);
  page
    .section("NAME")
    .text("ipipoud - authenticated IPIP-over-UDP tunnels at kernel speed")
    .section("SYNOPSIS")
    .text("`ipipoud` [`--config` FILE]... [`-v`]...")
    .paragraph("`ipipoud` `--check` [`--json`] [`--config` FILE]...")
    .paragraph("`ipipoud` COMMAND [OPTION]... [OPERAND]...")
    .section("DESCRIPTION")
    .text(
      "`ipipoud` keeps any number of IPv4 tunnels up, each a network interface that wraps packets in UDP (IPIP over FOU). The kernel moves the packets; the daemon decides who may send them. A peer behind NAT proves who it is by one small signed packet; the kernel then accepts data from its address, port and inner source, and nothing else, until it proves itself from elsewhere.",
    )
    .paragraph(
      "Tunnels do not encrypt. Use them for traffic that protects itself, such as HTTPS, SSH and IPsec.",
    )
    .paragraph(
      "The configuration is described in `ipipoud.yaml`(5). The daemon needs CAP_NET_ADMIN and CAP_NET_RAW, and the kernel module `fou`, which nothing loads by itself.",
    )
    .section("COMMANDS");
  for (const [name, allowed] of optionsOf) {
    const words = commandWords[name];
    if (words === undefined) continue;
    const lead = name === "run" ? "`ipipoud`" : name === "check" ? "`--check`" : `\`${name}\``;
    const choices = allowed.flatMap((option) => {
      const { value } = optionWords[option];
      const common = option === "config" || option === "control" || option === name;
      return common ? [] : [`[\`--${option}\`${value === undefined ? "" : ` ${value}`}]`];
    });
    const term = [lead, words.operands, ...choices].filter((part) => part !== "").join(" ");
    page.item(term, `${words.summary}. ${words.text}`.trim());
  }
  page.section("OPTIONS");
  const short: Readonly<Record<string, string>> = { verbose: "v", help: "h", version: "V" };
  for (const [name, { value, summary, text }] of Object.entries(optionWords)) {
    const letter = short[name] === undefined ? "" : `\`-${short[name]}\`, `;
    const term = `${letter}\`--${name}\`${value === undefined ? "" : ` ${value}`}`;
    page.item(term, `${summary}. ${text}`.trim());
  }
  page
    .section("SIGNALS")
    .item("`SIGTERM`, `SIGINT`", "Stop; a second command is not needed to clean up.")
    .item("`SIGHUP`", "Reload, as `ipipoud reload` does.")
    .item("`SIGUSR1`", "Authenticate to all dialled peers again.")
    .section("EXIT STATUS");
  for (const [code, meaning] of exitCodes) page.item(`\`${code}\``, `${capital(meaning)}.`);
  page
    .section("ENVIRONMENT")
    .item("`NOTIFY_SOCKET`, `WATCHDOG_USEC`", "Readiness and watchdog, as systemd sets them.")
    .item(
      "`JOURNAL_STREAM`",
      "Where stderr is the journal, each line begins with its priority, as in sd-daemon(3).",
    )
    .item("`CREDENTIALS_DIRECTORY`", "May stand in paths of the configuration.")
    .section("FILES")
    .item("`/etc/ipipou/ipipoud.yaml`", "The configuration, see `ipipoud.yaml`(5).")
    .item(
      "`/run/ipipoud/control.sock`",
      "Control socket; members of the group `ipipou` may use it where there is one.",
    )
    .item(
      "`/var/lib/ipipoud`",
      "Which authentications were taken, so that a restart takes none twice.",
    )
    .section("LOG")
    .text(
      "On stderr, one line an event: the tunnel and peer that it is about, what happened, and `key=value` where there is more. With `log.format` `json`, one object a line: `time` (RFC 3339), `level`, `message`, and `tunnel`, `peer`, `endpoint` and `reason` where they apply. Refusals of strangers that repeat are summed up once a minute. Secrets never reach it.",
    )
    .section("METRICS")
    .text("With `metrics.listen` set, Prometheus finds these at `/metrics`:");
  for (const [name, { type, help, labels }] of Object.entries(catalogue)) {
    const braces = labels.length === 0 ? "" : `{${labels.join(", ")}}`;
    page.item(`\`${name}\`${braces}`, `${capital(type)}. ${help}`);
  }
  return page
    .section("EXAMPLES")
    .text("Keys for a peer that proves itself:")
    .example("(umask 077; ipipoud keygen > laptop.key)\nipipoud pubkey < laptop.key")
    .paragraph("Look before the start, then start:")
    .example("ipipoud --check\nipipoud")
    .paragraph("Change a host's configuration through its own tunnel:")
    .example("ipipoud reload --confirm 60s\nipipoud confirm")
    .section("SEE ALSO")
    .text("`ipipoud.yaml`(5), `ip-fou`(8), `ip-link`(8), `nft`(8), `wg`(8)")
    .toString();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
