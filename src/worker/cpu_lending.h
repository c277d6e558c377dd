// The CPU of a worker's lease, which others get while its task waits for objects.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace manta::worker {

// A task that is in a wait says so itself. Between two waits of one that polls, and while threads beside the task wait, only looking at the
// clocks shows whether the process needs its CPU: the service thread does. Thread-safe.
class CpuLending {
 public:
  static constexpr int64_t kLookNs = 10'000'000;
  // A task that has run for so long since its last wait runs on.
  static constexpr int64_t kRunsNs = 5'000'000;
  // One that has not waited again for so long does something else, if not on its CPU: reads a file, or waits for a program that it started.
  static constexpr int64_t kLongestPauseNs = 1'000'000'000;
  // The process sleeps, if it wants the CPU for less than one part of these.
  static constexpr int64_t kHardly = 10;
  // How often it is looked at while threads beside the task wait: rarely, once they do so for longer.
  static constexpr int64_t kFirstLookNs = 5'000'000, kRarestLookNs = 20'000'000;

  struct Hooks {
    std::function<void(bool lent)> tell;          // the daemon; in the order of the changes, under a lock
    std::function<void()> wake_ticker;            // so that Tick is called soon
    std::function<bool()> runs_a_task;
    std::function<int64_t(clockid_t)> read_clock;
    std::function<int64_t()> wanted;              // ns that the process has run, but for this thread, or its main thread queued for a core
  };

  explicit CpuLending(Hooks hooks) : hooks_(std::move(hooks)) {}

  // What one task lends, on its thread. Several of an actor may: the first lends the CPU, the last takes it back.
  class Loan {
   public:
    Loan() = default;
    ~Loan() {
      if (lender_ != nullptr) lender_->TakeBack(this);
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    bool lent() const { return lent_.load(std::memory_order_acquire); }

   private:
    friend class CpuLending;
    CpuLending* lender_ = nullptr;   // once it has lent
    std::atomic<bool> lent_{false};  // set on its thread, cleared there or, outside of waits, by Tick
    // [lock]
    clockid_t clock_ = 0;   // of its thread
    int64_t paused_at_ = 0;  // when its last wait gave up
    int64_t seen_ = 0;       // the last of these that Tick has seen, and what the thread had run by then
    int64_t ran_ = 0;
  };

  // In a wait of a task that has not lent.
  void Lend(Loan* loan);
  // It goes on. Nothing happens if it has not lent.
  void TakeBack(Loan* loan) {
    if (loan->lent()) TakeBackNow(loan);
  }
  // Its wait has given up at `now`, and it may wait again at once, for as long as it takes: only what follows shows whether it runs in between.
  // Taking the CPU back here would leave no moment in which a child could be granted one, once there are some who ask again and again.
  void Pause(Loan* loan, int64_t now);
  // It waits again; whether it still lends.
  bool Resume(Loan* loan);

  // A thread beside the task waits: one that the task has started, say, and joins.
  class WaitBeside {
   public:
    explicit WaitBeside(CpuLending* lending);
    ~WaitBeside();
    WaitBeside(const WaitBeside&) = delete;
    WaitBeside& operator=(const WaitBeside&) = delete;
    // kReached: it has got what it waited for, and goes on. kNeedsCpu: it gives up, but what it waits for may need this very CPU; what it does until
    // it asks again is no use of it.
    enum class End : uint8_t { kReached, kGaveUp, kNeedsCpu };
    void Ends(End end) { end_ = end; }

   private:
    CpuLending* const lending_;
    End end_ = End::kGaveUp;
  };

  // Service thread; returns nanoseconds until it wants to be called again, -1: it need not.
  int64_t Tick(int64_t now);

 private:
  void TakeBackNow(Loan* loan);
  void Count();    // [lock]
  void Discount();  // [lock]
  int64_t LookAtPauses(int64_t now);  // [lock]
  int64_t LookBeside(int64_t now);    // [lock]
  void LendBeside(bool lend);         // [lock]

  const Hooks hooks_;
  std::mutex mutex_;  // over all below
  uint32_t lenders_ = 0;
  std::vector<Loan*> paused_;
  int64_t last_pause_ = 0;
  int64_t next_look_ = 0;
  // Of the threads beside the task:
  uint32_t beside_ = 0;         // that wait now
  bool is_beside_ = false;      // some wait, or did a moment ago
  bool beside_lends_ = false;
  int64_t beside_left_at_ = 0;  // when the last of them left
  int64_t beside_ran_ = 0;      // in sum, in their waits
  int64_t window_ = 0;          // since when the process is looked at; 0: from the next Tick on
  int64_t window_wanted_ = 0;   // what it had wanted by then
  int64_t window_ns_ = 0;       // how long it is looked at
};

}  // namespace manta::worker
