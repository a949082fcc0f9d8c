#pragma once

#include <napi.h>

#include <memory>

#include "fd.h"
#include "poll.h"

namespace ipipoud {

/** `NetlinkSocket` of src/native/addon.ts. */
class NetlinkSocket final : public Napi::ObjectWrap<NetlinkSocket>, public Poll::Listener {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit NetlinkSocket(const Napi::CallbackInfo& info);

 private:
  Napi::Value Port(const Napi::CallbackInfo& info);
  void Send(const Napi::CallbackInfo& info);
  Napi::Value Receive(const Napi::CallbackInfo& info);
  void Join(const Napi::CallbackInfo& info);
  void Leave(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void RefLoop(const Napi::CallbackInfo& info);
  void UnrefLoop(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void OnReady() override;
  void Membership(const Napi::CallbackInfo& info, int option, const char* name);
  void StopWatching();

  Fd fd_;
  uint32_t port_ = 0;
  std::unique_ptr<Poll> poll_;
  std::unique_ptr<uint8_t[]> scratch_;
  Napi::FunctionReference on_readable_;
};

}  // namespace ipipoud
