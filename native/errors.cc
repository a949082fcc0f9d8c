#include "errors.h"

#include <uv.h>

#include <cstring>

namespace ipipoud {
namespace {

// Kernel-internal, in no C library's table, yet netlink hands it out (include/linux/errno.h).
constexpr int kNotSupportedInKernel = 524;

#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 32))
const char* NameOf(int number) { return strerrorname_np(number); }
const char* TextOf(int number) { return strerrordesc_np(number); }
#else
// libuv knows fewer numbers, but is always there.
bool IsKnown(int number) { return std::strncmp(uv_strerror(-number), "Unknown", 7) != 0; }
const char* NameOf(int number) { return IsKnown(number) ? uv_err_name(-number) : nullptr; }
const char* TextOf(int number) { return IsKnown(number) ? uv_strerror(-number) : nullptr; }
#endif

}  // namespace

std::string ErrnoName(int number) {
  if (number == kNotSupportedInKernel) return "ENOTSUPP";
  const char* name = number > 0 ? NameOf(number) : nullptr;
  return name != nullptr ? name : "E" + std::to_string(number);
}

std::string ErrnoText(int number) {
  if (number == kNotSupportedInKernel) return "Operation is not supported";
  const char* text = number > 0 ? TextOf(number) : nullptr;
  return text != nullptr ? text : "Unknown error " + std::to_string(number);
}

Napi::Error SystemError(Napi::Env env, const SystemFailure& failure) {
  const std::string code = ErrnoName(failure.number);
  // Node's own order: `EPERM: operation not permitted, open '/x'`.
  Napi::Error error =
      Napi::Error::New(env, code + ": " + ErrnoText(failure.number) + ", " + failure.syscall);
  error.Set("errno", Napi::Number::New(env, failure.number));
  error.Set("code", Napi::String::New(env, code));
  error.Set("syscall", Napi::String::New(env, failure.syscall));
  return error;
}

}  // namespace ipipoud
