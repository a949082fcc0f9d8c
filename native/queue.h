#pragma once

#include <napi.h>

#include <memory>

#include "errors.h"
#include "poll.h"
#include "queue_burst.h"
#include "queue_channel.h"

namespace ipipoud {

/** `Queue` of src/native/addon.ts: QueueChannel and QueueBurst on the event loop. */
class Queue final : public Napi::ObjectWrap<Queue>, public Poll::Listener {
 public:
  static Napi::Function Define(Napi::Env env);
  /** `parseQueueDatagram` of src/native/addon.ts. */
  static Napi::Value ParseDatagram(const Napi::CallbackInfo& info);
  explicit Queue(const Napi::CallbackInfo& info);

 private:
  void SetPatterns(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void Verdict(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  void RefLoop(const Napi::CallbackInfo& info);
  void UnrefLoop(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void OnReady() override;
  bool Round(const Napi::Object& self);
  void Deliver(const Napi::Object& self);
  void Report(const Napi::Object& self, const SystemFailure& failure);
  void Watch();
  void StopWatching();

  uint16_t number_ = 0;
  QueueBurst burst_;
  std::unique_ptr<QueueChannel> channel_;
  std::unique_ptr<Poll> poll_;
  bool watching_ = false;
  bool writable_too_ = false;
  Napi::FunctionReference on_burst_;
  Napi::FunctionReference on_error_;
};

}  // namespace ipipoud
