#pragma once

#include <string>

namespace ipipoud {

/**
 * Sends one datagram to a unix socket, as sd_notify(3) does: `address` is a path, or `@` and a name in
 * the abstract namespace. Throws SystemFailure.
 */
void Notify(const std::string& address, const std::string& message);

}  // namespace ipipoud
