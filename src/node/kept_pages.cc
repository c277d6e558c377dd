#include "node/kept_pages.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace manta::node {
namespace {

// One that is being killed is dead within milliseconds; one that goes on may do so for hours.
constexpr Nanoseconds kFirstPause = 2 * kMillisecond;
constexpr Nanoseconds kLongestPause = 500 * kMillisecond;

}  // namespace

void KeptPages::Release(uint32_t page, pid_t pid) {
  Kept kept{page, UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))), pid};
  if (!IsInUse(kept)) return arena_.ReleasePage(page);
  kept_.push_back(std::move(kept));
  pause_ = kFirstPause;
  again_.ExpireAfter(pause_);
}

bool KeptPages::IsInUse(const Kept& kept) {
  // Whatever else keeps us from knowing (a signal, too few descriptors) does not make its memory free.
  pollfd ended{kept.process.get(), POLLIN, 0};
  const bool is_dead = kept.process ? poll(&ended, 1, 0) > 0 : kept.pid <= 0 || (kill(kept.pid, 0) != 0 && errno == ESRCH);
  if (is_dead) return false;
  return arena_.page(kept.page).pins.AnyOf([](uint64_t) { return true; });
}

void KeptPages::Look() {
  std::erase_if(kept_, [this](const Kept& kept) {
    if (IsInUse(kept)) return false;
    arena_.ReleasePage(kept.page);
    return true;
  });
  if (kept_.empty()) return;
  pause_ = std::min(2 * pause_, kLongestPause);
  again_.ExpireAfter(pause_);
}

}  // namespace manta::node
