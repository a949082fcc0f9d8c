/**
 * `ipipoud --check`: hosts with one thing wrong each, found with its mend; nothing on the healthy one. What it
 * foretells is what a start then does, message for message; and it sends none that changes anything.
 */
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { Checker } from "./support/checker.ts";
import { Daemon, mainFile } from "./support/daemon.ts";
import { hold } from "./support/holder.ts";
import type { Host, Output } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import { newCredentials, serverConfig, statusOf } from "./support/pair.ts";
import type { Program } from "./support/program.ts";
import { changes, inWords, recorded, recording } from "./support/recorded.ts";
import { snapshot } from "./support/snapshot.ts";
import { stepsSince } from "./support/steps.ts";
import { Topology } from "./support/topology.ts";
import { wholeSnapshot } from "./support/whole.ts";

interface CheckResult {
  readonly ok: boolean;
  readonly steps: readonly { readonly action: string; readonly object: string; what: string }[];
  readonly findings: readonly {
    readonly level: string;
    readonly code: string;
    readonly message: string;
    readonly mend: string;
  }[];
}

const ours = newKeyPair();
const credentials = newCredentials();
const laptop = {
  publicKey: credentials.publicKey,
  secret: credentials.secret,
  allowedIPs: ["172.28.0.2/32"],
};
const router = { publicKey: newKeyPair().publicKey, allowedIPs: ["172.28.0.3/32"] };

type Json = Readonly<Record<string, unknown>>;

interface Settings {
  readonly tunnel?: Json;
  readonly peers?: Json;
  readonly daemon?: Json;
}

/** A hub, which needs every part of the kernel that any tunnel needs. */
function hub({ tunnel, peers, daemon }: Settings = {}): Json {
  const own = {
    listen: "203.0.113.1:10000",
    address: "172.28.0.1/24",
    peers: { laptop, router, ...peers },
    ...tunnel,
  };
  return { tunnels: { ipipou0: own }, ...daemon };
}

/** As a client's. */
function dialling(endpoint: string): Settings {
  const peers = { hub: { endpoint, allowedIPs: ["172.28.0.0/24"] } };
  return { tunnel: { privateKey: ours.privateKey, peers, address: "172.28.0.9/24" } };
}

interface Broken {
  readonly config?: Json;
  /** Makes it so, in the host's namespace. */
  readonly make?: string;
  /** The same in the checking process's own view of the file system, where this is mounted. */
  readonly within?: { readonly at: string; readonly make: string };
  readonly undo?: string;
  /** A program that holds something meanwhile. */
  readonly holds?: readonly ["udp" | "unix" | "queue", ...string[]];
  readonly code: string;
  /** What it says, mend and all. */
  readonly says: RegExp;
  readonly exit: number;
}

const noModules = "echo /bin/false >/proc/sys/kernel/modprobe";
const modules = "echo /sbin/modprobe >/proc/sys/kernel/modprobe";
const otherWay =
  "ip link add name eth1 type dummy; ip addr add 198.18.0.1/24 dev eth1; ip link set eth1 up";

