/**
 * The program as it is installed, again and again in one process: a node takes a second to start, and what a
 * command needs is read once. A line of standard input is a JSON array of arguments, a line of standard
 * output what came of them.
 */
import { createInterface } from "node:readline";
import { mainFile } from "./daemon.ts";

const { stdout, stderr } = process;
const write = stdout.write.bind(stdout);
stdout.setMaxListeners(0);
stderr.setMaxListeners(0);

/** In place of a stream's: what is written, and the callback that says it is. */
function into(output: { text: string }): typeof stdout.write {
  return ((text: string, done?: () => void) => {
    output.text += text;
    if (done !== undefined) setImmediate(done);
    return true;
  }) as typeof stdout.write;
}

let runs = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [out, err] = [{ text: "" }, { text: "" }];
  stdout.write = into(out);
  stderr.write = into(err);
  process.argv = [process.execPath, mainFile, ...(JSON.parse(line) as string[])];
  const ended = new Promise<number>((resolve) => {
    process.exit = ((code: number) => resolve(code)) as typeof process.exit;
  });
  // Under another name it is another module: its first lines run again.
  await import(`${mainFile}?${++runs}`);
  const code = await ended;
  write(`${JSON.stringify({ code, stdout: out.text, stderr: err.text })}\n`);
}
