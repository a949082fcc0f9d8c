/** What src/native/addon.ts declares. No state outside the objects: any number of environments may load it. */
#include <napi.h>

#include "errors.h"
#include "netlink_socket.h"
#include "notify.h"
#include "privileges.h"
#include "queue.h"
#include "script.h"

namespace ipipoud {
namespace {

void NotifyManager(const Napi::CallbackInfo& info) {
  if (!info[0].IsString() || !info[1].IsString()) {
    throw Napi::TypeError::New(info.Env(), "notify: want an address and a message");
  }
  const std::string address = info[0].As<Napi::String>();
  const std::string message = info[1].As<Napi::String>();
  WithSystemErrors(info.Env(), [&] { Notify(address, message); });
}

void Restrict(const Napi::CallbackInfo& info) {
  const double mask = ToInteger(info[0], "capabilities", 0, 9007199254740991.0);
  WithSystemErrors(info.Env(), [&] { RestrictTo(static_cast<uint64_t>(mask)); });
}

int ErrnoArgument(const Napi::CallbackInfo& info) {
  return static_cast<int>(ToInteger(info[0], "errno", 0, 0x7fffffff));
}

Napi::Value NameOfErrno(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), ErrnoName(ErrnoArgument(info)));
}

Napi::Value TextOfErrno(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), ErrnoText(ErrnoArgument(info)));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("NetlinkSocket", NetlinkSocket::Define(env));
  exports.Set("Queue", Queue::Define(env));
  exports.Set("notify", Napi::Function::New<NotifyManager>(env, "notify"));
  exports.Set("restrictTo", Napi::Function::New<Restrict>(env, "restrictTo"));
  exports.Set("errnoName", Napi::Function::New<NameOfErrno>(env, "errnoName"));
  exports.Set("errnoText", Napi::Function::New<TextOfErrno>(env, "errnoText"));
  exports.Set("parseQueueDatagram",
              Napi::Function::New<Queue::ParseDatagram>(env, "parseQueueDatagram"));
  return exports;
}

}  // namespace

NODE_API_MODULE(ipipoud, Init)

}  // namespace ipipoud
