import * as z from "zod";
import { Complaint } from "../complaint.ts";
import { heartbeat } from "./heartbeat.ts";
import {
  called,
  choice,
  flag,
  integer,
  list,
  numberOrText,
  path,
  secretText,
  text,
  wantMapping,
} from "./leaf.ts";
import { readDuration, readEndpoint, readInterval, readPrefix, readUnicast } from "./scalars.ts";

const wantDuration = "want a duration: 500ms, 27s, 5m, 1h";

/** A duration where 0 has a meaning of its own. */
const durationOrZero = () =>
  called(
    "duration or 0",
    numberOrText(
      z.literal(0),
      new Complaint("not a duration", `${wantDuration} or 0`),
      readDuration,
    ),
  );

const duration = () =>
  called(
    "duration",
    text(new Complaint("not a duration", wantDuration), (written) => {
      const value = readDuration(written);
      return value === 0 ? new Complaint("a duration of 0", "want more than 0") : value;
    }),
  );

export const protocol = () =>
  z
    .literal(1, {
      error: ({ input }) =>
        input === 2 || input === "auto"
          ? new Complaint(
              `protocol ${input} is not supported yet by this version`,
              "write 1",
            ).encode()
          : new Complaint("not a protocol", "want 1").encode(),
    })
    .optional()
    .describe("Wire protocol of authentication: 1, as ipipou 0.1 speaks it. Default 1.");

export const peerShape = {
  endpoint: text(new Complaint("not HOST:PORT", "write hub.example.net:10000"), readEndpoint)
    .optional()
    .describe(
      "HOST:PORT. A peer that has one is dialled; with pinAddress or pinPort it is where the peer must come from. With `encapsulation: none` HOST alone.",
    ),
  publicKey: z
    .string({
      error: () => new Complaint("not a key", "want 32 bytes in base64, in quotes").encode(),
    })
    .optional()
    .describe(
      "The peer's ed25519 public key, 32 bytes in base64: how a peer that we wait for proves itself, and what the answers of one that we dial must be signed with.",
    ),
  token: secretText()
    .optional()
    .describe("A text of 1 to 1000 bytes that is the whole proof, sent as it is."),
  tokenFile: path().optional().describe("File with the token; one trailing newline is dropped."),
  tokenBase64: secretText().optional().describe("A token of any bytes, in base64."),
  tokenBase64File: path().optional().describe("File with the token in base64."),
  auth: choice(["none"])
    .optional()
    .describe(
      "`none`: no proof. Without pinAddress it is legal for a tunnel's single peer only. Left out: there is a publicKey or token.",
    ),
  pinAddress: flag()
    .optional()
    .describe("The peer must come from its endpoint's address. Default false."),
  pinPort: flag()
    .optional()
    .describe("The peer must come from its endpoint's port. Default false."),
  secret: secretText()
    .optional()
    .describe("Shared secret, mixed into signatures and never sent. Left out: no bytes."),
  secretFile: path().optional().describe("File with the secret; one trailing newline is dropped."),
  privateKey: secretText()
    .optional()
    .describe("Our ed25519 seed towards this peer, 32 bytes in base64. Default: the tunnel's."),
  privateKeyFile: path().optional().describe("File with the private key."),
  protocol: protocol(),
  allowedIPs: list(
    text(new Complaint("not a network", "write 172.28.0.0/24"), readPrefix),
    new Complaint("not a list", "write a list: [172.28.0.2/32]"),
    new Complaint("an empty list", "list a network, or leave it out"),
  )
    .optional()
    .describe(
      "Inner sources accepted from this peer, and routes to it. May be left out for a tunnel's single peer: then any source is accepted and no route added.",
    ),
  keepalive: durationOrZero()
    .optional()
    .describe(
      "We authenticate again this often; 0: never. Default 25s for a peer that we dial with authentication.",
    ),
  authLifetime: durationOrZero()
    .optional()
    .describe("How long one proof lasts; 0, the default: until the peer roams."),
  maxClockSkew: duration()
    .optional()
    .describe("Protocol 1: how far ahead of our clock a proof's time may be. Default 5m."),
  replay: choice(["strict", "window", "off"])
    .optional()
    .describe(
      "Protocol 1: `strict` (default) takes only newer proofs, `window` allows reordering inside maxClockSkew, `off` takes any.",
    ),
  authTtl: integer(1, 255).optional().describe("IP TTL of authentication packets. Default 64."),
  resolveInterval: durationOrZero()
    .optional()
    .describe("The endpoint's name is resolved again this often; 0: on failure only. Default 5m."),
  monitor: z
    .strictObject(
      {
        ping: text(new Complaint("no IP address", "write 172.28.0.1"), readUnicast).describe(
          "The peer's inner address, to which it answers an ICMP echo.",
        ),
        interval: text(new Complaint("not a duration", wantDuration), readInterval)
          .optional()
          .describe("How often it is asked; at least 1s. Default 10s."),
        failures: integer(1, 1000)
          .optional()
          .describe("So many in a row without an answer are a failure. Default 3."),
      },
      wantMapping("write { ping: 172.28.0.1 }"),
    )
    .optional()
    .describe(
      "An inner ping for a dialled peer that never replies; on failure its name is resolved and we authenticate again.",
    ),
  replyOnAuth: flag()
    .optional()
    .describe(
      "Answer each authentication that is taken: signed where there are our privateKey and its publicKey, else with its own bytes in reverse. Default false.",
    ),
  heartbeat: heartbeat()
    .optional()
    .describe(
      "footunnel's heartbeat on a second UDP port: the proof of a peer without an endpoint; to one with an endpoint we send them.",
    ),
};

export const peerSchema = z.strictObject(
  peerShape,
  wantMapping("a peer is a mapping: { publicKey: …, allowedIPs: […] }"),
);

/** One peer of one file after reading: texts are values, except what may also stand in a file. */
export type PeerPart = z.output<typeof peerSchema>;
