/**
 * Runs packets through our ruleset as the kernel would: for questions that take a million packets. Buckets
 * are never empty. The kernel tests show that the kernel agrees.
 */
import { udpPacket } from "../../src/apply/explain/packet.ts";
import { type Fate, type MachinePacket, RulesMachine } from "../../src/apply/nftables/machine.ts";
import type { NftObject } from "../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../src/net/address.ts";

export type { Fate };

export class GateMachine {
  readonly #machine: RulesMachine;

  constructor(objects: readonly NftObject[]) {
    this.#machine = new RulesMachine(objects);
  }

  run(packet: MachinePacket): Fate {
    const { fate } = this.#machine.run("in", packet);
    if (fate === undefined) throw new TypeError("a rule that is not ours");
    return fate;
  }
}

interface End {
  readonly address: string;
  readonly port: number;
}

/** UDP over IPv4; `payload` in hexadecimal. */
export function machinePacket(from: End, to: End, payload: string): MachinePacket {
  const end = ({ address, port }: End) => ({ address: ipAddress(address), port });
  return udpPacket(end(from), end(to), payload, "eth0");
}
