/**
 * Makes the golden files about rtnetlink and FOU: runs `ip` under strace in a namespace and keeps the bytes
 * of its netlink datagrams. Needs root, strace and a kernel with ipip and fou, hence the lab:
 *
 *     node dist/test/lab/main.js run -- node dist/test/golden/capture.js > /tmp/captured
 *     node dist/test/golden/capture.js write test/golden < /tmp/captured
 *
 * Written anew only to capture more: the bytes of an older `ip` are as good.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

const NAMESPACE = "golden";

/** Index 10 for d0, so that the bytes are the same each time. */
const SETUP = [
  "link set lo up",
  "link add name d0 index 10 type dummy",
  "link set d0 up",
  "addr add 192.0.2.1/24 dev d0",
];

/**
 * In order, each building upon those before. What is kept: the last request, or, of names with `show` or
 * `get`, what the kernel answered to it.
 */
const COMMANDS: readonly (readonly [file: string, command: string])[] = [
  [
    "link-add-ipip-fou",
    "link add name t0 index 20 mtu 1400 type ipip local 192.0.2.1 remote 198.51.100.1 dev d0 " +
      "ttl 64 tos 0x10 pmtudisc fwmark 0x5 encap fou encap-sport 10000 encap-dport 20000 encap-csum",
  ],
  [
    "link-change-ipip-fou",
    "link set dev t0 mtu 1300 alias changed type ipip local 192.0.2.1 remote 198.51.100.2 ttl 64 " +
      "pmtudisc encap fou encap-sport 10000 encap-dport 20001 noencap-csum",
  ],
  [
    "link-add-ipip",
    "link add name t1 index 21 mtu 1480 type ipip local 192.0.2.1 remote any ttl inherit nopmtudisc",
  ],
  ["link-set-alias", "link set dev t1 alias golden"],
  ["link-set-up", "link set dev t0 up"],
  ["link-set-down", "link set dev t1 down"],
  ["link-show", "-d -s link show"],
  ["link-del", "link del dev t1"],
  ["address-add", "addr add 192.0.2.9/24 dev d0"],
  ["address-add-peer", "addr add 192.0.2.10 peer 198.51.100.9/32 dev d0 noprefixroute"],
  ["address-show", "addr show"],
  ["address-del", "addr del 192.0.2.9/24 dev d0"],
  ["nexthop-add", "nexthop add id 7 via 203.0.113.1 dev d0 onlink protocol 77"],
  ["nexthop-add-blackhole", "nexthop add id 8 blackhole protocol 77"],
  ["nexthop-add-device", "nexthop add id 9 dev d0 protocol 77"],
  ["nexthop-replace", "nexthop replace id 8 via 203.0.113.2 dev d0 onlink protocol 77"],
  ["nexthop-show", "nexthop show"],
  [
    "route-add-gateway",
    "route add 10.1.0.0/16 via 203.0.113.9 dev d0 onlink proto 77 metric 5 src 192.0.2.1",
  ],
  ["route-add-device", "route add 10.2.0.0/16 dev d0 proto 77"],
  ["route-add-nexthop", "route add 10.3.0.1/32 nhid 7 proto 77 table 1000"],
  ["route-add-unreachable", "route add unreachable 10.4.0.0/16 proto 77 metric 4294967295"],
  ["route-add-blackhole", "route add blackhole 240.0.0.0/4 proto 77"],
  ["route-add-default", "route add default via 192.0.2.2 dev d0 proto 77 table 100"],
  ["route-replace", "route replace 10.2.0.0/16 via 192.0.2.3 dev d0 proto 77"],
  ["route-show", "route show table all"],
  ["route-get", "route get 10.1.2.3 mark 5 oif d0"],
  ["route-get-request", "route get 10.1.2.3 mark 5 oif d0"],
  [
    "route-del",
    "route del 10.1.0.0/16 via 203.0.113.9 dev d0 onlink proto 77 metric 5 src 192.0.2.1",
  ],
  ["route-del-unreachable", "route del unreachable 10.4.0.0/16 proto 77 metric 4294967295"],
  ["rule-add-fwmark", "rule add not fwmark 0x10/0xff table 1000 priority 100 protocol 77"],
  ["rule-add-suppress", "rule add table main suppress_prefixlength 0 priority 99 protocol 77"],
  [
    "rule-add-prefixes",
    "rule add from 10.0.0.0/8 to 192.0.2.0/24 table 100 priority 98 protocol 77",
  ],
  ["rule-add-foreign", "rule add iif d0 table 100 priority 97"],
  ["rule-show", "rule show"],
  ["rule-del", "rule del from 10.0.0.0/8 to 192.0.2.0/24 table 100 priority 98 protocol 77"],
  ["neighbour-add-proxy", "neigh add proxy 192.0.2.77 dev d0 protocol 77"],
  ["neighbour-show-proxy", "neigh show proxy"],
  ["neighbour-del-proxy", "neigh del proxy 192.0.2.77 dev d0"],
  ["nexthop-del", "nexthop del id 8"],
  ["fou-add", "fou add port 10000 ipproto 4 local 192.0.2.1 peer 192.0.2.200 peer_port 20000"],
  ["fou-add-wildcard", "fou add port 10001 ipproto 4"],
  ["fou-add-device", "fou add port 10002 ipproto 4 local 192.0.2.1 dev d0"],
  ["fou-show", "fou show"],
  ["fou-del", "fou del port 10000 local 192.0.2.1 peer 192.0.2.200 peer_port 20000"],
];

