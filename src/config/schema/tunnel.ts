import * as z from "zod";
import { Complaint } from "../complaint.ts";
import type { InnerAddress } from "../model.ts";
import { directory } from "./directory.ts";
import {
  choice,
  flag,
  integer,
  list,
  numberOrText,
  path,
  secretText,
  text,
  wantMapping,
  written,
} from "./leaf.ts";
import { mobilityShape } from "./mobility.ts";
import { peerSchema, peerShape, protocol } from "./peer.ts";
import { mappingReader, readBy, recordReader, refused } from "./quick.ts";
import {
  readInnerAddress,
  readInterfaceName,
  readListen,
  readMark,
  readPointToPoint,
  readTos,
  wantTos,
} from "./scalars.ts";

const wantAddress = new Complaint(
  "not an address",
  "write 172.28.0.1/24, or { local: A, peer: B }",
);

const innerAddress = () =>
  z
    .union(
      [
        z.string(),
        z.strictObject({
          local: z.string().describe("Our end's address."),
          peer: z.string().describe("The other end's."),
        }),
      ],
      {
        error: () => wantAddress.encode(),
      },
    )
    .transform((value, context): InnerAddress => {
      const result =
        typeof value === "string"
          ? readInnerAddress(value)
          : readPointToPoint(value.local, value.peer);
      if (!(result instanceof Complaint)) return result;
      context.addIssue({ code: "custom", message: result.encode() });
      return z.NEVER;
    });

/** Names of tunnels and peers stand in `ipipoud forget TUNNEL/PEER`, in logs and in what the kernel keeps. */
const name = /^[^/\p{Cc}]{1,128}$/u;

export const nameSchema = readBy(
  z.string().regex(name, {
    error: () =>
      new Complaint("not a name", "1 to 128 characters, no / and no control character").encode(),
  }),
  (value) => (typeof value === "string" && name.test(value) ? value : refused),
);

/** Linux: `ETH_MIN_MTU` for the least; the most is what fits a UDP datagram with an inner header. */
const mtu = () => integer(68, 65507);

export const tunnelShape = {
  interface: text(new Complaint("not a name for an interface", "want a text"), readInterfaceName)
    .optional()
    .describe("Name of the interface, 1 to 15 characters. Default: the tunnel's name."),
  mtu: mtu()
    .optional()
    .describe("MTU of the interface. Default: what the way out leaves of its own."),
  address: innerAddress()
    .optional()
    .describe("Inner address of this side: A/LEN, or { local: A, peer: B } for point-to-point."),
  addresses: list(
    innerAddress(),
    new Complaint("not a list", "write a list: [172.28.0.1/24], or `address` for one"),
  )
    .optional()
    .describe("Several inner addresses of this side, each as in `address`."),
  encapsulation: choice(["fou", "none"])
    .optional()
    .describe(
      "`fou` (default): IPIP in UDP. `none`: plain IPIP, with one peer whose endpoint is an address or name alone.",
    ),
  checksum: flag()
    .optional()
    .describe("Outer UDP checksums. Default: the kernel's, which is false."),
  ttl: integer(0, 255).optional().describe("Outer TTL; 0, the default: the inner packet's."),
  tos: written(new Complaint("not a TOS", wantTos), readTos)
    .optional()
    .describe("Outer TOS: 0x10 for example, or `inherit` for the inner packet's. Default 0."),
  pathMtuDiscovery: flag()
    .optional()
    .describe(
      "Outer packets may not be fragmented on the way where the inner one may not. Default true.",
    ),
  listen: text(
    new Complaint("not a place to listen", 'write "[ADDRESS][:PORT][@DEVICE]" in quotes'),
    readListen,
  )
    .optional()
    .describe(
      "[ADDRESS][:PORT][@DEVICE]: outer address, port and device. Default port 10000, 7777 for one with a directory, or a free one for a tunnel that only dials; neither address nor device: the device of the default route. Ports below 1024 want CAP_NET_BIND_SERVICE.",
    ),
  fwmark: numberOrText(
    integer(0, 0xffffffff),
    new Complaint("not a mark", "write 1 or 0x1, at most 0xffffffff"),
    readMark,
  )
    .optional()
    .describe("Mark of outer packets. Default: chosen where a dialled peer has 0.0.0.0/0."),
  privateKey: secretText()
    .optional()
    .describe(
      "Our ed25519 seed, 32 bytes in base64; needed where we dial. A peer may have its own.",
    ),
  privateKeyFile: path().optional().describe("File with the private key."),
  protocol: protocol(),
  peers: readBy(
    z.record(nameSchema, peerSchema, wantMapping("write peers as NAME: { … }")),
    recordReader(nameSchema, mappingReader(peerShape)),
  )
    .optional()
    .describe("The peers by name; at least one, where there is no directory."),
  ...mobilityShape,
  directory: directory()
    .optional()
    .describe(
      "Peers from a hosts file, a URL or a store, in udptun's format; they come and go while it runs.",
    ),
};

export const tunnelSchema = z.strictObject(
  tunnelShape,
  wantMapping("a tunnel is a mapping: { address: …, peers: { … } }"),
);

/** One tunnel of one file after reading. */
export type TunnelPart = z.output<typeof tunnelSchema>;
