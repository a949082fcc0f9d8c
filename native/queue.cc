#include "queue.h"

#include <linux/netfilter.h>

#include <cerrno>
#include <climits>

#include "queue_values.h"
#include "script.h"

namespace ipipoud {
namespace {

// A flood must not keep the event loop from its other work: at most 8 × 64 packets a turn.
constexpr int kRoundsPerTurn = 8;

}  // namespace

Napi::Function Queue::Define(Napi::Env env) {
  return DefineClass(env, "Queue",
                     {
                         InstanceMethod<&Queue::SetPatterns>("setPatterns"),
                         InstanceMethod<&Queue::Start>("start"),
                         InstanceMethod<&Queue::Stop>("stop"),
                         InstanceMethod<&Queue::Verdict>("verdict"),
                         InstanceMethod<&Queue::Counters>("counters"),
                         InstanceMethod<&Queue::RefLoop>("ref"),
                         InstanceMethod<&Queue::UnrefLoop>("unref"),
                         InstanceMethod<&Queue::Close>("close"),
                     });
}

Napi::Value Queue::ParseDatagram(const Napi::CallbackInfo& info) {
  const Bytes bytes = ToBytes(info[0], "data");
  QueueBurst burst;
  burst.SetPatterns(ToPatterns(info[1]));
  ParseQueueDatagram(bytes.data, bytes.size, burst);
  Napi::Object object = BurstObject(info.Env(), burst);
  object.Set("rejected", Uint32ArrayOf(info.Env(), burst.rejected()));
  object.Set("malformed",
             Napi::Number::New(info.Env(), static_cast<double>(burst.counts().malformed)));
  object.Set("refusal", Napi::Number::New(info.Env(), burst.refusal()));
  return object;
}

Queue::Queue(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Queue>(info) {
  const Napi::Object given = ToObject(info[0], "options");
  const auto number = [&](const char* name, double min, double max) {
    return ToInteger(given.Get(name), name, min, max);
  };
  QueueChannelOptions options;
  options.number = static_cast<uint16_t>(number("number", 0, 65535));
  options.max_length = static_cast<uint32_t>(number("maxLength", 1, INT_MAX));
  options.copy_range =
      static_cast<uint32_t>(number("copyRange", 1, QueueChannel::kMaxCopyRange));
  options.receive_buffer = static_cast<int>(number("receiveBuffer", 0, INT_MAX / 2));
  number_ = options.number;
  WithSystemErrors(info.Env(), [&] {
    channel_ = std::make_unique<QueueChannel>(options, burst_);
    channel_->Drop(burst_.rejected());
    poll_ = std::make_unique<Poll>(info.Env(), channel_->fd().get(), this);
  });
}

void Queue::SetPatterns(const Napi::CallbackInfo& info) {
  burst_.SetPatterns(ToPatterns(info[0]));
}

void Queue::Start(const Napi::CallbackInfo& info) {
  const Napi::Function on_burst = ToFunction(info[0], "onBurst");
  const Napi::Function on_error = ToFunction(info[1], "onError");
  writable_too_ = channel_->holding();
  WithSystemErrors(info.Env(), [&] { poll_->Start(writable_too_); });
  on_burst_ = Napi::Persistent(on_burst);
  on_error_ = Napi::Persistent(on_error);
  if (!watching_) Ref();  // while watched, the loop needs the object even if JavaScript forgot it
  watching_ = true;
}

void Queue::Stop(const Napi::CallbackInfo&) { StopWatching(); }

void Queue::StopWatching() {
  poll_->Stop();
  on_burst_.Reset();
  on_error_.Reset();
  if (watching_) Unref();
  watching_ = false;
}

void Queue::Verdict(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() ||
      info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    throw Napi::TypeError::New(info.Env(), "ids: want a Uint32Array");
  }
  const auto ids = info[0].As<Napi::Uint32Array>();
  const Bytes verdicts = ToBytes(info[1], "verdicts");
  if (verdicts.size != ids.ElementLength()) {
    throw Napi::RangeError::New(info.Env(), "verdicts: want as many as ids");
  }
  for (size_t i = 0; i < verdicts.size; i++) {
    // Others have arguments in their upper bits or hold the packet for ever.
    if (verdicts.data[i] != NF_DROP && verdicts.data[i] != NF_ACCEPT) {
      throw Napi::RangeError::New(info.Env(), "verdicts: want NF_DROP 0 or NF_ACCEPT 1");
    }
  }
  WithSystemErrors(info.Env(), [&] {
    channel_->Verdict(ids.Data(), verdicts.data, verdicts.size);
    Watch();
  });
}

Napi::Value Queue::Counters(const Napi::CallbackInfo& info) {
  return CountersObject(info.Env(), burst_.counts());
}

void Queue::RefLoop(const Napi::CallbackInfo&) { poll_->Ref(); }
void Queue::UnrefLoop(const Napi::CallbackInfo&) { poll_->Unref(); }

void Queue::Close(const Napi::CallbackInfo&) {
  StopWatching();
  poll_->Close();
  channel_->Close();
}

void Queue::OnReady() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  // Held by the scope: a callback may close() and so drop the last reference.
  const Napi::Object self = Value();
  try {
    for (int round = 0; round < kRoundsPerTurn && watching_; round++) {
      if (!Round(self)) break;
    }
  } catch (const Napi::Error& error) {
    // An environment that is being torn down refuses objects; there is nobody left to tell.
    napi_fatal_exception(env, error.Value());
  }
}

/** One recvmmsg and what follows from it. False when there is no more now. */
bool Queue::Round(const Napi::Object& self) {
  burst_.Clear();
  unsigned datagrams = 0;
  try {
    datagrams = channel_->Receive(burst_);
  } catch (const SystemFailure& failure) {
    Report(self, failure);
    return failure.number == ENOBUFS;  // packets were lost, others may wait
  }
  try {
    channel_->Drop(burst_.rejected());
    if (channel_->holding()) channel_->Flush();
    Watch();
  } catch (const SystemFailure& failure) {
    Report(self, failure);
  }
  if (burst_.refusal() != 0) {
    Report(self, {burst_.refusal(), "verdict queue " + std::to_string(number_)});
  }
  if (!burst_.ids().empty()) Deliver(self);
  return datagrams == QueueChannel::kDatagramsPerReceive;
}

void Queue::Deliver(const Napi::Object& self) {
  if (!watching_) return;
  const Napi::HandleScope scope(Env());
  CallFromLoop(Env(), self, on_burst_.Value(), {BurstObject(Env(), burst_)});
}

void Queue::Report(const Napi::Object& self, const SystemFailure& failure) {
  if (!watching_) return;
  const Napi::HandleScope scope(Env());
  CallFromLoop(Env(), self, on_error_.Value(), {SystemError(Env(), failure).Value()});
}

/** Verdicts that are held go out with the next turn of the loop, so wait for "writable" as well. */
void Queue::Watch() {
  if (!watching_ || channel_->holding() == writable_too_) return;
  writable_too_ = channel_->holding();
  poll_->Start(writable_too_);
}

}  // namespace ipipoud
