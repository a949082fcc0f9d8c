/**
 * Makes the golden files about nf_tables: runs `nft` under strace in a namespace and keeps the bytes of its
 * netlink datagrams, one attribute a line. Needs root, strace and a kernel with nft_queue, hence the lab:
 *
 *     node dist/test/lab/main.js run -- node dist/test/golden/nft-capture.js > /tmp/captured
 *     node dist/test/golden/capture.js write test/golden < /tmp/captured
 *
 * nft-ruleset.nft is what `nft list ruleset` prints after ours was loaded by ourselves.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { release } from "node:os";
import { fileURLToPath } from "node:url";

const NAMESPACE = "golden";
const RULESET = fileURLToPath(new URL("../../../test/golden/nft-ruleset.nft", import.meta.url));

/** In order. Kept: the requests; with `answers`, what the kernel sent. */
const COMMANDS: readonly {
  readonly file: string;
  readonly args: readonly string[];
  readonly answers?: true;
}[] = [
  { file: "nft-ruleset", args: ["-f", RULESET] },
  { file: "nft-list", args: ["list", "ruleset"], answers: true },
  {
    file: "nft-clamp",
    args: "add rule ip ipipou clamp ip protocol tcp tcp option maxseg size set rt mtu".split(" "),
  },
  {
    file: "nft-element-delete",
    args: "delete element ip ipipou dport-hub0 { 198.51.100.2 }".split(" "),
  },
  { file: "nft-chain-flush", args: "flush chain ip ipipou auth-ipipou0".split(" ") },
  { file: "nft-chain-delete", args: "delete chain ip ipipou auth-ipipou0".split(" ") },
  { file: "nft-set-delete", args: "delete set ip ipipou endpoints-ipipou0".split(" ") },
  { file: "nft-table-delete", args: "delete table ip ipipou".split(" ") },
];

/** So that a chain and a set are free to go. */
const BEFORE: Readonly<Record<string, string>> = {
  "nft-clamp": "add chain ip ipipou clamp",
  "nft-chain-delete": "flush chain ip ipipou tunnel-ipipou0",
};

const NLMSGHDR = 16;
const NFGENMSG = 4;
/** nfnetlink's first: batch begin. */
const FIRST = 16;
const NLA_F_NESTED = 0x8000;

const tool = execFileSync("nft", ["--version"], { encoding: "utf8" }).trim();
execFileSync("ip", ["netns", "add", NAMESPACE]);
try {
  for (const { file, args, answers = false } of COMMANDS) {
    const before = BEFORE[file];
    if (before !== undefined) inside("nft", ...before.split(" "));
    const shown = args.join(" ").replace(RULESET, "test/golden/nft-ruleset.nft");
    const datagrams = strace(args).filter(({ sent }) => sent !== answers);
    process.stdout.write(
      `>>> ${file}.hex\n# nft ${shown}\n# ${tool}, strace; Linux ${release()}\n`,
    );
    for (const { data } of datagrams) process.stdout.write(text(data));
  }
} finally {
  execFileSync("ip", ["netns", "del", NAMESPACE]);
}

function inside(program: string, ...args: readonly string[]) {
  return spawnSync("ip", ["netns", "exec", NAMESPACE, program, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 27,
  });
}

interface Datagram {
  readonly sent: boolean;
  readonly data: Buffer;
}

function strace(args: readonly string[]): Datagram[] {
  const calls = "trace=sendmsg,sendto,recvmsg";
  const options = ["-e", calls, "-e", "read=all", "-e", "write=all", "nft", ...args];
  const { stderr, status } = inside("strace", ...options);
  if (status !== 0) throw new Error(`nft ${args.join(" ")}: exit code ${status}\n${stderr}`);
  const datagrams: Datagram[] = [];
  let sent: boolean | undefined;
  let hex = "";
  const flush = (): void => {
    if (sent !== undefined && hex !== "") datagrams.push({ sent, data: Buffer.from(hex, "hex") });
    hex = "";
  };
  for (const line of stderr.split("\n")) {
    const call = /^(sendmsg|sendto|recvmsg)\(/.exec(line)?.[1];
    if (call !== undefined) {
      flush();
      sent = line.includes("MSG_PEEK") ? undefined : call !== "recvmsg";
    }
    const dump = /^ \| [0-9a-f]+ {2}((?:[0-9a-f]{2} {1,2})+)/.exec(line)?.[1];
    if (dump !== undefined) hex += dump.replaceAll(" ", "");
  }
  flush();
  return datagrams;
}

function text(datagram: Buffer): string {
  let out = "";
  for (let offset = 0; offset + NLMSGHDR <= datagram.length; ) {
    const length = Math.max(NLMSGHDR, datagram.readUInt32LE(offset));
    const message = datagram.subarray(offset, offset + ((length + 3) & ~3));
    if (message.readUInt16LE(4) >= FIRST) {
      out += `# nlmsghdr, nfgenmsg, attributes\n${groups(message.subarray(0, NLMSGHDR))}\n`;
      out += `${groups(message.subarray(NLMSGHDR, NLMSGHDR + NFGENMSG))}\n`;
      out += attributes(message.subarray(NLMSGHDR + NFGENMSG), "");
    }
    offset += message.length;
  }
  return out;
}

function attributes(bytes: Buffer, indent: string): string {
  let out = "";
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = Math.max(4, bytes.readUInt16LE(offset));
    const nested = (bytes.readUInt16LE(offset + 2) & NLA_F_NESTED) !== 0;
    const whole = bytes.subarray(offset, (offset + length + 3) & ~3);
    out += `${indent}${groups(whole.subarray(0, 4))}`;
    if (nested) out += `\n${attributes(whole.subarray(4), `${indent}  `)}`;
    else out += `${whole.length > 4 ? " " : ""}${groups(whole.subarray(4))}\n`;
    offset += whole.length;
  }
  return out;
}

function groups(bytes: Buffer): string {
  return bytes.toString("hex").replace(/.{8}(?=.)/g, "$& ");
}
