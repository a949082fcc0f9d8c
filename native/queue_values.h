#pragma once

#include <napi.h>

#include "patterns.h"
#include "queue_burst.h"

namespace ipipoud {

/** Reads `readonly PayloadPattern[]`. Throws TypeError or RangeError. */
PatternTable ToPatterns(const Napi::Value& value);

/** A `Burst` with buffers of its own. */
Napi::Object BurstObject(Napi::Env env, const QueueBurst& burst);

/** A `QueueCounters`. */
Napi::Object CountersObject(Napi::Env env, const QueueCounts& counts);

/** A Uint32Array of its own. */
Napi::Uint32Array Uint32ArrayOf(Napi::Env env, const std::vector<uint32_t>& values);

}  // namespace ipipoud
