#include "queue_burst.h"

#include <cerrno>

namespace ipipoud {

void QueueBurst::Clear() {
  ids_.clear();
  offsets_.resize(1);
  data_.clear();
  rejected_.clear();
  refusal_ = 0;
}

void QueueBurst::OnPacket(uint32_t id, const uint8_t* packet, size_t size) {
  counts_.received++;
  UdpView udp;
  if (!FindUdp(packet, size, &udp) || !patterns_.Matches(udp)) {
    counts_.rejected++;
    rejected_.push_back(id);
    return;
  }
  counts_.delivered++;
  ids_.push_back(id);
  data_.insert(data_.end(), packet, packet + udp.packet_size);
  offsets_.push_back(static_cast<uint32_t>(data_.size()));
}

void QueueBurst::OnRefused(int number) {
  // The kernel gave the packet up before our verdict came: its interface went away.
  if (number != ENOENT) refusal_ = number;
}

}  // namespace ipipoud
