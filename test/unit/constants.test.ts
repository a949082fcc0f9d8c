/**
 * Every constant and attribute number of src/kernel and src/netlink against the kernel's own headers
 * (Debian's linux-libc-dev): a C program that prints them is compiled and run.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../../../src/", import.meta.url));
const FOLDERS = ["kernel", "netlink"];

const HEADERS = [
  "sys/socket.h",
  "linux/in.h",
  "linux/icmp.h",
  "linux/if.h",
  "linux/if_addr.h",
  "linux/if_link.h",
  "linux/if_tunnel.h",
  "linux/fib_rules.h",
  "linux/fou.h",
  "linux/genetlink.h",
  "linux/neighbour.h",
  "linux/netlink.h",
  "linux/nexthop.h",
  "linux/rtnetlink.h",
  "linux/netfilter.h",
  "linux/netfilter/nfnetlink.h",
  "linux/netfilter/nfnetlink_queue.h",
  "linux/netfilter/nf_tables.h",
];

/** Names that begin so are the kernel's; others (SLOT_BYTES, READ_AT_ONCE) are ours. */
const KERNEL =
  /^(AF|CTRL|FIB_RULE|FOU|FR|FRA|GENL|ICMP|IFA|IFF|IFLA|IPPROTO|NDA|NETLINK|NF|NFNETLINK|NFNL|NFNLGRP|NFPROTO|NFQA|NFQNL|NFT|NFTA|NHA|NLA|NLM|NLMSG|NLMSGERR|NTF|NUD|RT|RTA|RTEXT|RTM|RTN|RTNH|RTNLGRP|RTPROT|SO|SOL|TUNNEL)_/;

/** Sizes of structs by the names that we give them, and what differs from the headers on purpose. */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  IFINFOMSG: "sizeof(struct ifinfomsg)",
  IFADDRMSG: "sizeof(struct ifaddrmsg)",
  RTMSG: "sizeof(struct rtmsg)",
  NHMSG: "sizeof(struct nhmsg)",
  NDMSG: "sizeof(struct ndmsg)",
  FIB_RULE_HDR: "sizeof(struct fib_rule_hdr)",
  // nla_type is 16 bits wide.
  NLA_TYPE_MASK: "NLA_TYPE_MASK & 0xffff",
};

interface Found {
  readonly file: string;
  readonly name: string;
  readonly value: number | string;
}

function files(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(SOURCES, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
      .map((name) => join(folder, name)),
  );
}

/** `const NAME = 5;`, `const NAME = "text";` */
function constantsOf(file: string, source: string): Found[] {
  const found: Found[] = [];
  const declaration =
    /^(?:export )?const ([A-Z][A-Z0-9_]*) = (-?(?:0x[0-9a-f_]+|[0-9][0-9_]*)|"[^"]*");/gm;
  for (const [, name = "", text = ""] of source.matchAll(declaration)) {
    if (!KERNEL.test(name) && EXPRESSIONS[name] === undefined) continue;
    const value = text.startsWith('"') ? text.slice(1, -1) : numberOf(text);
    found.push({ file, name, value });
  }
  return found;
}

/** `attr(5, type, "NAME")`, `attr(NAME, type, "NAME")`. */
function attributesOf(file: string, source: string): Found[] {
  const found: Found[] = [];
  for (const match of source.matchAll(/\battr(?:<[^>]*>)?\(/g)) {
    const call = callFrom(source, match.index + match[0].length);
    const parts = /^\s*([^,]+),[\s\S]*"([A-Z][A-Z0-9_]*)",?\s*$/.exec(call);
    const [, number = "", name = ""] = parts ?? [];
    if (/^[0-9]/.test(number)) found.push({ file, name, value: numberOf(number) });
    else if (parts !== null) assert.equal(number, name, `${file}: number and name of an attribute`);
  }
  return found;
}

/** The text of a call's arguments. */
function callFrom(source: string, start: number): string {
  let depth = 1;
  let end = start;
  for (; depth > 0 && end < source.length; end++) {
    if (source[end] === "(") depth++;
    if (source[end] === ")") depth--;
  }
  return source.slice(start, end - 1);
}

function numberOf(text: string): number {
  const digits = text.replaceAll("_", "");
  return digits.startsWith("-") ? -Number(digits.slice(1)) : Number(digits);
}

/** Name → what the headers say. */
function headersSay(names: ReadonlySet<string>, texts: ReadonlySet<string>): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "constants-"));
  try {
    const lines = [...names].map((name) =>
      texts.has(name)
        ? `  printf("${name} %s\\n", ${name});`
        : `  printf("${name} %lld\\n", (long long)(${EXPRESSIONS[name] ?? name}));`,
    );
    const includes = [...HEADERS, "stdio.h"].map((header) => `#include <${header}>`);
    const source = [...includes, "int main(void) {", ...lines, "  return 0;", "}", ""].join("\n");
    writeFileSync(join(folder, "constants.c"), source);
    const program = join(folder, "constants");
    const compiled = spawnSync("gcc", ["-o", program, join(folder, "constants.c")], {
      encoding: "utf8",
    });
    assert.ok(!compiled.error, "gcc is missing: install the package gcc");
    const missing = /fatal error: (\S+): No such file/.exec(compiled.stderr)?.[1];
    assert.equal(missing, undefined, `${missing} is missing: install the package linux-libc-dev`);
    assert.equal(compiled.status, 0, compiled.stderr);
    const { stdout } = spawnSync(program, { encoding: "utf8" });
    return new Map(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("constants", () => {
  let found: Found[] = [];
  let said = new Map<string, string>();

  before(() => {
    found = files().flatMap((file) => {
      const source = readFileSync(join(SOURCES, file), "utf8");
      return [...constantsOf(file, source), ...attributesOf(file, source)];
    });
    const texts = found.filter(({ value }) => typeof value === "string");
    said = headersSay(
      new Set(found.map(({ name }) => name)),
      new Set(texts.map(({ name }) => name)),
    );
  });

  test("are found in the sources", () => {
    assert.ok(found.length > 200, `only ${found.length}`);
    const named = (name: string): number => found.filter((one) => one.name === name).length;
    for (const name of ["RTM_NEWLINK", "IFLA_IPTUN_ENCAP_DPORT", "NFTA_SET_ELEM_KEY", "RTMSG"]) {
      assert.ok(named(name) > 0, name);
    }
  });

  test("are what the kernel's headers say", () => {
    const wrong = found.filter(({ name, value }) => said.get(name) !== String(value));
    assert.deepEqual(
      wrong.map(({ file, name, value }) => `${file}: ${name} ${value}, not ${said.get(name)}`),
      [],
    );
  });
});
