#include "poll.h"

#include <memory>

#include "errors.h"

namespace ipipoud {

/** Outlives its Poll until libuv has let go of it. */
struct Poll::Handle {
  uv_poll_t poll;
  Poll* owner;
  Listener* listener;
  napi_async_cleanup_hook_handle hook = nullptr;
};

Poll::Poll(napi_env env, int fd, Listener* listener) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw SystemFailure{ENOTSUP, "event loop"};
  auto handle = std::make_unique<Handle>();
  handle->owner = this;
  handle->listener = listener;
  handle->poll.data = handle.get();
  const int error = uv_poll_init(loop, &handle->poll, fd);
  if (error != 0) throw SystemFailure{-error, "poll"};
  handle_ = handle.release();
  // Asynchronous, because the loop must turn once more before the handle's memory may go.
  napi_add_async_cleanup_hook(env, OnEnvironmentGone, handle_, &handle_->hook);
}

void Poll::Start(bool writable_too) {
  if (handle_ == nullptr) throw SystemFailure{EBADF, "poll"};
  const int events = UV_READABLE | (writable_too ? UV_WRITABLE : 0);
  const int error = uv_poll_start(&handle_->poll, events, OnPoll);
  if (error != 0) throw SystemFailure{-error, "poll"};
  events_ = events;
}

void Poll::Stop() {
  events_ = 0;
  if (handle_ != nullptr) uv_poll_stop(&handle_->poll);
}

void Poll::Ref() {
  if (handle_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(&handle_->poll));
}

void Poll::Unref() {
  if (handle_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->poll));
}

void Poll::Close() {
  events_ = 0;
  if (handle_ == nullptr) return;
  handle_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), OnClosed);
  handle_ = nullptr;
}

void Poll::OnPoll(uv_poll_t* poll, int status, int) {
  auto* handle = static_cast<Handle*>(poll->data);
  Poll* owner = handle->owner;
  if (owner == nullptr || owner->events_ == 0) return;
  // An error has stopped the watch: start it anew. The error itself comes out of the next recv().
  if (status < 0) uv_poll_start(poll, owner->events_, OnPoll);
  handle->listener->OnReady();
}

void Poll::OnEnvironmentGone(napi_async_cleanup_hook_handle, void* data) {
  auto* handle = static_cast<Handle*>(data);
  if (handle->owner != nullptr) handle->owner->Close();
  // Otherwise it is closing already; OnClosed takes the hook away either way.
}

void Poll::OnClosed(uv_handle_t* uv) {
  std::unique_ptr<Handle> handle(static_cast<Handle*>(uv->data));
  if (handle->hook != nullptr) napi_remove_async_cleanup_hook(handle->hook);
}

}  // namespace ipipoud
