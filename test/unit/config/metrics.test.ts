import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadConfiguration } from "../../../src/config/load.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";
import { formatEndpoint } from "../../../src/net/address.ts";
import { withFiles } from "./files.ts";

const tunnel =
  "tunnels: { t: { peers: { p: { endpoint: '192.0.2.1:1', auth: none, pinAddress: true } } } }\n";

function listen(written: string): string {
  return withFiles({ "a.yaml": `${tunnel}metrics: ${written}\n` }, (folder) => {
    try {
      const { metrics } = loadConfiguration([`${folder}/a.yaml`]);
      return metrics === undefined ? "nowhere" : formatEndpoint(metrics);
    } catch (error) {
      assert.ok(error instanceof ConfigurationError);
      return error.message.replace(/^.*a\.yaml:/, "");
    }
  });
}

describe("metrics.listen", () => {
  it("is this host's loopback where no address is written out", () => {
    assert.equal(listen("{ listen: 9100 }"), "127.0.0.1:9100");
    assert.equal(listen('{ listen: "9100" }'), "127.0.0.1:9100");
    assert.equal(listen('{ listen: ":9787" }'), "127.0.0.1:9787");
  });

  it("is another address where that is written out", () => {
    assert.equal(listen('{ listen: "0.0.0.0:9787" }'), "0.0.0.0:9787");
    assert.equal(listen("{ listen: 172.28.0.1:9787 }"), "172.28.0.1:9787");
    assert.equal(listen('{ listen: "[::]:9787" }'), "[::]:9787");
    assert.equal(listen('{ listen: "[2001:DB8::1]:9787" }'), "[2001:db8::1]:9787");
  });

  it("says what is wrong, and the mend", () => {
    const place = "neither PORT nor ADDRESS:PORT (metrics.listen)";
    assert.equal(
      listen("{ listen: 0 }"),
      "2:20: not a valid number (metrics.listen): want a whole number, 1 to 65535",
    );
    assert.equal(
      listen("{ listen: true }"),
      `2:20: ${place}: write 9787 for this host alone, or 0.0.0.0:9787`,
    );
    assert.equal(
      listen("{ listen: 127.0.0.1 }"),
      "2:20: no port (metrics.listen): write 127.0.0.1:9787",
    );
    assert.equal(
      listen("{ listen: localhost:9787 }"),
      "2:20: no address to listen at (metrics.listen): write 9787 for this host alone, or 0.0.0.0:9787",
    );
    assert.equal(
      listen("{ listen: ':99999' }"),
      "2:20: not a port (metrics.listen): a port is 1 to 65535",
    );
    assert.equal(
      listen("{ listen: '2001:db8::1:80' }"),
      `2:20: ${place}: write 9787, or [2001:db8::1]:9787`,
    );
    assert.equal(
      listen("9787"),
      "2:10: not a mapping (metrics): write metrics as { listen: 9787 }",
    );
    assert.equal(listen("{ lisen: 9787 }").split("\n").length, 2);
  });
});
