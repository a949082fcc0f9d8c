/**
 * User data as nft writes it (libnftnl src/udata.c): type (1 byte), length (1 byte), value. Of all of it
 * we use the comment, whose type is 0 in tables, chains and rules: a string with its NUL.
 */
import { type AttributeType, bytes } from "../../netlink/attributes.ts";
import { NFTNL_UDATA_TABLE_COMMENT } from "./constants.ts";

const HEADER = 2;

/** A comment; undefined where the user data holds none. Foreign user data never fails. */
export const comment: AttributeType<string | undefined> = {
  nested: false,
  size: (text) => (text === undefined ? 0 : HEADER + Buffer.byteLength(text) + 1),
  write: (text, into, at) => bytes.write(encode(text ?? ""), into, at),
  read: (payload) => {
    for (let at = 0; at + HEADER <= payload.length; ) {
      const length = payload.readUInt8(at + 1);
      const content = payload.subarray(at + HEADER, at + HEADER + length);
      if (payload.readUInt8(at) === NFTNL_UDATA_TABLE_COMMENT) {
        const end = content.indexOf(0);
        return content.toString("utf8", 0, end < 0 ? content.length : end);
      }
      at += HEADER + length;
    }
    return undefined;
  },
};

function encode(text: string): Buffer {
  const content = Buffer.from(`${text}\0`);
  return Buffer.concat([Buffer.from([NFTNL_UDATA_TABLE_COMMENT, content.length]), content]);
}
