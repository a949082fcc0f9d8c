#include "netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "errors.h"
#include "netlink_fd.h"
#include "script.h"

namespace ipipoud {
namespace {

// Larger than any datagram that the kernel builds (dumps: 32 KiB, one attribute: 64 KiB). A large
// buffer also makes the kernel build larger dump datagrams (netlink_recvmsg, max_recvmsg_len). Pages
// that are never written cost no memory.
constexpr size_t kScratchSize = 256 * 1024;

// Messages of other processes that one recv() throws away before it lets the event loop turn.
constexpr int kForeignPerReceive = 64;

bool Flag(const Napi::Object& options, const char* name) {
  return options.Get(name).ToBoolean().Value();
}

int BufferSize(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  // Half of INT_MAX, because the kernel doubles it.
  return value.IsUndefined() ? 0 : static_cast<int>(ToInteger(value, name, 0, INT_MAX / 2));
}

}  // namespace

Napi::Function NetlinkSocket::Define(Napi::Env env) {
  return DefineClass(env, "NetlinkSocket",
                     {
                         InstanceAccessor<&NetlinkSocket::Port>("port"),
                         InstanceMethod<&NetlinkSocket::Send>("send"),
                         InstanceMethod<&NetlinkSocket::Receive>("recv"),
                         InstanceMethod<&NetlinkSocket::Join>("join"),
                         InstanceMethod<&NetlinkSocket::Leave>("leave"),
                         InstanceMethod<&NetlinkSocket::Start>("start"),
                         InstanceMethod<&NetlinkSocket::Stop>("stop"),
                         InstanceMethod<&NetlinkSocket::RefLoop>("ref"),
                         InstanceMethod<&NetlinkSocket::UnrefLoop>("unref"),
                         InstanceMethod<&NetlinkSocket::Close>("close"),
                     });
}

NetlinkSocket::NetlinkSocket(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<NetlinkSocket>(info) {
  const Napi::Object given = ToObject(info[0], "options");
  NetlinkFdOptions options;
  options.protocol = static_cast<int>(ToInteger(given.Get("protocol"), "protocol", 0, 255));
  options.receive_buffer = BufferSize(given, "receiveBuffer");
  options.send_buffer = BufferSize(given, "sendBuffer");
  options.strict_checking = Flag(given, "strictChecking");
  options.no_enobufs = Flag(given, "noEnobufs");
  WithSystemErrors(info.Env(), [&] {
    fd_ = OpenNetlink(options);
    port_ = NetlinkPort(fd_);
    poll_ = std::make_unique<Poll>(info.Env(), fd_.get(), this);
  });
  scratch_.reset(new uint8_t[kScratchSize]);
}

Napi::Value NetlinkSocket::Port(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), port_);
}

void NetlinkSocket::Send(const Napi::CallbackInfo& info) {
  const Bytes bytes = ToBytes(info[0], "data");
  const int error = SendToKernel(fd_, bytes.data, bytes.size);
  if (error != 0) throw SystemError(info.Env(), {error, "send netlink"});
}

Napi::Value NetlinkSocket::Receive(const Napi::CallbackInfo& info) {
  if (!fd_.valid()) return info.Env().Undefined();  // closed in the midst of a reading loop
  for (int foreign = 0; foreign < kForeignPerReceive;) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    // MSG_TRUNC: the datagram's real size, even where it did not fit.
    const ssize_t size = recvfrom(fd_.get(), scratch_.get(), kScratchSize, MSG_TRUNC,
                                  reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return info.Env().Undefined();
      throw SystemError(info.Env(), {errno, "recv netlink"});
    }
    if (sender.nl_pid != 0) {
      foreign++;
      continue;
    }
    if (static_cast<size_t>(size) > kScratchSize) {
      throw SystemError(info.Env(), {EMSGSIZE, "recv netlink"});
    }
    return Napi::Buffer<uint8_t>::Copy(info.Env(), scratch_.get(), static_cast<size_t>(size));
  }
  return info.Env().Undefined();  // the poll comes back for the rest
}

void NetlinkSocket::Join(const Napi::CallbackInfo& info) {
  Membership(info, NETLINK_ADD_MEMBERSHIP, "join");
}

void NetlinkSocket::Leave(const Napi::CallbackInfo& info) {
  Membership(info, NETLINK_DROP_MEMBERSHIP, "leave");
}

void NetlinkSocket::Membership(const Napi::CallbackInfo& info, int option, const char* name) {
  const int group = static_cast<int>(ToInteger(info[0], "group", 1, INT_MAX));
  if (setsockopt(fd_.get(), SOL_NETLINK, option, &group, sizeof group) != 0) {
    throw SystemError(info.Env(),
                      {errno, std::string(name) + " netlink group " + std::to_string(group)});
  }
}

void NetlinkSocket::Start(const Napi::CallbackInfo& info) {
  const Napi::Function callback = ToFunction(info[0], "onReadable");
  const bool was_started = poll_->started();
  WithSystemErrors(info.Env(), [&] { poll_->Start(); });
  on_readable_ = Napi::Persistent(callback);
  if (!was_started) Ref();  // while watched, the loop needs the object even if JavaScript forgot it
}

void NetlinkSocket::Stop(const Napi::CallbackInfo&) { StopWatching(); }

void NetlinkSocket::StopWatching() {
  const bool was_started = poll_->started();
  poll_->Stop();
  on_readable_.Reset();
  if (was_started) Unref();
}

void NetlinkSocket::RefLoop(const Napi::CallbackInfo&) { poll_->Ref(); }
void NetlinkSocket::UnrefLoop(const Napi::CallbackInfo&) { poll_->Unref(); }

void NetlinkSocket::Close(const Napi::CallbackInfo&) {
  StopWatching();
  poll_->Close();
  fd_.Close();
}

void NetlinkSocket::OnReady() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  // Held by the scope: the callback may close() and so drop the last reference.
  const Napi::Object self = Value();
  CallFromLoop(env, self, on_readable_.Value(), {});
}

}  // namespace ipipoud
