#include "patterns.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace ipipoud {
namespace {

constexpr size_t kUdpHeader = 8;
constexpr size_t kIpv4Header = 20;
constexpr size_t kIpv6Header = 40;
constexpr uint64_t kMoreFragmentsOrOffset = 0x3fff;

uint64_t BigEndian(const uint8_t* at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++) value = value << 8 | at[i];
  return value;
}

/** Gives where UDP starts; 0 for what is no whole IPv4 packet with UDP in it. RFC 791. */
size_t Ipv4UdpOffset(const uint8_t* packet, size_t size, size_t* packet_size) {
  if (size < kIpv4Header) return 0;
  const size_t header = (packet[0] & 0x0fu) * 4u;
  *packet_size = BigEndian(packet + 2, 2);
  const bool fragment = (BigEndian(packet + 6, 2) & kMoreFragmentsOrOffset) != 0;
  if (header < kIpv4Header || fragment || packet[9] != IPPROTO_UDP) return 0;
  return header;
}

/** The same for IPv6. RFC 8200. */
size_t Ipv6UdpOffset(const uint8_t* packet, size_t size, size_t* packet_size) {
  if (size < kIpv6Header || packet[6] != IPPROTO_UDP) return 0;
  *packet_size = kIpv6Header + BigEndian(packet + 4, 2);
  return kIpv6Header;
}

bool Passes(const FieldTest& test, const UdpView& udp) {
  if (test.offset > udp.payload_size || test.width > udp.payload_size - test.offset) return false;
  const uint64_t value = BigEndian(udp.payload + test.offset, test.width);
  return test.min <= value && value <= test.max;
}

}  // namespace

bool FindUdp(const uint8_t* packet, size_t size, UdpView* udp) {
  if (size == 0) return false;
  size_t packet_size = 0;
  size_t offset = 0;
  if (packet[0] >> 4 == 4) offset = Ipv4UdpOffset(packet, size, &packet_size);
  if (packet[0] >> 4 == 6) offset = Ipv6UdpOffset(packet, size, &packet_size);
  if (offset == 0 || packet_size > size || packet_size < offset + kUdpHeader) return false;
  // No padding between the two lengths, and so nothing hidden behind the payload. RFC 768.
  if (BigEndian(packet + offset + 4, 2) != packet_size - offset) return false;
  udp->port = static_cast<uint16_t>(BigEndian(packet + offset + 2, 2));
  udp->payload = packet + offset + kUdpHeader;
  udp->payload_size = packet_size - offset - kUdpHeader;
  udp->packet_size = packet_size;
  return true;
}

PatternTable::PatternTable(std::vector<Pattern> patterns) : by_port_(std::move(patterns)) {
  std::sort(by_port_.begin(), by_port_.end(),
            [](const Pattern& a, const Pattern& b) { return a.port < b.port; });
}

bool PatternTable::Matches(const UdpView& udp) const {
  auto pattern = std::lower_bound(by_port_.begin(), by_port_.end(), udp.port,
                                  [](const Pattern& p, uint16_t port) { return p.port < port; });
  for (; pattern != by_port_.end() && pattern->port == udp.port; ++pattern) {
    const bool fits =
        pattern->min_length <= udp.payload_size && udp.payload_size <= pattern->max_length;
    if (fits && std::all_of(pattern->tests.begin(), pattern->tests.end(),
                            [&](const FieldTest& test) { return Passes(test, udp); })) {
      return true;
    }
  }
  return false;
}

}  // namespace ipipoud
