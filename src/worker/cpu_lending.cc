#include "worker/cpu_lending.h"

#include <pthread.h>

#include <algorithm>

#include "worker/clock.h"
#include "worker/sooner.h"
#include "worker/wait_history.h"

namespace manta::worker {
namespace {

// Of a thread's last wait beside a task.
struct LastWait {
  const CpuLending* of = nullptr;
  int64_t at = 0;   // its beginning or end
  int64_t ran = 0;  // what the thread had run by then
  bool needs_cpu = false;
};
thread_local LastWait last_wait;

}  // namespace

// ---- Tasks

void CpuLending::Lend(Loan* loan) {
  std::lock_guard guard(mutex_);
  loan->lender_ = this;
  loan->lent_.store(true, std::memory_order_release);
  Count();
}

void CpuLending::TakeBackNow(Loan* loan) {
  std::lock_guard guard(mutex_);
  if (!loan->lent()) return;  // by Tick
  std::erase(paused_, loan);
  loan->lent_.store(false, std::memory_order_release);
  Discount();
}

void CpuLending::Pause(Loan* loan, int64_t now) {
  std::unique_lock guard(mutex_);
  if (loan->clock_ == 0) pthread_getcpuclockid(pthread_self(), &loan->clock_);
  loan->paused_at_ = last_pause_ = now;
  paused_.push_back(loan);
  guard.unlock();
  hooks_.wake_ticker();
}

bool CpuLending::Resume(Loan* loan) {
  if (!loan->lent()) return false;
  std::lock_guard guard(mutex_);
  std::erase(paused_, loan);
  return loan->lent();
}

void CpuLending::Count() {
  if (++lenders_ == 1) hooks_.tell(true);
}

void CpuLending::Discount() {
  if (--lenders_ == 0) hooks_.tell(false);
}

// ---- Threads beside the task

CpuLending::WaitBeside::WaitBeside(CpuLending* lending) : lending_(lending) {
  const int64_t now = NowNs();
  const int64_t ran = ReadClock(CLOCK_THREAD_CPUTIME_ID);
  const bool goes_on = last_wait.of == lending && (last_wait.needs_cpu || now - last_wait.at <= WaitHistory::kAtOnceNs);
  {
    std::lock_guard guard(lending->mutex_);
    if (goes_on) lending->beside_ran_ += ran - last_wait.ran;
    ++lending->beside_;
    lending->is_beside_ = true;
  }
  last_wait = {lending, now, ran};
  lending->hooks_.wake_ticker();
}

CpuLending::WaitBeside::~WaitBeside() {
  const int64_t now = NowNs();
  const int64_t ran = ReadClock(CLOCK_THREAD_CPUTIME_ID);
  std::lock_guard guard(lending_->mutex_);
  lending_->beside_ran_ += ran - last_wait.ran;
  --lending_->beside_;
  lending_->beside_left_at_ = now;
  if (end_ != End::kReached) {
    last_wait = {lending_, now, ran, end_ == End::kNeedsCpu};
    return;
  }
  last_wait = {};
  lending_->LendBeside(false);
  lending_->window_ = 0;
  if (lending_->beside_ == 0) lending_->is_beside_ = false;
}

void CpuLending::LendBeside(bool lend) {
  if (beside_lends_ == lend) return;
  beside_lends_ = lend;
  lend ? Count() : Discount();
}

// ---- The service thread

int64_t CpuLending::Tick(int64_t now) {
  std::lock_guard guard(mutex_);
  return Sooner(LookAtPauses(now), LookBeside(now));
}

int64_t CpuLending::LookAtPauses(int64_t now) {
  // Those that poll come back soon: going on with looking is cheaper than to be woken by each.
  if (paused_.empty()) return now - last_pause_ < kLongestPauseNs / 10 ? kLookNs : -1;
  if (now < next_look_) return next_look_ - now;
  next_look_ = now + kLookNs;
  std::erase_if(paused_, [&](Loan* loan) {
    const int64_t ran = hooks_.read_clock(loan->clock_);
    if (loan->seen_ != loan->paused_at_) {
      loan->seen_ = loan->paused_at_;
      loan->ran_ = ran;
    }
    if (ran - loan->ran_ < kRunsNs && now - loan->paused_at_ < kLongestPauseNs) return false;
    loan->lent_.store(false, std::memory_order_release);
    Discount();
    return true;
  });
  return kLookNs;
}

int64_t CpuLending::LookBeside(int64_t now) {
  if (!is_beside_) return -1;
  if (beside_ == 0 && now - beside_left_at_ >= kLongestPauseNs) {
    is_beside_ = false;
    window_ = 0;
    LendBeside(false);
    return -1;
  }
  if (window_ != 0 && now < window_ + window_ns_) return window_ + window_ns_ - now;
  const int64_t wanted = hooks_.wanted() - beside_ran_;
  if (window_ == 0) {
    window_ns_ = kFirstLookNs;
  } else {
    // One that runs no task has no CPU to lend.
    LendBeside(hooks_.runs_a_task() && kHardly * (wanted - window_wanted_) < now - window_);
    window_ns_ = std::min(2 * window_ns_, kRarestLookNs);
  }
  window_ = now;
  window_wanted_ = wanted;
  return window_ns_;
}

}  // namespace manta::worker
