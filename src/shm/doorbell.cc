#include "shm/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace manta::shm {

void Park(Doorbell<RealAtomics>& doorbell, int64_t timeout_ns) {
  timespec limit{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  syscall(SYS_futex, &doorbell.parked, FUTEX_WAIT, 1, timeout_ns < 0 ? nullptr : &limit, nullptr, 0);
}

void Wake(Doorbell<RealAtomics>& doorbell) {
  syscall(SYS_futex, &doorbell.parked, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace manta::shm
