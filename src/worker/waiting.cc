#include "worker/waiting.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "worker/clock.h"

namespace manta::worker {
namespace {

// Longer than a hand-off between cores, shorter than the 45 to 100 microseconds that waking a parked thread costs on a
// virtual machine: who spins this long has lost at most what parking at once would have cost.
constexpr int64_t kSpinNs = 50'000;
// From here on a spinning thread offers its core to others between two looks. When nobody takes it, it offers it more and more
// rarely: that costs a system call each time.
constexpr int64_t kUnyieldingNs = 3'000;
constexpr int64_t kRarestYieldNs = 2'000'000;
// A call of sched_yield that takes longer let somebody else run, and that was no time of spinning. It is no excuse to spin for ever
// either: some threads that spin on one core give it to each other without end.
constexpr int64_t kSwitchNs = 1'500;
constexpr int64_t kLongestSpinNs = 4 * kSpinNs;
// So long somebody who had work to do took the core, not one that only looked whether there is any.
constexpr int64_t kTakenNs = 25'000;
// A bound for every sleep, so that a lost wake-up would be a delay and not a hang.
constexpr int64_t kLongestParkNs = 1'000'000'000;

void FutexWait(std::atomic<uint32_t>* word, uint32_t value, int64_t timeout_ns) {
  timespec limit{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &limit, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void Signal(Waiter* waiter) {
  if (waiter->signalled.exchange(1, std::memory_order_release) == 0) FutexWake(&waiter->signalled);
}

int64_t ParkTime(int64_t deadline) {
  if (deadline < 0) return kLongestParkNs;
  return std::clamp<int64_t>(deadline - NowNs(), 0, kLongestParkNs);
}

}  // namespace

Waiting::Waiting(Owner* owner, Dispatcher* dispatcher, CpuLending* lending, Hooks hooks)
    : owner_(owner),
      dispatcher_(dispatcher),
      lending_(lending),
      hooks_(std::move(hooks)),
      spin_ns_(owner->memory().cores() > 1 ? kSpinNs : 0) {}

bool Waiting::PollOnce() {
  bool any = false;
  if (owner_->lock().try_lock()) {
    any = dispatcher_->Poll() > 0;
    owner_->lock().unlock();
    hooks_.flush();
  }
  return any;
}

bool Waiting::Wait(const Request& request) {
  if (request.done()) return true;
  if (request.task != nullptr) return WaitAndLend(request);
  if (request.beside_task) return WaitBesideTask(request);
  if (request.serves) servers_.fetch_add(1);
  const bool reached = Await(request);
  if (request.serves) servers_.fetch_sub(1);
  return reached;
}

bool Waiting::WaitAndLend(const Request& request) {
  WaitHistory& history = request.task->history;
  CpuLending::Loan& loan = request.task->loan;
  const bool lent = lending_->Resume(&loan);
  if (request.deadline >= 0) {
    history.Begin(NowNs());
    if (__builtin_expect(lent && history.computes(), 0)) TakeBack(request.task);
  }
  if (Await(request)) {
    history.Reached();
    TaskEnds(request.task);
    return true;
  }
  const int64_t now = NowNs();
  history.GaveUp(now, [&] { return NeedsCpu(request); });
  if (!loan.lent() && history.LendsAt(now) <= now) Lend(request.task);
  if (loan.lent()) {
    lending_->Pause(&loan, now);
    hooks_.flush();
  }
  return false;
}

bool Waiting::WaitBesideTask(const Request& request) {
  CpuLending::WaitBeside wait(lending_);
  const bool reached = Await(request);
  wait.Ends(reached ? CpuLending::WaitBeside::End::kReached
                    : NeedsCpu(request) ? CpuLending::WaitBeside::End::kNeedsCpu : CpuLending::WaitBeside::End::kGaveUp);
  return reached;
}

// Whether it is for a task of this process that no worker has yet.
bool Waiting::NeedsCpu(const Request& request) const {
  constexpr size_t kEnough = 64;
  std::lock_guard guard(owner_->lock());
  const auto watched = request.watched.first(std::min(request.watched.size(), kEnough));
  return std::any_of(watched.begin(), watched.end(), [this](const ObjectRecord* object) {
    if (object->state.load(std::memory_order_relaxed) != ValueState::kPending || object->borrowed || object->task == 0) return false;
    const TaskState state = owner_->Task(object->task)->state;
    return state == TaskState::kWaiting || state == TaskState::kQueued;
  });
}

void Waiting::Lend(TaskWaits* task) {
  task->history.Lent();
  lending_->Lend(&task->loan);
}

void Waiting::TakeBack(TaskWaits* task) {
  lending_->TakeBack(&task->loan);
  hooks_.flush();
}

bool Waiting::Await(const Request& request) {
  int64_t parked_at = 0;
  Waiter waiter;
  bool reached = false;
  bool is_idle = false;
  // Who asks again and again spins no more than it takes to look.
  int64_t spin_ns = request.task != nullptr && request.task->history.in_vain() ? 0 : spin_ns_;
  for (;;) {
    if (Spin(request, spin_ns)) {
      reached = true;
      break;
    }
    spin_ns = spin_ns_;
    if (request.deadline >= 0 && NowNs() >= request.deadline) break;
    const int64_t now = NowNs();
    if (parked_at == 0) parked_at = now;
    Request parking = request;
    if (request.task != nullptr && !request.task->loan.lent()) {
      const int64_t lends_at = request.task->history.LendsAt(parked_at);
      if (now >= lends_at) {
        Lend(request.task);
      } else {
        parking.deadline = request.deadline < 0 ? lends_at : std::min(request.deadline, lends_at);
      }
    }
    hooks_.flush();
    owner_->turns().Leave();
    if (request.serves && !is_idle) {
      is_idle = true;
      owner_->memory().my_page().activity.fetch_or(shm::kIdle);
    }
    std::unique_lock guard(mutex_);
    if (!has_leader_) {
      has_leader_ = true;
      guard.unlock();
      ParkAsLeader(parking);
      HandOver();
    } else {
      waiter.signalled.store(0, std::memory_order_relaxed);
      followers_.push_back(&waiter);
      guard.unlock();
      ParkAsFollower(parking, &waiter);
      guard.lock();
      std::erase(followers_, &waiter);
      guard.unlock();  // `done` may take any other lock
    }
    if (request.done()) {
      reached = true;
      break;
    }
  }
  if (is_idle) owner_->memory().my_page().activity.fetch_and(~shm::kIdle);
  // This thread may have been told to lead, and goes: somebody else has to.
  if (parked_at != 0) PassOn();
  return reached;
}

// Polls until `done` (true), or until nothing has come while this thread has looked for `spin_ns`.
bool Waiting::Spin(const Request& request, int64_t spin_ns) {
  int64_t quiet_since = 0;
  int64_t given_away = 0;  // of the quiet time
  bool woke_peer = owner_->TakeWokePeer();
  // Who was woken runs, like as not, on the core of the one that woke it and waits for the answer.
  bool was_woken = was_woken_.exchange(false, std::memory_order_relaxed);
  for (uint32_t turns = 0;; ++turns) {
    const bool any = PollOnce();
    if (request.done()) return true;
    // Also while others' results come in without end.
    if (request.deadline >= 0 && (any || (turns & 15) == 0) && NowNs() >= request.deadline) return false;
    if (any) {
      turns = 0;
      quiet_since = given_away = 0;
      woke_peer = owner_->TakeWokePeer();
      continue;
    }
    if (was_woken) {
      was_woken = false;
      sched_yield();
      continue;
    }
    if (!woke_peer && quiet_since == 0 && (turns & 31) != 31) {
      CpuRelax();
      continue;
    }
    const int64_t now = NowNs();
    if (quiet_since == 0) quiet_since = now;
    const int64_t quiet = now - quiet_since;
    if (quiet - given_away >= spin_ns || quiet >= kLongestSpinNs) return false;
    if (woke_peer || (quiet - given_away >= kUnyieldingNs && now >= next_yield_.load(std::memory_order_relaxed))) {
      const int64_t gone = Yield(now);
      if (gone >= kSwitchNs) given_away += gone;
      if (!woke_peer) PauseYields(now, gone);
    } else {
      CpuRelax();
    }
  }
}

// Offers the core to others; returns for how long this thread was without it.
int64_t Waiting::Yield(int64_t now) {
  sched_yield();
  return NowNs() - now;
}

// Until when nobody need be offered the core, if the last offer, at `now`, was taken for so long.
void Waiting::PauseYields(int64_t now, int64_t taken) {
  int64_t pause = 0;
  if (taken < kTakenNs) {
    pause = std::clamp(2 * yield_pause_.load(std::memory_order_relaxed), kUnyieldingNs, kRarestYieldNs);
  }
  yield_pause_.store(pause, std::memory_order_relaxed);
  next_yield_.store(now + taken + pause, std::memory_order_relaxed);
}

void Waiting::ParkAsLeader(const Request& request) {
  auto& doorbell = owner_->memory().my_page().doorbell;
  doorbell.Announce();
  bool work;
  {
    std::lock_guard guard(owner_->lock());
    work = dispatcher_->HasWork();
  }
  // Tasks concern only a thread that waits for them: while that one runs one, perhaps this very thread, they stay where they are, and
  // whoever did not sleep for that reason would use up a core.
  work = work || (servers_.load() > 0 && hooks_.tasks_wait()) || request.done();
  if (!work) {
    shm::Park(doorbell, ParkTime(request.deadline));
    was_woken_.store(true, std::memory_order_relaxed);
  }
  doorbell.Cancel();
}

void Waiting::ParkAsFollower(const Request& request, Waiter* waiter) {
  {
    std::lock_guard guard(owner_->lock());
    for (ObjectRecord* object : request.watched) {
      if (object->state.load(std::memory_order_relaxed) == ValueState::kPending) {
        owner_->AddDependent(object, waiter, 0);
      }
    }
  }
  if (!request.done()) FutexWait(&waiter->signalled, 0, ParkTime(request.deadline));
  std::lock_guard guard(owner_->lock());
  for (ObjectRecord* object : request.watched) owner_->RemoveWaiter(object, waiter);
}

// The leader looks at what woke it; the others may have to look too, and one of them leads next.
void Waiting::HandOver() {
  std::lock_guard guard(mutex_);
  has_leader_ = false;
  if (!followers_.empty()) Signal(followers_.front());
}

void Waiting::PassOn() {
  std::lock_guard guard(mutex_);
  if (!has_leader_ && !followers_.empty()) Signal(followers_.front());
}

void Waiting::WakeAll() {
  shm::Ring(owner_->memory().my_page().doorbell);
  std::lock_guard guard(mutex_);
  for (Waiter* waiter : followers_) Signal(waiter);
}

void Waiting::WaiterReady(Waiter* waiter) {
  if (waiter->notify != nullptr) {
    waiter->notify(waiter);
  } else {
    Signal(waiter);
  }
}

}  // namespace manta::worker
