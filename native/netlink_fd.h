#pragma once

#include <sys/uio.h>

#include <cstdint>

#include "fd.h"

namespace ipipoud {

struct NetlinkFdOptions {
  int protocol;
  int receive_buffer = 0;  // bytes; 0 = the system's default
  int send_buffer = 0;
  bool strict_checking = false;
  bool no_enobufs = false;
};

/**
 * A non-blocking netlink socket with extended and capped acknowledgements, bound to a port of the
 * kernel's choice. Throws SystemFailure.
 */
Fd OpenNetlink(const NetlinkFdOptions& options);

/** The port (nl_pid) the kernel gave us. */
uint32_t NetlinkPort(const Fd& fd);

/** Sends one datagram to the kernel; 0 or errno. */
int SendToKernel(const Fd& fd, const void* data, size_t size);

}  // namespace ipipoud
