#pragma once

#include <cstdint>
#include <vector>

namespace ipipoud {

/**
 * Messages to nfnetlink_queue, appended to a datagram. Layouts: linux/netfilter/nfnetlink_queue.h.
 * A message without an acknowledgement asked for (sequence 0) is answered only if it fails.
 */
void AppendBind(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence);
/** At most `max_length` packets held; no fail-open, and offloaded packets cut up as on the wire. */
void AppendLimits(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence, uint32_t max_length);
/** From here on packets come, `range` bytes of each. */
void AppendCopy(std::vector<uint8_t>& to, uint16_t queue, uint32_t sequence, uint32_t range);
void AppendVerdict(std::vector<uint8_t>& to, uint16_t queue, uint32_t id, uint32_t verdict);

}  // namespace ipipoud
