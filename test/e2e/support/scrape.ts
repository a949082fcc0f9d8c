/** HTTP and Prometheus inside a host of the topology; Python, because node takes seconds to start there. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prometheusProgram } from "../../lab/paths.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const fetchScript = `
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
`;

/** A page as this host gets it. Throws for what is no answer with status 200. */
export async function fetchPage(host: Host, url: string): Promise<string> {
  return await host.run("/usr/bin/python3", "-c", fetchScript, url);
}

/** Asks every query again and again until each has at least one series; prints those that never had. */
const queryScript = `
import json, sys, time, urllib.parse, urllib.request
left = json.loads(sys.argv[1])
end = time.monotonic() + int(sys.argv[2])
said = {}
while left and time.monotonic() < end:
    for query in list(left):
        url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            answer = json.load(urllib.request.urlopen(url, timeout=20))
            if answer["data"]["result"]:
                left.remove(query)
                continue
            said[query] = "no series"
        except Exception as error:
            said[query] = str(error)
    if left:
        time.sleep(0.5)
json.dump({query: said.get(query) for query in left}, sys.stdout)
`;

/** A real Prometheus. */
export class Prometheus {
  readonly #host: Host;
  readonly #folder: string;
  readonly #program: Program;

  private constructor(host: Host, folder: string, program: Program) {
    this.#host = host;
    this.#folder = folder;
    this.#program = program;
  }

  /** Asks these targets every second, as the job `ipipoud`. Does not wait for anything. */
  static async start(host: Host, targets: readonly string[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), "prometheus-"));
    const file = join(folder, "prometheus.yml");
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s" },
      scrape_configs: [{ job_name: "ipipoud", static_configs: [{ targets }] }],
    };
    await writeFile(file, JSON.stringify(config));
    const program = host.start(prometheusProgram("prometheus"), [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:9090",
      "--log.level=warn",
    ]);
    return new Prometheus(host, folder, program);
  }

  /** Queries without a series, each with what was said of it last. */
  async unanswered(queries: readonly string[], seconds = 90): Promise<Record<string, string>> {
    const args = ["-c", queryScript, JSON.stringify(queries), String(seconds)];
    const said = await this.#host.run("/usr/bin/python3", ...args);
    return JSON.parse(said) as Record<string, string>;
  }

  /** Its own complaints. */
  get log(): string {
    return this.#program.lines.join("\n");
  }

  /** It holds its port and leaves the processor to others. */
  pause(): void {
    this.#program.child.kill("SIGSTOP");
  }

  async remove(): Promise<void> {
    await this.#program.stop("SIGKILL");
    await rm(this.#folder, { recursive: true, force: true });
  }
}
