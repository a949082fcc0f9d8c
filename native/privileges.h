#pragma once

#include <cstdint>

namespace ipipoud {

/**
 * Leaves the process, all its threads and whatever it might start no capability but those in the mask, and no
 * way to get another (prctl(2), capabilities(7)). Throws SystemFailure.
 */
void RestrictTo(uint64_t capabilities);

}  // namespace ipipoud
