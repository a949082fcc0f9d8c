/** What is made large: the configuration, and the same by hand, as `ip -batch` and `nft -f` take it. */
import { testedAddress } from "../ends.ts";

export interface SizeScenario {
  readonly name: "tunnels" | "peers";
  /** What a start with many is held against; two make a hub. */
  readonly few: number;
  readonly many: number;
  readonly configuration: (count: number) => Record<string, unknown>;
  /** Lines for `ip -batch`; what nf_tables has is taken from the daemon's own table. */
  readonly byHand: (count: number) => string[];
  /** A peer's proof. */
  readonly token: (number: number) => string;
  readonly limits: { readonly ratio: number; readonly megabytes: number };
}

const token = (number: number): string => `token-of-peer-${String(number).padStart(6, "0")}`;
const blackhole = "route add blackhole 240.0.0.0/4 proto 105 metric 4294967295";
const local = testedAddress;
const each = (count: number, line: (number: number) => string): string[] =>
  Array.from({ length: count }, (_, number) => line(number));

/** 10.0.0.0 and following. */
const inner = (number: number): string =>
  `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;

const tunnels: SizeScenario = {
  name: "tunnels",
  few: 1,
  many: 1000,
  configuration: (count) => ({
    tunnels: Object.fromEntries(
      each(count, String).map((name, number) => [
        `ipipou${name}`,
        {
          listen: `${local}:${10_000 + number}`,
          address: `${inner(4 * number + 1)}/30`,
          peers: { peer: { token: token(number), allowedIPs: [`${inner(4 * number + 2)}/32`] } },
        },
      ]),
    ),
  }),
  byHand: (count) => [
    blackhole,
    ...each(count, (n) => `route add unreachable ${inner(4 * n + 2)}/32 ${behind}`),
    ...each(count, (n) => `route add unreachable ${inner(4 * n)}/30 ${behind}`),
    ...each(count, (n) => {
      const port = 10_000 + n;
      const encap = `encap fou encap-sport ${port} encap-dport ${port}`;
      const remote = `240.1.${n >> 8}.${n & 255}`;
      return `link add name ipipou${n} mtu 1472 type ipip local ${local} remote ${remote} ttl inherit ${encap}`;
    }),
    // A # would begin a comment.
    ...each(count, (n) => `link set ipipou${n} alias "ipipoud ipipou/ipipou${n} 1234567"`),
    ...each(count, (n) => `link set ipipou${n} up`),
    ...each(count, (n) => `addr add ${inner(4 * n + 1)}/30 dev ipipou${n}`),
    ...each(count, (n) => `fou add port ${10_000 + n} ipproto 4 local ${local}`),
    ...each(count, (n) => `route add ${inner(4 * n + 2)}/32 dev ipipou${n} proto 105`),
  ],
  token,
  limits: { ratio: 1.5, megabytes: 120 },
};

const behind = "proto 105 metric 4294967295";

const peers: SizeScenario = {
  name: "peers",
  few: 2,
  many: 100_000,
  configuration: (count) => ({
    tunnels: {
      ipipou0: {
        listen: `${local}:10000`,
        address: "172.28.0.1/24",
        peers: Object.fromEntries(
          each(count, String).map((name, number) => [
            `peer${name}`,
            { token: token(number), allowedIPs: [`${inner(number)}/32`] },
          ]),
        ),
      },
    },
  }),
  byHand: (count) => [
    blackhole,
    ...each(count, (n) => `route add unreachable ${inner(n)}/32 ${behind}`),
    `route add unreachable 172.28.0.0/24 ${behind}`,
    `link add name ipipou0 mtu 1472 type ipip local ${local} remote any ttl inherit encap fou encap-sport 10000 encap-dport 10000`,
    `link set ipipou0 alias "ipipoud ipipou/ipipou0"`,
    "link set ipipou0 up",
    "addr add 172.28.0.1/24 dev ipipou0 noprefixroute",
    `fou add port 10000 ipproto 4 local ${local}`,
    ...each(count, (n) => `nexthop add id ${firstNexthop + n} blackhole proto 105`),
    ...each(count, (n) => `route add ${inner(n)}/32 nhid ${firstNexthop + n} proto 105`),
  ],
  token,
  limits: { ratio: 1.5, megabytes: 400 },
};

const firstNexthop = 0xf000_0000;

export const sizeScenarios: readonly SizeScenario[] = [tunnels, peers];
