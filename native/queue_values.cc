#include "queue_values.h"

#include <algorithm>
#include <string>

#include "script.h"

namespace ipipoud {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991;
constexpr double kMaxPayload = 65535;

FieldTest ToFieldTest(const Napi::Value& value, const std::string& what) {
  const Napi::Object given = ToObject(value, what);
  const auto number = [&](const char* name, double min, double max) {
    return ToInteger(given.Get(name), what + "." + name, min, max);
  };
  FieldTest test;
  test.offset = static_cast<uint32_t>(number("offset", 0, kMaxPayload));
  test.width = static_cast<uint32_t>(number("width", 1, 6));
  test.min = static_cast<uint64_t>(number("min", 0, kMaxSafeInteger));
  test.max = static_cast<uint64_t>(number("max", 0, kMaxSafeInteger));
  return test;
}

Pattern ToPattern(const Napi::Value& value, const std::string& what) {
  const Napi::Object given = ToObject(value, what);
  const auto number = [&](const char* name) {
    return ToInteger(given.Get(name), what + "." + name, 0, kMaxPayload);
  };
  Pattern pattern;
  pattern.port = static_cast<uint16_t>(number("port"));
  pattern.min_length = static_cast<uint32_t>(number("minLength"));
  pattern.max_length = static_cast<uint32_t>(number("maxLength"));
  const Napi::Value tests = given.Get("tests");
  if (!tests.IsArray()) throw Napi::TypeError::New(value.Env(), what + ".tests: want an array");
  const auto list = tests.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    pattern.tests.push_back(ToFieldTest(list.Get(i), what + ".tests[" + std::to_string(i) + "]"));
  }
  return pattern;
}

}  // namespace

PatternTable ToPatterns(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "patterns: want an array");
  const auto list = value.As<Napi::Array>();
  std::vector<Pattern> patterns;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::HandleScope scope(value.Env());
    patterns.push_back(ToPattern(list.Get(i), "patterns[" + std::to_string(i) + "]"));
  }
  return PatternTable(std::move(patterns));
}

Napi::Object BurstObject(Napi::Env env, const QueueBurst& burst) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ids", Uint32ArrayOf(env, burst.ids()));
  object.Set("offsets", Uint32ArrayOf(env, burst.offsets()));
  object.Set("data",
             Napi::Buffer<uint8_t>::Copy(env, burst.data().data(), burst.data().size()));
  return object;
}

Napi::Object CountersObject(Napi::Env env, const QueueCounts& counts) {
  const auto number = [&](uint64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
  };
  Napi::Object object = Napi::Object::New(env);
  object.Set("received", number(counts.received));
  object.Set("rejected", number(counts.rejected));
  object.Set("delivered", number(counts.delivered));
  object.Set("malformed", number(counts.malformed));
  return object;
}

Napi::Uint32Array Uint32ArrayOf(Napi::Env env, const std::vector<uint32_t>& values) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace ipipoud
