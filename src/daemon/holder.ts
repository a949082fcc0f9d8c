/** Who answers on a control socket's path, if anybody does. */
import { connect } from "node:net";
import { Lines } from "./lines.ts";
import { helloCommand, longestRequest } from "./protocol.ts";

/** How long a holder may take to say who it is. */
const patience = 1000;

/** undefined: nobody listens. `pid` is undefined for one that does not answer as an ipipoud. */
export function probeHolder(path: string): Promise<{ pid: number | undefined } | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const lines = new Lines(longestRequest);
    const done = (holder: { pid: number | undefined } | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(holder);
    };
    const timer = setTimeout(() => done({ pid: undefined }), patience);
    socket.on("connect", () => socket.write(`{"command":"${helloCommand}"}\n`));
    socket.on("data", (chunk) => {
      const [line] = lines.push(chunk) ?? [""];
      if (line !== undefined) done({ pid: pidIn(line) });
    });
    socket.on("end", () => done({ pid: undefined }));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const nobody = ["ECONNREFUSED", "ENOENT", "ENOTSOCK"].includes(error.code ?? "");
      done(nobody ? undefined : { pid: undefined });
    });
  });
}

function pidIn(line: string): number | undefined {
  try {
    const pid: unknown = JSON.parse(line)?.result?.pid;
    return typeof pid === "number" ? pid : undefined;
  } catch {
    return undefined;
  }
}