const hosts: Readonly<Record<string, Broken>> = {
  "without the module fou": {
    make: "rmmod fou",
    undo: "modprobe fou",
    code: "no-fou",
    says: /family `fou`.*modprobe fou/,
    exit: 4,
  },
  "without the module nft_queue": {
    make: `rmmod nft_queue; ${noModules}`,
    undo: `${modules}; modprobe nft_queue`,
    code: "no-nftables-part",
    says: /NFT_MSG_NEWRULE.*modprobe nft_queue/,
    exit: 4,
  },
  "without the module ipip, and with no way to load it": {
    make: `rmmod ipip; ${noModules}`,
    undo: `${modules}; modprobe ipip`,
    code: "no-ipip",
    says: /ipip is not loaded.*modprobe ipip/,
    exit: 4,
  },
  "with another's FOU listener": {
    make: "ip fou add port 10000 ipproto 4",
    undo: "ip fou del port 10000",
    code: "foreign-listener",
    says: /203\.0\.113\.1:10000.*ip fou del port 10000/,
    exit: 5,
  },
  "with another program's UDP socket": {
    holds: ["udp", "0.0.0.0", "10000"],
    code: "port-in-use",
    says: /another program \(python3, pid \d+\).*203\.0\.113\.1:10000.*`listen`/,
    exit: 5,
  },
  "with another program's queue": {
    holds: ["queue", "26992"],
    code: "foreign-queue",
    says: /queue 26992 .*\(python3, pid \d+\).*queue\.number/,
    exit: 5,
  },
  "with another's interface of this name": {
    make: "ip link add ipipou0 type dummy",
    undo: "ip link del ipipou0",
    code: "foreign-interface",
    says: /ipipou0 .*did not make.*`interface`/,
    exit: 5,
  },
  "with another's table of this name": {
    make: "nft add table ip ipipou",
    undo: "nft delete table ip ipipou",
    code: "foreign-table",
    says: /`ip ipipou`.*`table`/,
    exit: 5,
  },
  "with another's route where ours goes": {
    make: "ip route add 172.28.0.2/32 via 203.0.113.254",
    undo: "ip route del 172.28.0.2/32",
    code: "foreign-route",
    says: /172\.28\.0\.2\/32 \(by 203\.0\.113\.254\).*allowedIPs/,
    exit: 5,
  },
  "that has not the address to listen at": {
    config: hub({ tunnel: { listen: "203.0.113.99:10000" } }),
    code: "no-address",
    says: /no interface has the address 203\.0\.113\.99.*`listen`/,
    exit: 1,
  },
  "with a folder for the control socket that can't be written": {
    config: hub({ daemon: { control: "/mnt/run/control.sock" } }),
    within: { at: "/mnt", make: "mount -t tmpfs -o ro none /mnt" },
    code: "control",
    says: /\/mnt .*read-only; set another `control`/,
    exit: 3,
  },
  "with a stateDirectory on a file system that is read-only": {
    config: hub({ daemon: { stateDirectory: "/mnt/state" } }),
    within: { at: "/mnt", make: "mount -t tmpfs -o ro none /mnt" },
    code: "state-directory",
    says: /\/mnt .*read-only.*`stateDirectory`/,
    exit: 0,
  },
  "with strict rp_filter, and a default route elsewhere": {
    make: `${otherWay}; ip route replace default via 198.18.0.2; echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter`,
    undo: "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter; ip link del eth1; ip route replace default via 203.0.113.254",
    code: "rp-filter",
    says: /strict on eth0.*by eth1.*conf\.eth0\.rp_filter to 2/,
    exit: 0,
  },
  "that forwards nothing": {
    config: hub({ peers: { router: { ...router, allowedIPs: ["10.7.0.0/16"] } } }),
    code: "no-forwarding",
    says: /networks behind router.*ip_forward=1/,
    exit: 0,
  },
  "whose way out is narrower than mtu": {
    config: hub({ tunnel: { mtu: 1480 } }),
    code: "mtu",
    says: /mtu 1480 .*eth0's 1500.*1472/,
    exit: 0,
  },
  "whose firewall drops our port": {
    make: `nft -f - <<.
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state vmap { established : accept, related : accept, invalid : drop }
    meta l4proto icmp accept
    tcp dport { 22, 80, 443 } accept
    udp dport { 53, 9000-9999 } accept
  }
}
.`,
    undo: "nft delete table inet filter",
    code: "firewall",
    says: /inet filter\) drops .*port 10000.*`udp dport 10000 accept`/,
    exit: 0,
  },
  "whose firewall goes by connection tracking": {
    make: `nft -f - <<.
table ip host {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ct state new udp dport { 53, 10000 } accept
  }
}
.`,
    undo: "nft delete table ip host",
    code: "firewall-untracked",
    says: /`ct state` alone.*conntrack: track/,
    exit: 0,
  },
  "that filters with iptables-legacy": {
    // IPT_SO_GET_INFO, by which that program begins: the table is there from then on.
    make: `modprobe iptable_filter; python3 -c '
import ctypes, socket, sys
info = ctypes.create_string_buffer(b"filter", 84)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sys.exit(-ctypes.CDLL(None).getsockopt(raw.fileno(), 0, 64, info, ctypes.byref(ctypes.c_uint(84))))'`,
    undo: "rmmod iptable_filter",
    code: "legacy-firewall",
    says: /iptables-legacy .*\(filter\).*UDP port 10000.*iptables-legacy-save/,
    exit: 0,
  },
  "where systemd-networkd takes others' routes away": {
    within: {
      at: "/run",
      make: "mount -t tmpfs none /run; mkdir -p /run/systemd/netif; touch /run/systemd/netif/state",
    },
    code: "networkd",
    says: /systemd-networkd removes routes.*ManageForeignRoutes=no/,
    exit: 0,
  },
  "whose clock is years late": {
    make: "date +%s >/tmp/now; date -s @1000000000",
    undo: "date -s @$(($(cat /tmp/now) + 3))",
    code: "clock",
    says: /2001-09-09.*timedatectl/,
    exit: 0,
  },
  "where others may read a key": {
    config: hub({
      peers: { laptop: { ...laptop, secret: undefined, secretFile: "/tmp/public.secret" } },
    }),
    make: "echo hush >/tmp/public.secret; chmod 644 /tmp/public.secret",
    undo: "rm /tmp/public.secret",
    code: "public-secret",
    says: /may read \/tmp\/public\.secret.*chmod o=/,
    exit: 0,
  },
  "with allowedIPs that overlap": {
    config: hub({ peers: { router: { ...router, allowedIPs: ["172.28.0.0/30"] } }, tunnel: {} }),
    make: "echo 1 >/proc/sys/net/ipv4/ip_forward",
    undo: "echo 0 >/proc/sys/net/ipv4/ip_forward",
    code: "overlapping-allowed-ips",
    says: /172\.28\.0\.2\/32 of ipipou0\/laptop is in 172\.28\.0\.0\/30 of ipipou0\/router/,
    exit: 0,
  },
  "with one key for both ends": {
    config: hub({
      tunnel: { privateKey: ours.privateKey },
      peers: { router: { ...router, publicKey: ours.publicKey, replyOnAuth: true } },
    }),
    code: "own-key",
    says: /ipipou0\/router is that of our own privateKey.*keygen/,
    exit: 0,
  },
  "whose hub has a name that nobody knows": {
    config: hub(dialling("hub.invalid:10000")),
    within: {
      at: "/etc/nsswitch.conf",
      make: "echo 'hosts: files' >/tmp/nsswitch.conf; mount --bind /tmp/nsswitch.conf /etc/nsswitch.conf",
    },
    code: "unresolvable",
    says: /hub\.invalid has no IPv4 address.*DNS/,
    exit: 0,
  },
  "without a default route": {
    make: "ip route del default",
    undo: "ip route add default via 203.0.113.254",
    code: "no-default-route",
    says: /no default route.*ip route add default/,
    exit: 0,
  },
  "without a route to the hub": {
    config: hub(dialling("198.51.100.77:10000")),
    make: "ip route del default",
    undo: "ip route add default via 203.0.113.254",
    code: "no-route",
    says: /no route leads to 198\.51\.100\.77.*default route/,
    exit: 0,
  },
  "that has our inner network already": {
    make: "ip link add name docker0 type dummy; ip addr add 172.28.0.77/16 dev docker0; ip link set docker0 up",
    undo: "ip link del docker0",
    code: "network-overlap",
    says: /172\.28\.0\.0\/24 \(on docker0\).*other addresses/,
    exit: 0,
  },
};

