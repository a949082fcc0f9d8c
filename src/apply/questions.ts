/**
 * Sockets for a look: what could change something is refused before it is sent, whoever asks for it. The
 * dry run has no others.
 */
import { RTM_GETLINK } from "../kernel/link.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETGEN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETSET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_GETTABLE,
} from "../kernel/nftables/constants.ts";
import { messageType } from "../kernel/nftables/message.ts";
import type { NetlinkSocket } from "../native/addon.ts";
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE } from "../netlink/constants.ts";
import { walkMessages } from "../netlink/messages.ts";

/** Sends questions alone; throws for everything else. */
export function onlyQuestions(socket: NetlinkSocket, protocol: number): NetlinkSocket {
  return {
    port: socket.port,
    send(data) {
      const refused = demandFrom(data, protocol);
      if (refused !== undefined) throw new Error(`a dry run sends no message of type ${refused}`);
      socket.send(data);
    },
    recv: () => socket.recv(),
    join: (group) => socket.join(group),
    leave: (group) => socket.leave(group),
    start: (onReadable) => socket.start(onReadable),
    stop: () => socket.stop(),
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close: () => socket.close(),
  };
}

/** The type of the first message of a datagram that is no question; undefined: all are. */
export function demandFrom(data: Uint8Array, protocol: number): number | undefined {
  const messages: { readonly type: number; readonly command: number | undefined }[] = [];
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  walkMessages(bytes, ({ type, payload }) => messages.push({ type, command: payload[0] }));
  switch (protocol) {
    case NETLINK_ROUTE:
      // Types come in fours: new, delete, get, set (rtnetlink_rcv_msg).
      return messages.find(({ type }) => type < RTM_GETLINK || type % 4 !== RTM_GETLINK % 4)?.type;
    case NETLINK_GENERIC:
      // Of the two families that we speak, both have their only question there.
      return messages.find(({ command }) => command !== GENERIC_GET)?.type;
    case NETLINK_NETFILTER: {
      if (messages.some(({ type }) => type === NFNL_MSG_BATCH_END)) return NFNL_MSG_BATCH_END;
      // Without its end a batch is taken back whole.
      if (messages[0]?.type === NFNL_MSG_BATCH_BEGIN) return undefined;
      return messages.find(({ type }) => !QUESTIONS.has(type))?.type;
    }
    default:
      return messages[0]?.type;
  }
}

/** CTRL_CMD_GETFAMILY and FOU_CMD_GET. */
const GENERIC_GET = 3;

const QUESTIONS: ReadonlySet<number> = new Set(
  [
    NFT_MSG_GETTABLE,
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETSETELEM,
    NFT_MSG_GETGEN,
  ].map(messageType),
);
