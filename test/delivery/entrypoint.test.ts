/** What a container starts, on a bare root that the image's scripts made, with more or fewer capabilities. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { before, describe, it } from "node:test";
import { type Delivery, findDelivery } from "../lab/delivery.ts";
import type { Finished } from "../lab/run.ts";
import { inBareRoot } from "./bare.ts";

const usual = "+net_admin,+net_raw";

describe("the image's entrypoint", () => {
  let delivery: Delivery;
  before(async () => {
    delivery = await findDelivery();
  });

  const start = async (
    user: number,
    capabilities: string,
    args = "",
    more = "",
  ): Promise<Finished> =>
    await inBareRoot(
      delivery.imageRoot,
      dirname(delivery.installation),
      `ln -s /opt/given/installation /usr/lib/ipipoud
       install -d -o 990 -m 0770 /run/ipipoud
       echo '{tunnels: {}, queue: {number: 1}}' >/etc/ipipou/ipipoud.yaml
       exec setpriv --reuid=${user} --regid=${user} --clear-groups ${more} --inh-caps=-all \\
         --bounding-set=-all,${capabilities} /usr/lib/ipipoud/conf/container/entrypoint.sh ${args}`,
    );

  for (const user of [990, 0]) {
    for (const [given, missing] of [
      ["+net_raw", "CAP_NET_ADMIN is"],
      ["+net_admin", "CAP_NET_RAW is"],
      ["+chown", "CAP_NET_ADMIN and CAP_NET_RAW are"],
    ] as const) {
      it(`as user ${user} with ${given} alone says that ${missing} missing`, async () => {
        const { code, stderr } = await start(user, given);
        assert.equal(code, 3, stderr);
        assert.match(stderr, new RegExp(`^ipipoud: ${missing} missing[:;] .*NET_RAW`, "m"));
      });
    }
  }

  it("says what no-new-privileges keeps from it", async () => {
    const { code, stderr } = await start(990, usual, "", "--no-new-privs");
    assert.equal(code, 3, stderr);
    assert.match(stderr, /no-new-privileges .*--user 0/);
  });

  it("starts the daemon with both, as either user", async () => {
    for (const user of [990, 0]) {
      const { code, stderr } = await start(user, usual, "--config /etc/ipipou/none.yaml");
      assert.equal(code, 2, stderr);
      assert.match(stderr, /none\.yaml/);
    }
  });

  it("runs what needs no capability without any", async () => {
    assert.match((await start(990, "+chown", "--version")).stdout, /^ipipoud \d/);
    assert.match((await start(990, "+chown", "keygen")).stdout, /^[\w+/]{43}=$/m);
    const { stderr } = await start(990, "+chown", "--config /etc/ipipou/none.yaml --check");
    assert.match(stderr, /none\.yaml/);
  });
});