describe("--check", () => {
  let topology: Topology;
  let server: Host;
  let folder: string;
  /** Where the checker writes down what it sends. */
  let sent: string;
  let checker: Checker;
  const programs: Program[] = [];
  const daemons: Daemon[] = [];
  before(async () => {
    topology = await Topology.create();
    server = topology.server;
    folder = await mkdtemp(join(tmpdir(), "ipipoud-check-"));
    sent = join(folder, "sent");
    checker = new Checker(server, recording(sent));
  });
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop("SIGKILL");
    for (const daemon of daemons.splice(0)) await daemon.remove();
  });
  after(async () => {
    await checker.stop();
    await topology.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const configure = async (config: Json): Promise<string> => {
    const file = join(folder, "ipipoud.json");
    const own = { control: join(folder, "control.sock"), stateDirectory: join(folder, "state") };
    await writeFile(file, JSON.stringify({ ...own, ...config }));
    return file;
  };
  const check = async (config: Json): Promise<Output> => {
    await rm(sent, { force: true });
    const output = await checker.ask("--check", "--json", "--config", await configure(config));
    const datagrams = await recorded(sent);
    assert.ok(datagrams.length >= 6, `${datagrams.length} datagrams`);
    assert.deepEqual(datagrams.filter(changes), [], "it only asks");
    return output;
  };
  const resultOf = ({ stdout, stderr }: Output): CheckResult => {
    assert.equal(stderr, "");
    return JSON.parse(stdout) as CheckResult;
  };

  it("finds nothing on a healthy host", async () => {
    const output = await check(hub());
    const { ok, findings } = resultOf(output);
    assert.deepEqual(findings, []);
    assert.deepEqual([ok, output.code], [true, 0]);
  });

  for (const [name, host] of Object.entries(hosts)) {
    it(`finds what is wrong with a host ${name}`, async () => {
      if (host.make !== undefined) await server.sh(host.make);
      try {
        if (host.holds !== undefined) programs.push(await hold(server, ...host.holds));
        if (host.within !== undefined) await checker.within(host.within.make);
        const output = await check(host.config ?? hub());
        const { ok, findings } = resultOf(output);
        assert.deepEqual(
          findings.map(({ code }) => code),
          [host.code],
          JSON.stringify(findings, undefined, 2),
        );
        const [{ message = "", mend = "" } = {}] = findings;
        assert.match(`${message}; ${mend}`, host.says);
        assert.deepEqual([ok, output.code], [host.exit === 0, host.exit]);
      } finally {
        if (host.within !== undefined) await checker.within(`umount ${host.within.at}`);
        if (host.undo !== undefined) await server.sh(host.undo);
      }
    });
  }

  it("tells the exit code of a start", async () => {
    const file = await configure(hub({ tunnel: { listen: "203.0.113.99:10000" } }));
    const { code, stderr } = await server.try(process.execPath, mainFile, "--config", file);
    assert.equal(code, hosts["that has not the address to listen at"]?.exit, stderr);
    assert.match(stderr, /^ipipoud: FOU_CMD_ADD 203\.0\.113\.99:10000[^\n]*\n$/);
  });

  it("says to an unprivileged user what could not be seen, and exits with 3", async () => {
    await chmod(folder, 0o755);
    const nobody = ["--reuid=65534", "--clear-groups", "--bounding-set=-all"];
    const command = [mainFile, "--check", "--json", "--config"];
    const file = await configure(hub());
    const output = await server.try("setpriv", ...nobody, process.execPath, ...command, file);
    await chmod(folder, 0o700);
    const { ok, steps, findings } = resultOf(output);
    assert.deepEqual([ok, output.code], [false, 3]);
    assert.deepEqual(
      findings.filter(({ level }) => level === "error").map(({ code }) => code),
      ["no-privilege", "missing-capability", "control"],
      JSON.stringify(findings, undefined, 2),
    );
    assert.match(findings[0]?.message ?? "", /can't be seen/);
    assert.ok(steps.length > 10);
  });

  it("foretells what a start does, message for message, and writes nothing; beside the daemon there is nothing to do", async () => {
    const dialled = {
      address: { local: "10.1.0.1", peer: "10.1.0.2" },
      listen: "203.0.113.1:10001",
      privateKey: ours.privateKey,
      peers: { far: { endpoint: "198.51.100.77:9000", allowedIPs: ["0.0.0.0/0"] } },
    };
    const other = { ...router, allowedIPs: ["172.28.0.3/32", "10.7.0.0/16"] };
    // Networks behind a peer of several.
    await server.sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
    const config = serverConfig(credentials, { peers: { other } });
    const tunnels = { ...(config["tunnels"] as object), ipipou1: dialled };
    const daemon = await Daemon.prepare(
      server,
      { ...config, tunnels },
      {
        environment: recording(join(folder, "start")),
      },
    );
    daemons.push(daemon);

    // Under strace, which steps aside (-D).
    const prior = await wholeSnapshot(server);
    const trace = join(folder, "trace");
    const calls =
      "trace=sendto,sendmsg,sendmmsg,openat,open,creat,unlink,unlinkat,mkdir,mkdirat,rename";
    const strace = ["-D", "-f", "--seccomp-bpf", "-x", "-s", "64", "-o", trace, "-e", calls];
    const command = [
      process.execPath,
      mainFile,
      "--check",
      "--json",
      "--config",
      daemon.configFile,
    ];
    const checking = server.start("strace", [...strace, ...command]);
    programs.push(checking);
    assert.equal(await checking.end(), 0, checking.lines.join("\n"));
    assert.equal(await wholeSnapshot(server), prior);
    await onlyAsked(trace);

    const { ok, steps } = JSON.parse(checking.stdout.join("\n")) as CheckResult;
    assert.equal(ok, true);
    assert.ok(steps.every(({ action }) => action === "add"));
    const told = steps.map(({ object, what }) => `${object} ${what}`);

    const before = await stepsSince(server);
    await daemon.start();
    const datagrams = await recorded(join(folder, "start"));
    const names = JSON.parse(await server.run("ip", "-j", "link", "show")) as {
      ifindex: number;
      ifname: string;
    }[];
    const index = (name: string) => names.find(({ ifname }) => ifname === name)?.ifindex;
    const asked = inWords(datagrams, index);
    const inKernel = (words: readonly string[]) => words.filter((line) => !/^nftables /.test(line));
    const inGate = (words: readonly string[]) => words.filter((line) => /^nftables /.test(line));
    assert.deepEqual(inKernel(asked), inKernel(told), "in their order");
    // Within a batch, which takes effect as one, the order is the kernel's need.
    assert.deepEqual(inGate(asked).sort(), inGate(told).sort());
    const gates = datagrams.filter(changes).map(({ protocol }) => protocol === 12);
    assert.equal(gates.indexOf(true), 0, "the gate's guards come first");

    // The same by `ip` and `nft` alone.
    const taken = await before.taken();
    for (const [what, pattern] of Object.entries(taken.patterns)) {
      assert.ok(
        told.some((step) => pattern.test(step)),
        `${what} was made and not told:\n${told.join("\n")}`,
      );
    }
    assert.equal(
      told.length,
      taken.count,
      `${told.join("\n")}\nbut\n${Object.keys(taken.patterns).join("\n")}`,
    );

    const beside = await snapshot(server);
    const text = await daemon.cli("--check");
    assert.deepEqual([text.code, text.stderr], [0, ""], text.stdout);
    assert.match(text.stdout, /^nothing to do[^\n]*\n$/);
    assert.ok(!text.stdout.includes("\u001b"), "a pipe has no colours");
    assert.equal(await snapshot(server), beside);
    assert.equal((await statusOf(daemon)).tunnels[0]?.state, "up");

    // What a reload would change is taken by the kernel as well.
    const { ipipou0 } = config["tunnels"] as { ipipou0: object };
    const moved = { ...ipipou0, listen: "203.0.113.1:10009" };
    await daemon.configure({ ...config, tunnels: { ...tunnels, ipipou0: moved } });
    const next = await daemon.cli("--check");
    assert.equal(next.code, 0, next.stdout);
    assert.doesNotMatch(next.stdout, /^error/m);
    assert.match(next.stdout, /10009/);
    assert.equal(await snapshot(server), beside);
  });
});

/** What strace saw: netlink questions and batches without an end, and no file opened for writing. */
async function onlyAsked(trace: string): Promise<void> {
  const lines = (await readFile(trace, "utf8")).split("\n");
  const sent = lines.filter((line) => /nlmsg_type/.test(line));
  assert.ok(sent.length >= 6, sent.join("\n"));
  // RTM_GETLINK, ADDR, ROUTE, NEIGH, RULE, NEXTHOP; NFT_MSG_GETTABLE, …; CTRL_CMD_GETFAMILY and FOU_CMD_GET.
  const asks = /nlmsg_type=0x(12|16|1a|1e|22|6a|a01|a04|a07|a0a|a0d)\b|\w+_GET\w+,|"\\x03\\x0[01]/;
  const others = sent.filter((line) => !asks.test(line));
  assert.ok(
    others.every((line) =>
      /^[^[]*\[?\[?\{nlmsg_len=\d+, nlmsg_type=(NFNL_MSG_BATCH_BEGIN|0x10)\b|NFNL_MSG_BATCH_BEGIN/.test(
        line,
      ),
    ),
    others.join("\n"),
  );
  assert.equal(others.length, 1, `one rehearsal, not\n${others.join("\n")}`);
  assert.deepEqual(
    lines.filter((line) => /BATCH_END|nlmsg_type=0x11\b/.test(line)),
    [],
  );
  const written = lines.filter(
    (line) =>
      /O_WRONLY|O_RDWR|O_CREAT|\b(creat|mkdir|unlink|rename)/.test(line) &&
      !/"\/dev\/(null|tty)"/.test(line),
  );
  assert.deepEqual(written, []);
}
