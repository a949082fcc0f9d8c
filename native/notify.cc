#include "notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "errors.h"
#include "fd.h"

namespace ipipoud {

void Notify(const std::string& address, const std::string& message) {
  const std::string what = "notify " + address;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  // A path needs its closing zero; an abstract name is exactly as long as it is given.
  const bool abstract = !address.empty() && address[0] == '@';
  if (address.empty() || address.size() + (abstract ? 0 : 1) > sizeof to.sun_path) {
    throw SystemFailure{address.empty() ? EINVAL : ENAMETOOLONG, what};
  }
  std::memcpy(to.sun_path, address.data(), address.size());
  if (abstract) to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() +
                                           (abstract ? 0 : 1));

  // Blocking, as libsystemd's is: the service manager reads soon, and a readiness must not get lost.
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw SystemFailure{errno, what};
  while (sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                reinterpret_cast<sockaddr*>(&to), size) < 0) {
    if (errno != EINTR) throw SystemFailure{errno, what};
  }
}

}  // namespace ipipoud
