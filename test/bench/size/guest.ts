/** Runs in the guest, under icount: starts with few and with many, and the same by hand. Results as JSON. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Counted, counting } from "../../e2e/support/counted.ts";
import { mainFile } from "../../e2e/support/daemon.ts";
import type { Host } from "../../e2e/support/host.ts";
import { Injector } from "../../e2e/support/inject.ts";
import { udp } from "../../e2e/support/packets.ts";
import { Ends, testedAddress } from "../ends.ts";
import { type Cost, Meter } from "./cost.ts";
import { type SizeScenario, sizeScenarios } from "./scenarios.ts";

export interface SizeFigure {
  readonly scenario: SizeScenario["name"];
  readonly many: number;
  /** From start to ready, millions of instructions. */
  readonly few: Cost;
  readonly all: Cost;
  /** The same made by hand. */
  readonly ip: Cost;
  readonly nft: Cost;
  /** Resident memory, MB, some time after `ready`. */
  readonly resident: number;
  /** Netlink messages of one peer's roam, in the small one and beside all. */
  readonly roamBesideFew: number;
  readonly roamBesideAll: number;
  /** Objects that the daemon made, and that were made by hand. */
  readonly made: Objects;
  readonly madeByHand: Objects;
}

interface Objects {
  readonly links: number;
  readonly routes: number;
  readonly nexthops: number;
}

/** Seconds after which memory counts as settled; the guest skips them. */
const settling = 60;

interface Started {
  readonly cost: Cost;
  readonly resident: number;
  readonly roam: number;
  readonly objects: Objects;
  /** What `nft` lists. */
  readonly table: string;
}

async function started(
  scenario: SizeScenario,
  count: number,
  ends: Ends,
  meter: Meter,
): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), "ipipoud-size-"));
  const file = join(folder, "ipipoud.json");
  const own = { control: join(folder, "control.sock"), stateDirectory: join(folder, "state") };
  await writeFile(file, JSON.stringify({ ...own, ...scenario.configuration(count) }));
  const args = [mainFile, "--config", file];
  const { cost, program } = await meter.until(
    /\bready$/,
    ends.tested,
    process.execPath,
    args,
    counting,
  );
  await sleep(settling * 1000);
  const status = await readFile(`/proc/${program.pid}/status`, "utf8");
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  const table = await ends.tested.run("nft", "list", "table", "ip", "ipipou");
  const objects = await objectsIn(ends.tested);
  const counted = new Counted(program);
  const injector = await Injector.start(ends.peer);
  const prove = async (sourcePort: number, event: RegExp): Promise<void> => {
    const from = program.lines.length;
    const payload = Buffer.from(scenario.token(0));
    const addresses = { source: "203.0.113.2", destination: testedAddress };
    await injector.send(udp({ ...addresses, sourcePort, destinationPort: 10_000, payload }));
    await program.line(event, { from });
    await sleep(1000);
  };
  await prove(40_001, /\bauthenticated\b/);
  const before = await counted.messages();
  await prove(40_002, /\broamed\b/);
  const roam = (await counted.messages()) - before;
  await injector.stop();
  await program.stop("SIGKILL");
  await rm(folder, { recursive: true });
  return { cost, resident, roam, objects, table };
}

async function objectsIn(host: Host): Promise<Objects> {
  const lines = async (...what: string[]): Promise<number> =>
    (await host.run("ip", "-o", ...what)).split("\n").length - 1;
  return {
    links: await lines("link", "show"),
    routes: await lines("route", "show"),
    nexthops: await lines("nexthop", "show"),
  };
}

async function byHand(scenario: SizeScenario, table: string, ends: Ends, meter: Meter) {
  const folder = await mkdtemp(join(tmpdir(), "by-hand-"));
  const [batch, ruleset] = [join(folder, "batch"), join(folder, "ruleset")];
  await writeFile(batch, `${scenario.byHand(scenario.many).join("\n")}\n`);
  await writeFile(ruleset, table);
  const ip = await meter.run(ends.tested, "ip", "-batch", batch);
  const nft = await meter.run(ends.tested, "nft", "-f", ruleset);
  const objects = await objectsIn(ends.tested);
  await rm(folder, { recursive: true });
  return { ip, nft, objects };
}

const [file = "", ...wanted] = process.argv.slice(2);
const meter = await Meter.create();
const figures: SizeFigure[] = [];
let number = 0;
for (const scenario of sizeScenarios) {
  if (wanted.length > 0 && !wanted.includes(scenario.name)) continue;
  const { name, many } = scenario;
  // What is made stays: the kernel takes minutes to undo 100,000 nexthops with their routes.
  const few = await started(scenario, scenario.few, await Ends.create(++number), meter);
  process.stderr.write(`bench: ${name}: ${scenario.few}: ${Math.round(few.cost)}\n`);
  const all = await started(scenario, many, await Ends.create(++number), meter);
  process.stderr.write(`bench: ${name}: ${many}: ${Math.round(all.cost)}\n`);
  const hand = await byHand(scenario, all.table, await Ends.create(++number), meter);
  figures.push({
    scenario: name,
    many,
    few: few.cost,
    all: all.cost,
    ip: hand.ip,
    nft: hand.nft,
    resident: all.resident,
    roamBesideFew: few.roam,
    roamBesideAll: all.roam,
    made: all.objects,
    madeByHand: hand.objects,
  });
  await writeFile(file, JSON.stringify(figures));
}
