/**
 * Registers. The kernel has sixteen slots of 4 bytes; the four old registers of 16 bytes are names for
 * every fourth slot, and a dump uses those names wherever they fit, whatever was sent
 * (nft_dump_register(), net/netfilter/nf_tables_api.c). Expressions here count slots, 0 to 15, so that a
 * dumped rule compares equal to the one that was sent.
 */
import { type AttributeType, MalformedMessage, u32be } from "../../netlink/attributes.ts";
import { NFT_REG_1, NFT_REG_4, NFT_REG_VERDICT, NFT_REG32_00, NFT_REG32_15 } from "./constants.ts";

const SLOT_BYTES = 4;
const SLOTS_PER_REGISTER = 4;

/** Bytes that a value takes in registers, and a field in a key of several. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / SLOT_BYTES) * SLOT_BYTES;
}

/** 0 to 15, or where a map's verdict goes. */
export type Slot = number | "verdict";

function toRegister(slot: Slot): number {
  if (slot === "verdict") return NFT_REG_VERDICT;
  return slot % SLOTS_PER_REGISTER === 0
    ? NFT_REG_1 + slot / SLOTS_PER_REGISTER
    : NFT_REG32_00 + slot;
}

function toSlot(number: number): Slot {
  if (number === NFT_REG_VERDICT) return "verdict";
  if (number >= NFT_REG_1 && number <= NFT_REG_4) return (number - NFT_REG_1) * SLOTS_PER_REGISTER;
  if (number >= NFT_REG32_00 && number <= NFT_REG32_15) return number - NFT_REG32_00;
  throw new MalformedMessage(`there is no register ${number}`);
}

export const register: AttributeType<Slot> = {
  ...u32be,
  write: (slot, into, at) => u32be.write(toRegister(slot), into, at),
  size: () => 4,
  read: (bytes) => toSlot(u32be.read(bytes)),
};

/** A register that holds data. */
export const dataRegister: AttributeType<number> = {
  ...register,
  read: (bytes) => {
    const slot = register.read(bytes);
    if (slot !== "verdict") return slot;
    throw new MalformedMessage("want a data register, got the verdict's");
  },
};
