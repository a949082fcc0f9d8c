/** Metrics of running daemons, as Prometheus and its tools see them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { projectRoot, prometheusProgram } from "../lab/paths.ts";
import { capture } from "../lab/run.ts";
import { dashboardQueries, filledIn } from "../support/dashboard.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { fetchPage, Prometheus } from "./support/scrape.ts";
import { Topology } from "./support/topology.ts";
import { clientConfig, party, serverConfig, serverInner } from "./support/tunnels.ts";

const dashboard = join(projectRoot, "conf/prometheus/dashboard.json");

describe("metrics", () => {
  const laptop = party(0);
  const here = "127.0.0.1:9787";
  /** An address that is there only once the tunnel is. */
  const inside = `${laptop.inner}:9787`;
  const served = (listen: string | number) => ({
    ...serverConfig([laptop], { peer: { authLifetime: "10m" } }),
    metrics: { listen },
  });
  let topology: Topology;
  let server: Daemon;
  let client: Daemon;
  let prometheus: Prometheus | undefined;

  before(async () => {
    topology = await Topology.create();
    const dialling = { ...clientConfig(laptop), metrics: { listen: inside } };
    [server, client] = await Promise.all([
      Daemon.start(topology.server, served(9787)),
      Daemon.start(topology.client, dialling),
    ]);
    await server.logs(/authenticated/);
  });
  after(async () => {
    await prometheus?.remove();
    await client.remove();
    await server.remove();
    await topology.remove();
  });

  it("are accepted by promtool", async () => {
    const input = await fetchPage(topology.server, `http://${here}/metrics`);
    assert.match(input, /^ipipoud_peer_up\{tunnel="ipipou0",peer="client0"\} 1$/m);
    const judged = await capture(prometheusProgram("promtool"), ["check", "metrics"], { input });
    assert.deepEqual(judged, { code: 0, stdout: "", stderr: "" });
  });

  it("are for this host alone unless another address is written out", async () => {
    const from = fetchPage(topology.client, "http://203.0.113.1:9787/metrics");
    await assert.rejects(from, /refused/);
  });

  it("give each query of the dashboard at least one series in Prometheus, of the one who waits and of the one who dials", async () => {
    prometheus = await Prometheus.start(topology.server, [here, inside]);
    const queries = dashboardQueries(await readFile(dashboard, "utf8")).map((query) =>
      filledIn(query, "ipipoud", "30s"),
    );
    const both = 'count(ipipoud_peer_last_authentication_timestamp_seconds{job="ipipoud"}) == 2';
    assert.deepEqual(await prometheus.unanswered([...queries, both]), {}, prometheus.log);
    prometheus.pause();
  });

  it("move with a reload, stay where nothing new can be had, and end", async () => {
    const page = (port: number): Promise<string> =>
      fetchPage(topology.server, `http://127.0.0.1:${port}/metrics`);
    const reload = async (config: Record<string, unknown>): Promise<void> => {
      await server.configure(config);
      server.process.child.kill("SIGHUP");
    };
    await reload(served(":9788"));
    assert.match(await eventually(() => page(9788)), /^ipipoud_config_last_reload_successful 1$/m);
    await assert.rejects(page(9787), /refused/);

    await reload({ tunnels: { ipipou0: { listn: "x" } } });
    await server.logs(/not reloaded/);
    assert.match(
      await eventually(async () => {
        const text = await page(9788);
        return /^ipipoud_config_last_reload_successful 0$/m.test(text) ? text : undefined;
      }),
      /^ipipoud_tunnel_up\{tunnel="ipipou0"\} 1$/m,
    );

    // Prometheus' own port.
    await reload(served(9090));
    await server.logs(/no metrics at http:\/\/127\.0\.0\.1:9090\/metrics.*something else holds/);
    assert.ok(await topology.client.reaches(serverInner));

    const { metrics: _, ...without } = served(9788);
    await reload(without);
    await eventually(() => server.log.filter((line) => /reloaded/.test(line)).length >= 4);
    await assert.rejects(page(9788), /refused/);
  });
});
