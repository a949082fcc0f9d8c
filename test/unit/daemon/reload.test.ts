/** Reloads on a small Linux in memory: what is sent, and where a flood of them ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLink, LINK, RTM_NEWLINK } from "../../../src/kernel/link.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NLM_F_DUMP } from "../../../src/netlink/constants.ts";
import { Life } from "../../support/linux/life.ts";
import type { Sent } from "../../support/linux/linux.ts";

const COUNT = 1000;

/** @param mtu Of the tunnel in the middle. */
function tunnels(count: number, mtu: number): string {
  const one = (i: number): string => `
  t${i}:
    listen: "203.0.113.1:${10_000 + i}"
    address: 10.${i >> 8}.${i & 255}.1/24
    mtu: ${i === count >> 1 ? mtu : 1400}
    peers: { p: { token: "token of ${i}", allowedIPs: [10.${i >> 8}.${i & 255}.2/32] } }`;
  return `tunnels:${Array.from({ length: count }, (_, i) => one(i)).join("")}\n`;
}

/** Whether the kernel is asked for a change, and not for a list or a look. */
function changes({ protocol, message: { type, flags, payload } }: Sent): boolean {
  if (protocol === NETLINK_ROUTE) return type % 4 !== 2;
  if (protocol === NETLINK_NETFILTER) return (flags & NLM_F_DUMP) !== NLM_F_DUMP;
  return payload[0] !== 3;
}

test("with one of 1,000 tunnels changed, the messages are those of that one", async () => {
  const life = new Life();
  life.configure(tunnels(COUNT, 1400));
  await life.start();
  const sent: Sent[] = [];
  life.linux.fault = (one) => {
    if (changes(one)) sent.push(one);
    return undefined;
  };
  life.configure(tunnels(COUNT, 1300));
  const { changes: words } = await life.supervisor.reload();
  assert.equal(words.length, 1);
  assert.match(words[0] ?? "", /^change t500 /);
  const [only, ...more] = sent;
  assert.deepEqual(more, []);
  assert.equal(only?.message.type, RTM_NEWLINK);
  assert.equal(LINK.decode(only.message.payload, 16).mtu, 1300);
  sent.length = 0;
  await life.supervisor.reload();
  assert.deepEqual(sent, [], "nothing has changed");
  life.end();
});

test("a flood of 100 reloads, each of another file, ends in the last", async () => {
  const life = new Life();
  life.configure(tunnels(10, 1400));
  await life.start();
  const all: Promise<unknown>[] = [];
  for (let i = 1; i <= 100; i++) {
    life.configure(tunnels(10, 1000 + i));
    all.push(life.supervisor.reload());
    if (i % 7 === 0) await new Promise<void>((resolve) => setTimeout(resolve, i % 5));
  }
  await Promise.all(all);
  const mtu = life.linux.route
    .dump({ type: RTM_NEWLINK + 2, flags: 0, sequence: 0, payload: Buffer.alloc(16) })
    .map((message) => decodeLink(message, life.linux.route.devices))
    .find((link) => link?.name === "t5")?.mtu;
  assert.equal(mtu, 1100);
  assert.deepEqual(life.fatal, []);
  const failed = life.events.filter(({ event }) => event === "failed");
  assert.deepEqual(failed, []);
  await life.stop();
});
