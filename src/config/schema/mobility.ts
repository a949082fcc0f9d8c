/** Keys of a tunnel about what goes through it, and how the host behaves for that. */
import * as z from "zod";
import { Complaint } from "../complaint.ts";
import { flag, integer, list, text, wantMapping, written } from "./leaf.ts";
import {
  readDestination,
  readInterfaceName,
  readMaskedMark,
  readPorts,
  readPrefix,
  readProtocol,
  readTable,
  readUnicast,
} from "./scalars.ts";

const address = () =>
  text(new Complaint("no IP address", "write one such as 10.0.0.1"), readUnicast);
const network = () => text(new Complaint("not a network", "write 10.0.0.0/24"), readPrefix);
const device = () =>
  text(new Complaint("not a name for an interface", "want a text"), readInterfaceName);
const table = () =>
  written(new Complaint("not a routing table", "write main, or a number"), readTable);
const mark = () => written(new Complaint("not a mark", "write 1 or 0x1/0xff"), readMaskedMark);
const ports = () => written(new Complaint("not a port", "write 25, or 1000-2000"), readPorts);

export const routeShape = {
  to: text(
    new Complaint("not a network", "write 10.0.0.0/24, or default"),
    readDestination,
  ).describe("A network, or `default`."),
  via: address()
    .optional()
    .describe(
      "Next hop. In a tunnel with several peers an inner address of the one that it goes to.",
    ),
  device: device()
    .optional()
    .describe("Default: the tunnel's own. The way to the peer itself may need a route outside."),
  table: table().optional().describe("Routing table, `main` (default) or a number."),
  // The last ones are those of the routes that hold what must not leave in clear.
  metric: integer(0, 0xffff_fe00).optional().describe("The smallest wins. Default 0."),
  source: address().optional().describe("Address of ours that packets get that have none yet."),
};

export const ruleShape = {
  from: network().optional().describe("Where the packets come from."),
  to: network().optional().describe("Where the packets go to."),
  fwmark: mark().optional().describe("Mark, with a mask or without: `1`, `0x1/0xff`."),
  table: table().describe("The table that is asked for these packets: `main`, or a number."),
  priority: integer(1, 32_765)
    .optional()
    .describe("The smallest is asked first. Default 30000, before the main table's 32766."),
};

export const markShape = {
  protocol: written(
    new Complaint("not a protocol", "write tcp, udp, icmp or a number"),
    readProtocol,
  )
    .optional()
    .describe("`tcp`, `udp`, `icmp` and the like, or the protocol's number."),
  source: network().optional().describe("Where the packets come from."),
  destination: network().optional().describe("Where the packets go to."),
  sourcePort: ports().optional().describe("A port, or several: `1000-2000`."),
  destinationPort: ports().optional().describe("A port, or several: `1000-2000`."),
  inputDevice: device()
    .optional()
    .describe(
      "Only what comes in here. Default: from everywhere but the tunnel, and our own packets.",
    ),
  mark: mark().describe("What they get: `1`, or `0x1/0xff` for some of the mark's bits."),
};

export const proxyShape = {
  address: address().describe("Whoever asks for it gets our link-layer address."),
  device: device().describe("Where the question is heard."),
};

const listOf = <S extends z.ZodRawShape>(shape: S, example: string) =>
  list(
    z.strictObject(shape, wantMapping(`write ${example}`)),
    new Complaint("not a list", `write a list: [${example}]`),
  );

export const mobilityShape = {
  routes: listOf(routeShape, "{ to: default, table: 100 }")
    .optional()
    .describe("Routes beside those of allowedIPs; one of the same network takes the place of its."),
  rules: listOf(ruleShape, "{ from: 192.0.2.7/32, table: 100 }")
    .optional()
    .describe("Which packets ask another routing table."),
  marks: listOf(markShape, "{ protocol: tcp, destinationPort: 25, mark: 1 }")
    .optional()
    .describe(
      "Marks of forwarded and of our own packets, for `fwmark` in rules; the last one counts.",
    ),
  proxyArp: listOf(proxyShape, "{ address: 192.0.2.7, device: eth0 }")
    .optional()
    .describe("Addresses behind the tunnel for which this host answers ARP."),
  forwarding: flag()
    .optional()
    .describe("IP forwarding of the whole host; put back at the stop unless changed since."),
  clampMss: flag()
    .optional()
    .describe("TCP that is forwarded through the tunnel is told how large its segments may be."),
};