/** Where attributes begin after nlmsghdr, by message type; generic families have numbers of their own. */
const FIXED: Readonly<Record<number, number>> = {
  16: 16,
  17: 16,
  18: 16, // RTM_*LINK: ifinfomsg
  20: 8,
  21: 8,
  22: 8, // RTM_*ADDR: ifaddrmsg
  24: 12,
  25: 12,
  26: 12, // RTM_*ROUTE: rtmsg
  28: 12,
  29: 12,
  30: 12, // RTM_*NEIGH: ndmsg
  32: 12,
  33: 12,
  34: 12, // RTM_*RULE: fib_rule_hdr
  104: 8,
  105: 8,
  106: 8, // RTM_*NEXTHOP: nhmsg
};
const GENLMSGHDR = 4;
const NLMSGHDR = 16;
/** NLMSG_ERROR and NLMSG_DONE carry no attributes at a fixed place. */
const FIRST_WITH_ATTRIBUTES = 16;

function captureAll(): void {
  const tool = execFileSync("ip", ["-V"], { encoding: "utf8" }).trim();
  execFileSync("ip", ["netns", "add", NAMESPACE]);
  try {
    for (const command of SETUP) ip(command);
    for (const [file, command] of COMMANDS) {
      const datagrams = strace(command);
      const answer = /-(show|get)(?!-request)/.test(file);
      const kept = datagrams.filter(({ sent }) => sent !== answer);
      // Of a `show`, names are resolved by a link dump first: the last run of answers is the one.
      const bytes = answer ? kept.filter(hasKind(file)) : kept.slice(-1);
      const lines = [`# ip ${command}`, `# ${tool}, strace; Linux ${release()}`];
      process.stdout.write(`>>> ${file}.hex\n${lines.join("\n")}\n`);
      for (const { data } of bytes) process.stdout.write(text(data));
    }
  } finally {
    execFileSync("ip", ["netns", "del", NAMESPACE]);
  }
}

function ip(command: string): void {
  execFileSync("ip", ["-n", NAMESPACE, ...command.split(" ")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

interface Datagram {
  readonly sent: boolean;
  readonly data: Buffer;
}

/** Every netlink datagram that the command sends and receives (but peeks), from strace's hex dumps. */
function strace(command: string): Datagram[] {
  const options = ["-e", "trace=sendmsg,sendto,recvmsg", "-e", "read=all", "-e", "write=all"];
  const inside = ["netns", "exec", NAMESPACE];
  const { stderr, status } = spawnSync(
    "ip",
    [...inside, "strace", ...options, "ip", ...command.split(" ")],
    {
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  if (status !== 0) throw new Error(`ip ${command}: exit code ${status}\n${stderr}`);
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

/** The kinds of messages that belong to a `show`, by its file name. */
function hasKind(file: string): (datagram: Datagram) => boolean {
  const kinds: Readonly<Record<string, number>> = {
    link: 16,
    address: 20,
    route: 24,
    neighbour: 28,
    rule: 32,
    nexthop: 104,
  };
  const kind = kinds[file.split("-")[0] ?? ""];
  return ({ data }) => {
    const type = data.readUInt16LE(4);
    return kind === undefined ? type > GENLMSGHDR * 4 && data[NLMSGHDR] === 3 : type === kind;
  };
}

/** Headers and attributes, one a line, those in a nest indented. */
function text(datagram: Buffer): string {
  let out = "";
  for (let offset = 0; offset + NLMSGHDR <= datagram.length; ) {
    const length = datagram.readUInt32LE(offset);
    const type = datagram.readUInt16LE(offset + 4);
    const message = datagram.subarray(
      offset,
      Math.min(datagram.length, (offset + length + 3) & ~3),
    );
    out += `# nlmsghdr\n${groups(message.subarray(0, NLMSGHDR))}\n`;
    if (type < FIRST_WITH_ATTRIBUTES) out += `${groups(message.subarray(NLMSGHDR))}\n`;
    else {
      const fixed = FIXED[type] ?? GENLMSGHDR;
      out += `# fixed part, attributes\n${groups(message.subarray(NLMSGHDR, NLMSGHDR + fixed))}\n`;
      out += attributes(message.subarray(NLMSGHDR + fixed), "", type === 16 ? [18, 2] : []);
    }
    offset += message.length;
  }
  return out;
}

/** @param nests The attribute that is opened here, and those inside it. */
function attributes(bytes: Buffer, indent: string, nests: readonly number[]): string {
  let out = "";
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = Math.max(4, bytes.readUInt16LE(offset));
    const number = bytes.readUInt16LE(offset + 2) & 0x3fff;
    const whole = bytes.subarray(offset, (offset + length + 3) & ~3);
    out += `${indent}${groups(whole.subarray(0, 4))}`;
    if (nests[0] === number)
      out += `\n${attributes(whole.subarray(4), `${indent}  `, nests.slice(1))}`;
    else out += `${whole.length > 4 ? " " : ""}${groups(whole.subarray(4))}\n`;
    offset += whole.length;
  }
  return out;
}

function groups(bytes: Buffer): string {
  return bytes.toString("hex").replace(/.{8}(?=.)/g, "$& ");
}

function write(folder: string): void {
  for (const part of readFileSync(0, "utf8").split(/^>>> /m).slice(1)) {
    const end = part.indexOf("\n");
    writeFileSync(join(folder, part.slice(0, end)), part.slice(end + 1));
  }
}

const [command, folder, ...more] = process.argv.slice(2);
if (command === undefined) captureAll();
else if (command === "write" && folder !== undefined && more.length === 0) write(folder);
else {
  process.stderr.write(
    `usage: capture.js, or capture.js write FOLDER < CAPTURED; nothing was done\n`,
  );
  process.exitCode = 2;
}
