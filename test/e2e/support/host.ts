/** A network namespace that plays a host: what runs in it, and how. */
import { execFile } from "node:child_process";
import { Program } from "./program.ts";

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Host {
  /** As it is called in the topology: `client`. */
  readonly name: string;
  /** As `ip netns` calls it. */
  readonly namespace: string;
  /** Its (first) address on the way to the others. */
  readonly address: string;
  /** Its interface on the way to the others. */
  readonly device: string;

  constructor(name: string, namespace: string, address: string, device: string) {
    this.name = name;
    this.namespace = namespace;
    this.address = address;
    this.device = device;
  }

  #inside(program: string, args: readonly string[]): string[] {
    return ["netns", "exec", this.namespace, program, ...args];
  }

  /** Runs a program to its end and gives stdout; an exit code other than 0 is an error with what it said. */
  async run(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(program, ...args);
    if (code === 0) return stdout;
    throw new Error(
      `${this.name}: ${program} ${args.join(" ")}: exit code ${code}\n${stderr || stdout}`,
    );
  }

  /** Runs a program to its end, whatever comes of it. */
  try(program: string, ...args: string[]): Promise<Output> {
    return new Promise((resolve) => {
      const options = { encoding: "utf8", maxBuffer: 1 << 28 } as const;
      execFile("ip", this.#inside(program, args), options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** A shell script, given as text. */
  async sh(script: string): Promise<string> {
    return await this.run("sh", "-ec", script);
  }

  /** Starts a program; `ip netns exec` becomes it, so its pid is the program's. */
  start(program: string, args: readonly string[], environment?: Record<string, string>): Program {
    return new Program("ip", this.#inside(program, args), environment);
  }

  /** Whether one ping comes back, within `seconds`. */
  async reaches(address: string, seconds = 2): Promise<boolean> {
    const { code } = await this.try("ping", "-n", "-c", "1", "-W", String(seconds), address);
    return code === 0;
  }
}
