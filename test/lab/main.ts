/** The lab's command line: anything in a guest, or a shell among the hosts of a topology. */
import { parseArgs } from "node:util";
import { runInLab, say } from "./lab.ts";

const usage = `usage: npm run lab -- run   [OPTIONS] -- COMMAND…   a command, as root, in the project's folder
       npm run lab -- shell [OPTIONS]              a shell on the client of client — NAT router — server

  --kernel 6.1|6.12|host   default 6.12; host: the running kernel, where it has ipip, fou and nft_queue
  --icount                 the guest's clock counts instructions, and idle time is skipped
  --memory MiB             default 1536; whatever the guest writes lives in it
  --timeout SECONDS        default 1200`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: "string", default: "6.12" },
      icount: { type: "boolean", default: false },
      memory: { type: "string", default: "1536" },
      timeout: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { kernel, icount } = values;
  const [verb, ...command] = positionals;
  const memory = Number(values.memory);
  if (verb === "run" && command.length > 0 && !values.help) {
    return await runInLab({
      ...{ kernel, icount, memory },
      command: () => command,
      timeout: Number(values.timeout ?? 1200),
    });
  }
  if (verb === "shell" && !values.help) {
    return await runInLab({
      ...{ kernel, icount, memory },
      command: () => [process.execPath, "dist/test/lab/shell.js"],
      interactive: true,
      timeout: Number(values.timeout ?? 24 * 3600),
    });
  }
  process.stderr.write(`${usage}\n`);
  return values.help ? 0 : 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
