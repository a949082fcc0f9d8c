#include "queue_message.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstring>

namespace ipipoud {
namespace {

/** One message under construction; its length is written when it goes out of scope. */
class Message {
 public:
  Message(std::vector<uint8_t>& to, uint8_t type, uint16_t queue, uint32_t sequence)
      : to_(to), start_(to.size()) {
    nlmsghdr header{};
    header.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | (sequence != 0 ? NLM_F_ACK : 0));
    header.nlmsg_seq = sequence;
    Append(&header, sizeof header);
    const nfgenmsg family{AF_UNSPEC, NFNETLINK_V0, htons(queue)};
    Append(&family, sizeof family);
  }
  ~Message() {
    const auto size = static_cast<uint32_t>(to_.size() - start_);
    std::memcpy(to_.data() + start_, &size, sizeof size);  // nlmsg_len comes first
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  template <typename T>
  void Attribute(uint16_t type, const T& value) {
    const nlattr attribute{sizeof(nlattr) + sizeof value, type};
    Append(&attribute, sizeof attribute);
    Append(&value, sizeof value);
    to_.resize((to_.size() + 3) & ~size_t{3});
  }

 private:
  void Append(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    to_.insert(to_.end(), bytes, bytes + size);
  }

  std::vector<uint8_t>& to_;
  const size_t start_;
};

}  // namespace

void AppendBind(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence) {
  Message message(to, NFQNL_MSG_CONFIG, queue, sequence);
  nfqnl_msg_config_cmd command{};
  command.command = NFQNL_CFG_CMD_BIND;  // the family is ignored since Linux 3.8
  message.Attribute(NFQA_CFG_CMD, command);
}

void AppendLimits(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence,
                  uint32_t max_length) {
  Message message(to, NFQNL_MSG_CONFIG, queue, sequence);
  message.Attribute(NFQA_CFG_QUEUE_MAXLEN, htonl(max_length));
  message.Attribute(NFQA_CFG_MASK, htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO));
  message.Attribute(NFQA_CFG_FLAGS, htonl(0));
}

void AppendCopy(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence, uint32_t range) {
  Message message(to, NFQNL_MSG_CONFIG, queue, sequence);
  nfqnl_msg_config_params parameters{};
  parameters.copy_range = htonl(range);
  parameters.copy_mode = NFQNL_COPY_PACKET;
  message.Attribute(NFQA_CFG_PARAMS, parameters);
}

void AppendVerdict(std::vector<uint8_t>& to, uint16_t queue, uint32_t id, uint32_t verdict) {
  Message message(to, NFQNL_MSG_VERDICT, queue, 0);
  message.Attribute(NFQA_VERDICT_HDR, nfqnl_msg_verdict_hdr{htonl(verdict), htonl(id)});
}

}  // namespace ipipoud
