#include "script.h"

#include <cmath>

namespace ipipoud {

double ToInteger(const Napi::Value& value, const std::string& what, double min, double max) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), what + ": want a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= min && number <= max) || std::trunc(number) != number) {
    throw Napi::RangeError::New(value.Env(), what + ": want an integer from " +
                                                 std::to_string(static_cast<int64_t>(min)) +
                                                 " to " +
                                                 std::to_string(static_cast<int64_t>(max)));
  }
  return number;
}

Bytes ToBytes(const Napi::Value& value, const std::string& what) {
  if (!value.IsTypedArray() ||
      value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(value.Env(), what + ": want a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

Napi::Object ToObject(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), what + ": want an object");
  return value.As<Napi::Object>();
}

Napi::Function ToFunction(const Napi::Value& value, const std::string& what) {
  if (!value.IsFunction()) throw Napi::TypeError::New(value.Env(), what + ": want a function");
  return value.As<Napi::Function>();
}

void CallFromLoop(napi_env env, napi_value receiver, napi_value function,
                  std::initializer_list<napi_value> arguments) {
  napi_value result;
  const napi_status status = napi_make_callback(env, nullptr, receiver, function, arguments.size(),
                                                arguments.begin(), &result);
  if (status != napi_pending_exception) return;
  napi_value error;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

}  // namespace ipipoud
