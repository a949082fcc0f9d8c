/**
 * The demonstration: boots a kernel (or takes the running one, where that has all it takes) and lets
 * demo-guest.ts show a tunnel's life in it.
 *
 *   npm run demo [-- --kernel 6.1|6.12|host]
 */
import { parseArgs } from "node:util";
import { capableHere } from "./here.ts";
import { runInLab, say } from "./lab.ts";

const { values } = parseArgs({ options: { kernel: { type: "string" } } });
const kernel = values.kernel ?? ((await capableHere()) ? "host" : "6.12");
if (kernel !== "host") {
  process.stdout.write(
    "This machine's kernel lacks what the demonstration needs (or you are not root), so it starts a Debian\n" +
      "kernel in a virtual machine (QEMU), which can read this machine's files and change none of them.\n",
  );
}
try {
  process.exitCode = await runInLab({
    kernel,
    command: () => [process.execPath, "--enable-source-maps", "dist/test/lab/demo-guest.js"],
    timeout: 240,
  });
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
