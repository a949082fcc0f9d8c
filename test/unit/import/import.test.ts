/** What is about more than one option: several files, a command line beside them, the grammar, secrets. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { importOld } from "../../../src/cli/import.ts";
import { loadText } from "../../../src/config/load.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";
import { parseOptions } from "../../../src/import/argparse.ts";
import { nameOf, oldOptions } from "../../../src/import/options.ts";
import { readOldFile, wordsOf } from "../../../src/import/words.ts";
import { pick, random } from "../../support/random.ts";
import { publicKey, seed } from "../config/files.ts";
import { withOldFiles } from "./files.ts";

type Files = Readonly<Record<string, string>>;

function importFiles(files: Files, args: readonly string[] = []): string {
  return withOldFiles(files, (folder) => {
    const paths = Object.keys(files).map((name) => join(folder, name));
    return importOld({ files: paths, args }).text.replaceAll(`${folder}/`, "");
  });
}

function refusals(files: Files, args: readonly string[] = []): string[] {
  return withOldFiles(files, (folder) => {
    const paths = Object.keys(files).map((name) => join(folder, name));
    try {
      importOld({ files: paths, args });
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.message.replaceAll(`${folder}/`, "").split("\n");
    }
  });
}

const server = (number: number, ...more: string[]) =>
  ["server", `number ${number}`, "fou-dev eth0", "auth-token x", ...more, ""].join("\n");

test("several files are several tunnels of one daemon, each under the name of its file", () => {
  const text = importFiles({
    "a.conf": server(1, "queue-number 5", "nfq-max-len 50", "verb 1", "# of a", "nft-table t"),
    "b.conf": server(2, "queue-number 6", "nfq-max-len 60", "verb 2", "# of b", "nft-table t"),
  });
  const { tunnels, queue, log, table } = loadText("x.yaml", text);
  assert.deepEqual(
    tunnels.map(({ name }) => name),
    ["ipipou1", "ipipou2"],
  );
  assert.deepEqual([queue.number, queue.maxLength, log.level, table], [5, 60, "info", "t"]);
  assert.match(text, /^# Made by `ipipoud import` from a\.conf, b\.conf\.$/m);
  assert.match(text, /^ {2}# From b\.conf\n {2}ipipou2:$/m);
  assert.match(text, /^# of a\n# of b\ntable: "t"$/m);
});

test("two files for one name, one port or two tables are refused, with file and line", () => {
  assert.deepEqual(refusals({ "a.conf": server(1), "b.conf": server(1) }), [
    "b.conf:2: the tunnel ipipou1 is in a.conf already (number): import files of different hosts apart, or give one another `number` or `tunl-dev`",
  ]);
  assert.deepEqual(refusals({ "a.conf": server(1), "b.conf": server(2, "fou-local-port 10001") }), [
    "b.conf:5: the tunnel ipipou1 listens at the same address on port 10001 already (fou-local-port): choose another port",
  ]);
  const [line, ...others] = refusals({
    "a.conf": server(1, "nft-table one"),
    "b.conf": server(2, "nft-table two"),
  });
  assert.match(line ?? "", /^b\.conf:5: another table .* \(nft-table\): one daemon has one table/);
  assert.deepEqual(others, []);
});

test("options behind the files hold for each of them, as in the unit of ipipou 0.1", () => {
  const files = { "a.conf": server(1, "verb 1"), "b.conf": server(2) };
  const text = importFiles(files, ["--no-log-time", "--fou-dev", "wlan0"]);
  assert.equal(text.match(/# no-log-time: not needed/g)?.length, 2);
  assert.equal(text.match(/@wlan0/g)?.length, 2);
});

test("comments stay with their options, line breaks and all", () => {
  const text = importFiles({
    "a.conf": [
      "# the head",
      "",
      "# above the mode",
      "server",
      "fou-dev eth0",
      "#    indented",
      "#",
      "# on two lines",
      "",
      "auth-token x",
      "# \u001b[31mred: # and : and - [",
      "auth-key-type ed25519",
      "# the end",
    ].join("\n"),
  });
  assert.match(text, /^ {2}# the head\n {2}# above the mode\n {2}ipipou0:$/m);
  assert.match(text, /^ {8}# {4}indented\n {8}#\n {8}# on two lines\n {8}token: "x"$/m);
  assert.match(text, /^ +# \?\[31mred: # and : and - \[\n +# auth-key-type: not needed/m);
  assert.match(text, /^ {4}# the end$/m);
});

test("secrets come through as they are, whatever they look like", () => {
  const secrets = [
    "0123",
    "1e3",
    "null",
    "~",
    " a leading space",
    "trailing spaces  ",
    "# no comment",
    "'single' \"double\" \\back\\slash",
    "*alias &anchor !tag %dir @at `tick",
    "tab\tand more",
    "schlüssel 🔑",
    "- dash with a space",
    "{flow: [x]}",
    "\u0001control",
  ];
  for (const secret of secrets) {
    const text = importFiles({
      "a.conf": `server\nfou-dev eth0\nauth-remote-pubkey-b64 ${publicKey}\nauth-secret ${secret}\n`,
    });
    const [peer] = loadText("x.yaml", text).tunnels[0]?.peers ?? [];
    assert.equal(peer?.secret.reveal().toString("utf8"), secret);
  }
});

test("no complaint shows a value", () => {
  const hidden = "MARKERmarker";
  const lines = [
    `auth-secret${hidden}`,
    `auth-secret:${hidden}`,
    `auth-secret\t${hidden}`,
    `auth-secret -${hidden}`,
    `auth-secrets ${hidden}`,
    `${hidden}`,
    `${hidden} ${hidden}`,
    `reply-on-auth-ok=${hidden}`,
    `reply-on-auth-ok ${hidden}`,
    `auth-token-b64 ${hidden}!`,
    `auth-key-b64 ${hidden}`,
    `auth-remote-pubkey-b64 ${hidden}`,
    `number ${hidden}`,
    `keepalive ${hidden}`,
    `fou-local-ip ${hidden}`,
    `fou-local ${hidden}`,
    `fou-local :${hidden}`,
    `fou-remote x:${hidden}`,
    `auth-key-type ${hidden}\nauth-key-b64 ${seed}`,
    `-v${hidden}`,
    `# \nauth-token ${hidden.repeat(90)}`,
    `tunl-dev ${hidden}${hidden}`,
    `nft-table !${hidden}`,
  ];
  for (const line of lines) {
    const said = refusals({ "a.conf": `server\nfou-dev eth0\n${line}\n` });
    assert.ok(said.length > 0, line);
    assert.ok(!said.join("\n").includes(hidden.slice(0, 6)), `${line}: ${said}`);
    assert.ok(
      said.every((one) => /^a\.conf:\d+: /.test(one)),
      said.join("\n"),
    );
  }
});

test("both command lines of ipipou 0.1's examples", () => {
  const load = (line: string) => {
    const { text } = importOld({ files: [], args: line.split(" ") });
    const { tunnels, log } = loadText("x.yaml", text);
    const [tunnel] = tunnels;
    return { ...tunnel, level: log.level, peer: tunnel?.peers[0] };
  };
  const server = load(
    `-s -vvv -b @eth0 -n0 --auth-secret topsecret --auth-remote-pubkey-b64 ${publicKey}`,
  );
  assert.deepEqual(
    [server.name, server.listen, server.level, server.peer?.proof.kind],
    ["ipipou0", { address: undefined, port: 10_000, device: "eth0" }, "debug", "key"],
  );
  assert.deepEqual(server.addresses, [{ local: "172.28.0.0", length: 32, peer: "172.28.0.1" }]);
  const client = load(
    `-c -vvv -b @wlan0 -r 203.0.113.1:10000 --auth-key-b64 ${seed} --auth-secret topsecret --tunl-ip 172.28.0.1 --keepalive 27`,
  );
  assert.deepEqual(
    [client.listen?.device, client.peer?.endpoint, client.peer?.keepalive],
    ["wlan0", { host: "203.0.113.1", port: 10_000 }, 27_000],
  );
  assert.equal(client.peer?.identity.kind, "key");
  assert.deepEqual(client.addresses, [{ local: "172.28.0.1", length: 32, peer: "172.28.0.0" }]);
});

test("the command line is read as argparse reads it", () => {
  const parse = (line: string) => {
    const { given, problems } = parseOptions(wordsOf(line.split(" ")));
    const options = given.map(({ option, text }) =>
      text === undefined ? nameOf(option) : `${nameOf(option)}=${text}`,
    );
    return problems.length > 0 ? problems.map(({ what }) => what) : options;
  };
  assert.deepEqual(parse("-svvn3 -q=4"), ["server", "v", "v", "number=3", "queue-number=4"]);
  assert.deepEqual(parse("--keep 5 --auth-sec=x=y"), ["keepalive=5", "auth-secret=x=y"]);
  assert.deepEqual(parse("--number -5"), ["number=-5"]);
  assert.deepEqual(parse("--server=1"), ["takes no value"]);
  assert.deepEqual(parse("-sx"), ["takes no value"]);
  assert.deepEqual(parse("--number -n 3"), ["no value"]);
  assert.deepEqual(parse("--number"), ["no value"]);
  assert.deepEqual(parse("--fou-local-i 1"), ["may mean --fou-local-ip or --fou-local-ip-alt"]);
  assert.deepEqual(parse("ipipou -s"), ["a word that belongs to no option"]);
  assert.deepEqual(parse("-s --"), ["no option of ipipou 0.1"]);
  assert.deepEqual(parse("--verbs 3"), ["no option of ipipou 0.1: `verbs`"]);
});

test("a file's lines are read as ipipou 0.1 reads them", () => {
  const { words, head, tail } = readOldFile(
    "a",
    "# head\n\n\t --server\r\n\r#x\n-n 3\rauth-secret  two  \n   \n- \n# tail\n",
  );
  assert.deepEqual(
    words.map(({ text, origin }) => [text, origin.line]),
    [
      ["--server", 3],
      ["-n", 6],
      ["3", 6],
      ["--auth-secret", 7],
      [" two  ", 7],
    ],
  );
  assert.deepEqual([head, tail], [[" head"], [" tail"]]);
  assert.deepEqual(words[1]?.comments, ["x"]);
});

test("each option is in the table once, and says where it went", () => {
  const names = oldOptions.flatMap((option) => option.names);
  assert.equal(new Set(names).size, names.length);
  assert.equal(oldOptions.length, 43);
  for (const { here } of oldOptions) assert.ok(here.length > 3);
});

test("whatever a file holds: YAML that our reader takes, or lines with their place", () => {
  const any = random(1);
  const values = [
    "0",
    "3",
    "-1",
    "70000",
    "99999999999",
    "1_0",
    "",
    " ",
    "-x",
    "--",
    "eth0",
    "@eth0",
    ":5",
    "a:b@c",
    "203.0.113.1",
    "203.0.113.1:10000@eth0",
    "255.255.255.255",
    "240.0.0.1",
    "hub.example.net:1",
    "x".repeat(2000),
    "\u0000",
    "\u001b[1m",
    "é\u2028",
    "%YAML",
    "---",
    "# no",
    "a: b",
    "}{",
    publicKey,
    seed,
    "AA==",
    "ed25519",
    "a/b",
    "..",
  ];
  let taken = 0;
  for (let i = 0; i < 1500; i++) {
    const lines =
      any(3) === 0
        ? []
        : ["fou-dev eth0", pick(any, ["s", "c\nr 203.0.113.1:1\ntunl-ip 10.0.0.1"])];
    for (let j = any(6); j >= 0; j--) {
      const name = nameOf(pick(any, oldOptions)).slice(0, any(20) === 0 ? 5 : undefined);
      lines.splice(
        any(lines.length + 1),
        0,
        `${pick(any, ["", "# ", "--", "\t"])}${name} ${pick(any, values)}`.trimEnd(),
      );
    }
    const said = refusals({ "a.conf": lines.join("\n") });
    if (said.length === 0) taken++;
    else
      assert.ok(
        said.every((line) => /^a\.conf(?::\d+)?: .+/.test(line)),
        said.join("\n"),
      );
  }
  assert.ok(taken > 50, `${taken} were taken`);
});
