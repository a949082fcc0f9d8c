#include "queue_channel.h"

#include <linux/netfilter.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "errors.h"
#include "netlink_fd.h"
#include "queue_message.h"

namespace ipipoud {
namespace {

// Headers and the attributes beside the payload: interfaces, mark, hardware address, time, VLAN, layer 2.
constexpr size_t kAttributeRoom = 1024;

// The kernel answers within its own sendmsg(); this is for one that doesn't.
constexpr int kAnswerTimeoutMs = 2000;

// 32 bytes each: far below the smallest default send buffer.
constexpr size_t kVerdictsPerSend = 512;

bool IsShortage(int number) { return number == EAGAIN || number == ENOBUFS || number == ENOMEM; }

NetlinkFdOptions SocketOptions(const QueueChannelOptions& options) {
  NetlinkFdOptions socket{};
  socket.protocol = NETLINK_NETFILTER;
  socket.receive_buffer = options.receive_buffer;
  // Otherwise a flood raises POLLERR over and over; what does not fit is dropped and counted either way.
  socket.no_enobufs = true;
  return socket;
}

}  // namespace

QueueChannel::QueueChannel(const QueueChannelOptions& options, QueueSink& sink)
    : number_(options.number),
      // Verdicts that wait can't be more than the packets that wait, but for those given up meanwhile.
      max_held_(size_t{options.max_length} + kDatagramsPerReceive),
      slot_size_((options.copy_range + kAttributeRoom + 63) & ~size_t{63}),
      fd_(OpenNetlink(SocketOptions(options))),
      slots_(new uint8_t[slot_size_ * kDatagramsPerReceive]) {
  for (unsigned i = 0; i < kDatagramsPerReceive; i++) {
    parts_[i] = {slots_.get() + i * slot_size_, slot_size_};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &senders_[i];
  }
  Configure(options, sink);
}

void QueueChannel::Configure(const QueueChannelOptions& options, QueueSink& sink) {
  std::vector<uint8_t> message;
  AppendBind(message, number_, ++sequence_);
  Request(std::move(message), "bind", sink);
  message.clear();
  AppendLimits(message, number_, ++sequence_, options.max_length);
  Request(std::move(message), "limit", sink);
  message.clear();
  AppendCopy(message, number_, ++sequence_, options.copy_range);
  Request(std::move(message), "copy from", sink);
}

/** Waits for the acknowledgement of `sequence_`. */
void QueueChannel::Request(std::vector<uint8_t> message, const char* what, QueueSink& sink) {
  const std::string syscall = std::string(what) + " queue " + std::to_string(number_);
  int error = SendToKernel(fd_, message.data(), message.size());
  if (error != 0) throw SystemFailure{error, syscall};
  for (;;) {
    pollfd waiting{fd_.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, kAnswerTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw SystemFailure{ready < 0 ? errno : ETIMEDOUT, syscall};
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t size = recvfrom(fd_.get(), slots_.get(), slot_size_, 0,
                                  reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0) {
      if (errno == EINTR || IsShortage(errno)) continue;
      throw SystemFailure{errno, syscall};
    }
    if (sender.nl_pid != 0) continue;
    if (IsAcknowledgement(slots_.get(), static_cast<size_t>(size), sequence_, &error)) {
      if (error != 0) throw SystemFailure{error, syscall};
      return;
    }
    ParseQueueDatagram(slots_.get(), static_cast<size_t>(size), sink);
  }
}

unsigned QueueChannel::Receive(QueueSink& sink) {
  for (auto& message : messages_) message.msg_hdr.msg_namelen = sizeof(sockaddr_nl);
  int count;
  do {
    count = recvmmsg(fd_.get(), messages_, kDatagramsPerReceive, 0, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno == EAGAIN) return 0;
    throw SystemFailure{errno, "recv queue " + std::to_string(number_)};
  }
  for (int i = 0; i < count; i++) {
    if (senders_[i].nl_pid != 0) continue;  // another process pretends to be the kernel
    // A cut datagram says so itself: its length is more than what came.
    ParseQueueDatagram(slots_.get() + static_cast<size_t>(i) * slot_size_, messages_[i].msg_len,
                       sink);
  }
  return static_cast<unsigned>(count);
}

void QueueChannel::Verdict(const uint32_t* ids, const uint8_t* verdicts, size_t count) {
  for (size_t i = 0; i < count; i++) held_.push_back({ids[i], verdicts[i]});
  Flush();
}

void QueueChannel::Drop(const std::vector<uint32_t>& ids) {
  if (ids.empty()) return;
  for (const uint32_t id : ids) held_.push_back({id, NF_DROP});
  Flush();
}

void QueueChannel::Flush() {
  size_t sent = 0;
  int error = 0;
  while (sent < held_.size() && error == 0) {
    const size_t end = std::min(held_.size(), sent + kVerdictsPerSend);
    outgoing_.clear();
    for (size_t i = sent; i < end; i++) {
      AppendVerdict(outgoing_, number_, held_[i].id, held_[i].verdict);
    }
    error = SendToKernel(fd_, outgoing_.data(), outgoing_.size());
    if (error == 0) sent = end;
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (error == 0) return;
  if (!IsShortage(error)) {
    held_.clear();
    throw SystemFailure{error, "verdict queue " + std::to_string(number_)};
  }
  TrimHeld();
}

/** Memory stays bounded even if somebody passes verdicts for packets that never were. */
void QueueChannel::TrimHeld() {
  if (held_.size() <= max_held_) return;
  held_.erase(held_.begin(),
              held_.begin() + static_cast<std::ptrdiff_t>(held_.size() - max_held_));
}

}  // namespace ipipoud
