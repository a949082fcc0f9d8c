#include "netlink_fd.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "errors.h"

namespace ipipoud {
namespace {

void SetOption(const Fd& fd, int level, int option, int value, const char* name) {
  if (setsockopt(fd.get(), level, option, &value, sizeof value) != 0) {
    throw SystemFailure{errno, std::string("setsockopt ") + name};
  }
}

/** The forced options pass net.core.rmem_max, but want CAP_NET_ADMIN in the first user namespace. */
void SetBuffer(const Fd& fd, int forced, int asked, int size, const char* name) {
  if (size == 0) return;
  if (setsockopt(fd.get(), SOL_SOCKET, forced, &size, sizeof size) == 0) return;
  SetOption(fd, SOL_SOCKET, asked, size, name);
}

}  // namespace

Fd OpenNetlink(const NetlinkFdOptions& options) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, options.protocol));
  if (!fd.valid()) throw SystemFailure{errno, "socket netlink"};
  SetOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1, "NETLINK_EXT_ACK");
  SetOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1, "NETLINK_CAP_ACK");
  if (options.strict_checking) {
    SetOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1, "NETLINK_GET_STRICT_CHK");
  }
  if (options.no_enobufs) {
    SetOption(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1, "NETLINK_NO_ENOBUFS");
  }
  SetBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer, "SO_RCVBUF");
  SetBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer, "SO_SNDBUF");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw SystemFailure{errno, "bind netlink"};
  }
  return fd;
}

uint32_t NetlinkPort(const Fd& fd) {
  sockaddr_nl address{};
  socklen_t size = sizeof address;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw SystemFailure{errno, "getsockname netlink"};
  }
  return address.nl_pid;
}

int SendToKernel(const Fd& fd, const void* data, size_t size) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    if (sendto(fd.get(), data, size, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) >= 0) {
      return 0;  // netlink takes a datagram whole or not at all
    }
    if (errno != EINTR) return errno;
  }
}

}  // namespace ipipoud
