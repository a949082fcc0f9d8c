/**
 * To a local socket, whatever the packet's destination (nft_tproxy.c). That a rule has it turns
 * defragmentation on in the namespace, and nothing else: no connection is tracked because of it.
 */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import { NFTA_TPROXY_FAMILY, NFTA_TPROXY_REG_ADDR, NFTA_TPROXY_REG_PORT } from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Tproxy {
  readonly kind: "tproxy";
  /** NFPROTO_* */
  readonly family: number;
  /** Where the socket's port is. */
  readonly port: number;
}

const TPROXY = table({
  family: attr(NFTA_TPROXY_FAMILY, u32be, "NFTA_TPROXY_FAMILY"),
  address: attr(NFTA_TPROXY_REG_ADDR, dataRegister, "NFTA_TPROXY_REG_ADDR"),
  port: attr(NFTA_TPROXY_REG_PORT, dataRegister, "NFTA_TPROXY_REG_PORT"),
});

export const tproxy: ExpressionCodec<Tproxy> = {
  name: "tproxy",
  encode: ({ family, port }) => TPROXY.encode({ family, port }),
  decode: (data) => {
    const { family, address, port } = TPROXY.decode(data);
    // With an address it is none of ours.
    if (address !== undefined || port === undefined) return undefined;
    return { kind: "tproxy", family: required(family, "NFTA_TPROXY_FAMILY"), port };
  },
};
