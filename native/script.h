#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>

namespace ipipoud {

/** Bytes that somebody else owns. */
struct Bytes {
  const uint8_t* data;
  size_t size;
};

// Reading JavaScript arguments. Each throws a TypeError or RangeError that names `what`.
double ToInteger(const Napi::Value& value, const std::string& what, double min, double max);
Bytes ToBytes(const Napi::Value& value, const std::string& what);
Napi::Object ToObject(const Napi::Value& value, const std::string& what);
Napi::Function ToFunction(const Napi::Value& value, const std::string& what);

/**
 * Calls into JavaScript from the event loop: ticks and microtasks run afterwards, and what the callback
 * throws becomes an uncaught exception. Never throws itself, since an environment that is being torn
 * down can't run anything. The caller holds a handle scope.
 */
void CallFromLoop(napi_env env, napi_value receiver, napi_value function,
                  std::initializer_list<napi_value> arguments);

}  // namespace ipipoud
