#pragma once

#include <vector>

#include "patterns.h"
#include "queue_parse.h"

namespace ipipoud {

/** Numbers since the queue was made; see QueueCounters in src/native/addon.ts. */
struct QueueCounts {
  uint64_t received = 0;
  uint64_t rejected = 0;
  uint64_t delivered = 0;
  uint64_t malformed = 0;
};

/**
 * Sorts the packets of a few datagrams into those that match a pattern and those that don't. Its
 * vectors keep their memory from one burst to the next, and are bounded by what is fed in.
 */
class QueueBurst final : public QueueSink {
 public:
  void SetPatterns(PatternTable patterns) { patterns_ = std::move(patterns); }
  void Clear();

  void OnPacket(uint32_t id, const uint8_t* packet, size_t size) override;
  void OnMalformed() override { counts_.malformed++; }
  void OnRefused(int number) override;

  const std::vector<uint32_t>& ids() const { return ids_; }
  const std::vector<uint32_t>& offsets() const { return offsets_; }  // one more than ids
  const std::vector<uint8_t>& data() const { return data_; }
  const std::vector<uint32_t>& rejected() const { return rejected_; }
  int refusal() const { return refusal_; }  // an errno of this burst, or 0
  const QueueCounts& counts() const { return counts_; }

 private:
  PatternTable patterns_;
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> offsets_{0};
  std::vector<uint8_t> data_;
  std::vector<uint32_t> rejected_;
  int refusal_ = 0;
  QueueCounts counts_;
};

}  // namespace ipipoud
