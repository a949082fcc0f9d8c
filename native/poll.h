#pragma once

#include <node_api.h>
#include <uv.h>

namespace ipipoud {

/**
 * Readiness of one file descriptor on the environment's own event loop (never uv_default_loop(), so
 * that worker threads work). Survives POLLERR, on which libuv stops watching: a netlink socket reports
 * lost messages so. The libuv handle is released when the Poll goes or when the environment does,
 * whichever comes first.
 */
class Poll {
 public:
  /** Called from the loop, without a handle scope, when there may be something to read (or write). */
  class Listener {
   public:
    virtual void OnReady() = 0;

   protected:
    ~Listener() = default;
  };

  /** The file descriptor must stay open until Close(). Throws SystemFailure. */
  Poll(napi_env env, int fd, Listener* listener);
  ~Poll() { Close(); }
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  /** Throws SystemFailure. Called again it changes what is waited for. */
  void Start(bool writable_too = false);
  void Stop();
  bool started() const { return events_ != 0; }
  void Ref();
  void Unref();
  void Close();

 private:
  struct Handle;
  static void OnPoll(uv_poll_t* poll, int status, int events);
  static void OnEnvironmentGone(napi_async_cleanup_hook_handle hook, void* data);
  static void OnClosed(uv_handle_t* handle);

  Handle* handle_ = nullptr;
  int events_ = 0;
};

}  // namespace ipipoud
