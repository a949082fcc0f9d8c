/** conf/prometheus/ speaks of metrics that there are. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { catalogue } from "../../src/daemon/metrics/catalogue.ts";
import { eventNames } from "../../src/tunnel/events.ts";
import { peerStates } from "../../src/tunnel/peers.ts";
import { prometheusProgram } from "../lab/paths.ts";
import { dashboardQueries } from "../support/dashboard.ts";

/** From the compiled test up to the repository. */
const folder = new URL("../../../conf/prometheus/", import.meta.url).pathname;
const read = (name: string): string => readFileSync(folder + name, "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const alerts = (parse(read("alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const queries = dashboardQueries(read("dashboard.json"));

/** What every scraped series has beside its own labels. */
const added = ["job", "instance"];
const values: Readonly<Record<string, readonly string[]>> = {
  state: peerStates,
  event: eventNames,
  verdict: ["accepted", "refused", "dropped"],
};

/** Metrics of a query, each with its label matchers. */
function* selectors(query: string): Generator<[name: string, matchers: [string, string][]]> {
  for (const [, name = "", inner = ""] of query.matchAll(/\b([a-z]\w*_\w+)\s*(?:\{([^}]*)\})?/g)) {
    if (/^(label_values|sort_desc)$/.test(name)) continue;
    const matchers = [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)];
    yield [name, matchers.map(([, label = "", value = ""]) => [label, value])];
  }
}

function check(query: string): void {
  for (const [name, matchers] of selectors(query)) {
    const metric = Object.entries(catalogue).find(([known]) => known === name)?.[1];
    assert.ok(metric !== undefined, `there is no metric ${name}: ${query}`);
    const labels: readonly string[] = [...added, ...metric.labels];
    for (const [label, value] of matchers) {
      assert.ok(labels.includes(label), `${name} has no label ${label}: ${query}`);
      for (const one of value.startsWith("$") ? [] : value.split("|")) {
        const known = values[label];
        assert.ok(known === undefined || known.includes(one), `${label} is never ${one}: ${query}`);
      }
    }
    if (metric.type === "counter") {
      assert.match(query, new RegExp(`(rate|increase)\\(${name}`), `a counter as it is: ${query}`);
    }
  }
}

describe("conf/prometheus", () => {
  it("has alerts about metrics, labels and values that there are", () => {
    assert.ok(alerts.length > 5);
    for (const { expr } of alerts) check(expr);
  });

  it("has a dashboard about metrics, labels and values that there are", () => {
    assert.ok(queries.length > 10);
    for (const query of queries) check(query);
  });

  it("sees a name, a label and a value that there are not", () => {
    assert.throws(() => check('ipipoud_tunel_up{tunnel="x"}'), /no metric/);
    assert.throws(() => check('ipipoud_tunnel_up{peer="x"}'), /no label/);
    assert.throws(() => check('ipipoud_tunnel_peers{state="gone"}'), /never gone/);
    assert.throws(() => check("sum(ipipoud_events_total)"), /counter/);
  });

  it("is what Prometheus reads; each alert fires when it should, and none when all is well", () => {
    const judge = (...args: string[]): void => {
      const { status, stdout, stderr } = spawnSync(prometheusProgram("promtool"), args);
      assert.equal(status, 0, `needs \`node test/lab/setup.mjs\`: ${stdout}${stderr}`);
    };
    judge("check", "config", `${folder}scrape.yaml`);
    judge("test", "rules", `${folder}../../test/prometheus/alerts.test.yaml`);
  });

  it("has a test of every alert", () => {
    const tests = readFileSync(`${folder}../../test/prometheus/alerts.test.yaml`, "utf8");
    for (const { alert } of alerts) assert.match(tests, new RegExp(`alertname="${alert}"`));
  });

  it("shows all of our metrics, but for those that say what others show too", () => {
    const shown = new Set(
      [...queries, ...alerts.map(({ expr }) => expr)].flatMap((query) =>
        [...selectors(query)].map(([name]) => name),
      ),
    );
    const left = Object.keys(catalogue).filter((name) => !shown.has(name));
    assert.deepEqual(left, [
      "ipipoud_config_last_reload_timestamp_seconds",
      "ipipoud_tunnel_mtu_bytes",
      "ipipoud_peer_up",
      "ipipoud_peer_expiry_timestamp_seconds",
      "ipipoud_peers_without_series",
      "process_open_fds",
    ]);
  });
});
