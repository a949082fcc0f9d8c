/** Where a command runs: on the running kernel or in a guest. */
import { capableHere, runHere } from "./here.ts";
import { isKernelName, kernel, kernelNames } from "./kernels.ts";
import { boot } from "./machine.ts";
import { projectRoot } from "./paths.ts";

export interface LabCommand {
  /** `6.1`, `6.12` or `host`. */
  readonly kernel: string;
  /** Gets the folder for results as the command sees it: what lands there, `results` can read after. */
  readonly command: (results: string) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds, without the waiting for another machine's end. */
  readonly timeout: number;
  /** MiB. */
  readonly memory?: number;
  readonly icount?: boolean;
  readonly interactive?: boolean;
  /** Gets a guest's console as it comes; default: our stdout. */
  readonly output?: (text: string) => void;
  readonly results?: (folder: string) => Promise<void>;
}

export function say(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}

/** Runs the command in the project's folder and gives its exit code; throws where it could not run. */
export async function runInLab(command: LabCommand): Promise<number> {
  if (command.kernel === "host") {
    if (command.icount) throw new Error("--icount needs a guest: --kernel 6.1 or 6.12");
    if (!(await capableHere())) {
      throw new Error("the running kernel lacks ipip, fou or nft_queue (or we are not root)");
    }
    return await runHere({ ...command, folder: projectRoot });
  }
  if (!isKernelName(command.kernel)) {
    throw new Error(`no kernel ${command.kernel}: ${[...kernelNames, "host"].join(", ")}`);
  }
  const image = await kernel(command.kernel, say);
  return await boot({ ...command, kernel: image, folder: projectRoot, say });
}

/** Fetches what a guest with this kernel needs; two at once would be in each other's way. */
export async function prepare(name: string): Promise<void> {
  if (isKernelName(name)) await kernel(name, say);
}

/** The kernels that tests run on when nobody chose: the running one where it will do, else both of Debian's. */
export async function defaultKernels(): Promise<readonly string[]> {
  return (await capableHere()) ? ["host"] : kernelNames;
}
