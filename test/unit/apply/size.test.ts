/** What may not grow with the number of peers, counted: messages to the kernel, peers that are looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelApplier } from "../../../src/apply/kernel-applier.ts";
import type { Sockets } from "../../../src/apply/sockets.ts";
import type { PeerConfig } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import { CONTROLLER, GENL_ID_CTRL } from "../../../src/kernel/genetlink.ts";
import { RTM_GETLINK } from "../../../src/kernel/link.ts";
import { attr, string, table } from "../../../src/netlink/attributes.ts";
import { Netlink } from "../../../src/netlink/connection.ts";
import { NLM_F_ACK, NLM_F_DUMP } from "../../../src/netlink/constants.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { assignIds, idOfPeer, nexthopId } from "../../../src/plan/ids.ts";
import {
  configuration,
  known,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";
import { ack, done, FakeKernel } from "../../support/fake-kernel.ts";

const LINK = table({ name: attr(3, string, "IFLA_IFNAME") });

function link(to: Message, index: number, name: string): Message {
  const payload = LINK.encode({ name }, 16);
  payload.writeInt32LE(index, 4);
  return { type: 16, flags: 0, sequence: to.sequence, payload };
}

/** Has two devices and the family `fou`, and takes everything. */
function kernel(): FakeKernel {
  return new FakeKernel((messages, self) => {
    for (const message of messages) {
      const dump = (message.flags & NLM_F_DUMP) === NLM_F_DUMP;
      if (message.type === GENL_ID_CTRL) {
        const payload = CONTROLLER.encode({ id: 30, name: "fou", version: 1 }, 4);
        payload[0] = 1;
        self.answer({ type: GENL_ID_CTRL, flags: 0, sequence: message.sequence, payload });
      }
      if (message.type === RTM_GETLINK) {
        for (const [i, name] of ["lo", "hub0"].entries()) self.answer(link(message, 1 + i, name));
      }
      if (dump && message.type === RTM_GETLINK) self.answer(done(message));
      else if ((message.flags & NLM_F_ACK) !== 0) self.answer(ack(message));
    }
  });
}

interface Counted {
  /** By type of message, in the order in which they went out. */
  readonly messages: readonly string[];
  readonly nexthops: readonly number[];
  /** Peers of the configuration that were read. */
  readonly looks: number;
}

/** A hub of so many peers stands; one of them comes, roams, and proves itself again. */
async function roamBeside(count: number): Promise<Counted> {
  let looks = 0;
  const peers: PeerConfig[] = Array.from({ length: count }, (_, i) =>
    peer(`p${i}`, {
      proof: { kind: "token", token: new Secret(Buffer.from(`token ${i}`)) },
      allowedIPs: [prefix(`10.${i >> 8}.${i & 255}.1/32`)],
      authLifetime: 60_000,
    }),
  );
  const watched = new Proxy(peers, {
    get: (target, key) => {
      if (typeof key === "string" && /^\d+$/.test(key)) looks++;
      return Reflect.get(target, key) as unknown;
    },
  });
  const hub = tunnel("hub0", watched);
  const config = configuration([hub]);
  const ids = assignIds(config);
  const [route, generic, netfilter] = [kernel(), kernel(), kernel()];
  const sockets: Sockets = {
    route: new Netlink(route),
    generic: new Netlink(generic),
    netfilter: new Netlink(netfilter),
    close() {},
  };
  const now = situation(config);
  const applier = new KernelApplier(sockets, config, ids);
  const nothing = {
    ...{ links: [], addresses: [], routes: [], listeners: [], resources: [] },
    ...{ proxies: [], sysctls: new Map<string, string>() },
  };
  await applier.start(now, {
    ...nothing,
    devices: { index: () => undefined, name: () => undefined },
    ruleset: { kind: "absent" },
  });
  const all = [route, generic, netfilter];
  for (const one of all) one.received.splice(0);
  looks = 0;
  const one = peers[0] ?? assert.fail();
  const places = [undefined, "198.51.100.2:40001", "198.51.100.3:40002", "198.51.100.3:40002"];
  for (let i = 1; i < places.length; i++) {
    const [before, after] = [places[i - 1], places[i]].map((at) => at && known(at));
    const move = { tunnel: hub, peer: one, before: before || undefined, after: after || undefined };
    await applier.move([move], now);
  }
  const sent = all.flatMap(({ received }) => received.flat());
  const nexthops = sent.filter(({ type }) => type === 104);
  for (const { payload } of nexthops) {
    assert.ok(payload.includes(u32(nexthopId(idOfPeer(ids, one)))), "the peer's own");
  }
  return {
    messages: sent.map(({ type }) => type.toString()),
    nexthops: nexthops.map(({ type }) => type),
    looks,
  };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

test("a roam is as many messages beside thousands of peers as beside two, and looks at none of them", async () => {
  const [few, many] = [await roamBeside(2), await roamBeside(3000)];
  assert.deepEqual(many.messages, few.messages);
  assert.equal(few.nexthops.length, 2, "one for each new place, none for the renewed proof");
  assert.equal(many.looks, 0);
});
