/** footunnel's heartbeat, as a peer has it. */
import * as z from "zod";
import { Complaint } from "../complaint.ts";
import { choice, integer, path, secretText, text, wantMapping } from "./leaf.ts";
import { readInterval } from "./scalars.ts";

const wantInterval = "want a duration of at least 1s: 10s, 1m";

export const heartbeatShape = {
  port: integer(1, 65535)
    .optional()
    .describe("UDP port of heartbeats, on the side that waits for them. Default 42425."),
  secret: secretText().optional().describe("What a heartbeat says, 1 to 1000 bytes."),
  secretFile: path().optional().describe("File with the secret; one trailing newline is dropped."),
  interval: text(new Complaint("not a duration", wantInterval), readInterval)
    .optional()
    .describe("To a peer with an endpoint we send one this often. Default 10s."),
  protocol: choice(["footunnel"]).optional().describe("Whose heartbeats they are: footunnel's."),
};

export const heartbeat = () =>
  z.strictObject(heartbeatShape, wantMapping("write heartbeat as { secretFile: x.secret }"));
