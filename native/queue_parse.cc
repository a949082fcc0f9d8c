#include "queue_parse.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ipipoud {
namespace {

constexpr uint16_t kPacketMessage = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;

constexpr size_t Aligned(size_t size) { return (size + 3) & ~size_t{3}; }

template <typename T>
T Read(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);  // nothing promises alignment
  return value;
}

/** nlmsgerr: an errno, negative as the kernel has it. */
bool ReadErrno(const uint8_t* body, size_t size, int* number) {
  if (size < sizeof(int32_t)) return false;
  const auto error = Read<int32_t>(body);
  // Only what can be an errno: -INT_MIN is none either.
  *number = error < 0 && error > -4096 ? -error : error == 0 ? 0 : EPROTO;
  return true;
}

/** `whole`: the datagram holds as many bytes as the message's header says. */
void ParsePacket(const uint8_t* body, size_t size, bool whole, QueueSink& sink) {
  bool has_id = false;
  uint32_t id = 0;
  const uint8_t* packet = nullptr;
  size_t packet_size = 0;
  if (size < sizeof(nfgenmsg)) whole = false;
  size_t at = std::min(size, sizeof(nfgenmsg));
  while (size - at >= sizeof(nlattr)) {
    const auto attribute = Read<nlattr>(body + at);
    if (attribute.nla_len < sizeof(nlattr) || attribute.nla_len > size - at) {
      whole = false;
      break;
    }
    const uint8_t* value = body + at + sizeof(nlattr);
    const size_t value_size = attribute.nla_len - sizeof(nlattr);
    switch (attribute.nla_type & NLA_TYPE_MASK) {
      case NFQA_PACKET_HDR:
        if (value_size < sizeof(nfqnl_msg_packet_hdr)) break;
        has_id = true;
        id = ntohl(Read<uint32_t>(value));
        break;
      case NFQA_PAYLOAD:
        packet = value;
        packet_size = value_size;
        break;
      default:
        break;
    }
    at += std::min(Aligned(attribute.nla_len), size - at);
  }
  if (!whole || !has_id) sink.OnMalformed();
  if (has_id) sink.OnPacket(id, whole ? packet : nullptr, whole ? packet_size : 0);
}

}  // namespace

void ParseQueueDatagram(const uint8_t* data, size_t size, QueueSink& sink) {
  while (size > 0) {
    if (size < sizeof(nlmsghdr)) return sink.OnMalformed();
    const auto header = Read<nlmsghdr>(data);
    if (header.nlmsg_len < sizeof(nlmsghdr)) return sink.OnMalformed();
    const bool whole = header.nlmsg_len <= size;
    const size_t message_size = whole ? header.nlmsg_len : size;
    const uint8_t* body = data + sizeof(nlmsghdr);
    const size_t body_size = message_size - sizeof(nlmsghdr);
    if (header.nlmsg_type == kPacketMessage) {
      ParsePacket(body, body_size, whole, sink);
    } else if (header.nlmsg_type == NLMSG_ERROR) {
      int number = 0;
      if (!ReadErrno(body, body_size, &number)) sink.OnMalformed();
      if (number != 0) sink.OnRefused(number);
    } else if (header.nlmsg_type != NLMSG_NOOP && header.nlmsg_type != NLMSG_DONE) {
      sink.OnMalformed();
    }
    // nfqueue sends lengths that are no multiple of four, and no padding after the last message.
    const size_t step = std::min(Aligned(message_size), size);
    data += step;
    size -= step;
  }
}

bool IsAcknowledgement(const uint8_t* data, size_t size, uint32_t sequence, int* number) {
  if (size < sizeof(nlmsghdr)) return false;
  const auto header = Read<nlmsghdr>(data);
  return header.nlmsg_type == NLMSG_ERROR && header.nlmsg_seq == sequence &&
         ReadErrno(data + sizeof(nlmsghdr), size - sizeof(nlmsghdr), number);
}

}  // namespace ipipoud
