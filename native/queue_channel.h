#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "fd.h"
#include "queue_parse.h"

namespace ipipoud {

struct QueueChannelOptions {
  uint16_t number;
  uint32_t max_length;
  uint32_t copy_range;
  int receive_buffer;
};

/**
 * The kernel's end of one NFQUEUE: configures it, receives packets, sends verdicts. All memory is
 * allocated at the start, but for verdicts that the kernel would not take at once.
 */
class QueueChannel {
 public:
  static constexpr unsigned kDatagramsPerReceive = 64;
  /** The most that one attribute holds (nfqnl_set_mode in the kernel's nfnetlink_queue.c). */
  static constexpr uint32_t kMaxCopyRange = 0xffff - NLA_HDRLEN;

  /**
   * Binds the queue; EPERM if another socket has it. A packet that comes before this returns goes to
   * the sink. Throws SystemFailure.
   */
  QueueChannel(const QueueChannelOptions& options, QueueSink& sink);

  const Fd& fd() const { return fd_; }

  /**
   * One recvmmsg. Gives how many datagrams there were, 0 for none now. Throws SystemFailure; ENOBUFS
   * says that packets were lost and is no reason to give up.
   */
  unsigned Receive(QueueSink& sink);

  /**
   * One send for all. What the kernel has no memory for is held, in order, for the next Flush().
   * Throws SystemFailure.
   */
  void Verdict(const uint32_t* ids, const uint8_t* verdicts, size_t count);
  /** The same with NF_DROP for each. */
  void Drop(const std::vector<uint32_t>& ids);
  void Flush();
  bool holding() const { return !held_.empty(); }

  void Close() { fd_.Close(); }

 private:
  struct Held {
    uint32_t id;
    uint32_t verdict;
  };

  void Configure(const QueueChannelOptions& options, QueueSink& sink);
  void Request(std::vector<uint8_t> message, const char* what, QueueSink& sink);
  void TrimHeld();

  const uint16_t number_;
  const size_t max_held_;
  const size_t slot_size_;
  Fd fd_;
  uint32_t sequence_ = 0;
  std::unique_ptr<uint8_t[]> slots_;
  iovec parts_[kDatagramsPerReceive];
  sockaddr_nl senders_[kDatagramsPerReceive];
  mmsghdr messages_[kDatagramsPerReceive];
  std::vector<Held> held_;
  std::vector<uint8_t> outgoing_;
};

}  // namespace ipipoud
