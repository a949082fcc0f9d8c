#include "privileges.h"

#include <dirent.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include "errors.h"

namespace ipipoud {
namespace {

/** What a thread has is its own (credentials(7)), so each is asked by a signal that nobody else uses. */
const int kSignal = SIGRTMAX - 3;
/** They answer in microseconds, but one may be ending. */
constexpr int kPatienceMs = 200;

uint64_t mask;
std::atomic<int> answered;
std::atomic<int> refusal;

uint64_t Joined(const __user_cap_data_struct* data, uint32_t __user_cap_data_struct::* set) {
  return uint64_t{data[1].*set} << 32 | data[0].*set;
}

/** System calls alone: it runs in signal handlers. */
int RestrictThread() {
  // Refused where CAP_SETPCAP is missing; then the rest has to do.
  for (int one = 0; one < 64; one++) {
    if ((mask >> one & 1) == 0) prctl(PR_CAPBSET_DROP, one, 0, 0, 0);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return errno;
  const uint64_t left = Joined(data, &__user_cap_data_struct::permitted) & mask;
  for (int half = 0; half < 2; half++) {
    data[half].permitted = data[half].effective = static_cast<uint32_t>(left >> 32 * half);
    data[half].inheritable = 0;
  }
  return syscall(SYS_capset, &header, data) != 0 ? errno : 0;
}

void OnSignal(int) {
  const int before = errno;
  const int error = RestrictThread();
  if (error != 0) refusal = error;
  errno = before;
  answered++;
}

/** Node's for its debugger does for ever, and one that is just beginning for a moment. */
bool BlocksSignals(const char* thread) {
  std::ifstream status(std::string("/proc/self/task/") + thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigBlk:", 0) != 0) continue;
    const uint64_t blocked = std::strtoull(line.c_str() + sizeof "SigBlk:", nullptr, 16);
    return (blocked >> (kSignal - 1) & 1) != 0;
  }
  return true;  // it has ended
}

/** All threads of the process but this one; gives how many will answer at once, the others when they hear. */
int AskOthers() {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) throw SystemFailure{errno, "opendir /proc/self/task"};
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  int asked = 0;
  while (const dirent* entry = readdir(tasks)) {
    const auto thread = static_cast<pid_t>(std::atoi(entry->d_name));
    if (thread <= 0 || thread == self) continue;
    const bool hears = !BlocksSignals(entry->d_name);
    if (syscall(SYS_tgkill, getpid(), thread, kSignal) == 0 && hears) asked++;
  }
  closedir(tasks);
  return asked;
}

}  // namespace

void RestrictTo(uint64_t capabilities) {
  mask = capabilities;
  answered = 0;
  refusal = 0;
  // It stays: who does not hear yet would be ended by the default action when he does.
  struct sigaction ours {};
  ours.sa_handler = OnSignal;
  ours.sa_flags = SA_RESTART;
  if (sigaction(kSignal, &ours, nullptr) != 0) throw SystemFailure{errno, "sigaction"};
  // This one first: whatever thread it makes from here on is born with no more.
  const int own = RestrictThread();
  const int asked = own == 0 ? AskOthers() : 0;
  for (int waited = 0; answered < asked && waited < kPatienceMs; waited++) {
    const timespec millisecond{0, 1000000};
    nanosleep(&millisecond, nullptr);
  }
  if (own != 0 || refusal != 0) {
    throw SystemFailure{own != 0 ? own : refusal.load(), "capset"};
  }
}

}  // namespace ipipoud
