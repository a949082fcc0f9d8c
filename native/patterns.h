#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ipipoud {

/** Passes when min ≤ the big-endian number at offset ≤ max. `width`: 1 to 6 bytes. */
struct FieldTest {
  uint32_t offset;
  uint32_t width;
  uint64_t min;
  uint64_t max;
};

/** One kind of UDP payload that is worth a look. */
struct Pattern {
  uint16_t port;
  uint32_t min_length;
  uint32_t max_length;
  std::vector<FieldTest> tests;
};

/** A packet's UDP part; points into the packet. */
struct UdpView {
  uint16_t port;  // destination
  const uint8_t* payload;
  size_t payload_size;
  size_t packet_size;  // as the IP header says: what follows it is no part of the packet
};

/**
 * Finds the UDP payload of a whole, unfragmented IPv4 packet, or of an IPv6 one without extension
 * headers (none of our peers sends any). False where lengths disagree or bytes are missing.
 */
bool FindUdp(const uint8_t* packet, size_t size, UdpView* udp);

/** The prefilter: what is worth JavaScript's time. Its cost doesn't grow with patterns for other ports. */
class PatternTable {
 public:
  PatternTable() = default;
  explicit PatternTable(std::vector<Pattern> patterns);

  bool Matches(const UdpView& udp) const;

 private:
  std::vector<Pattern> by_port_;
};

}  // namespace ipipoud
