#pragma once

#include <napi.h>

#include <string>

namespace ipipoud {

/** What a failed system call leaves behind: thrown below, turned into a JavaScript error at the edge. */
struct SystemFailure {
  int number;           // errno
  std::string syscall;  // what was tried, for the message: `bind queue 5`
};

/** `EPERM`; a number that has no name gives `E` and the number. */
std::string ErrnoName(int number);

/** `Operation not permitted`, never translated. */
std::string ErrnoText(int number);

/** The SystemError of src/native/addon.ts. */
Napi::Error SystemError(Napi::Env env, const SystemFailure& failure);

/** Calls `body`; a SystemFailure that leaves it is thrown on as a JavaScript SystemError. */
template <typename Body>
auto WithSystemErrors(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const SystemFailure& failure) {
    throw SystemError(env, failure);
  }
}

}  // namespace ipipoud
