// Whether a task that waits in many short waits waits, taken together: it lends its CPU then, as one does that waits once and long.
#pragma once

#include <algorithm>
#include <cstdint>

namespace manta::worker {

// What a thread did with its time; what it neither ran nor queued for a core, it slept.
struct ThreadTimes {
  int64_t ran = 0;     // ns
  int64_t queued = 0;  // ns, see base/schedstat.h
};

// Of the calling thread. Cost: two system calls; four on others than the main one.
ThreadTimes ReadThreadTimes();

// Of one task; on its thread. The thread's times are read once in half a millisecond at most.
class WaitHistory {
 public:
  // A task that waits for less keeps its CPU: lending it out and taking it back would start workers for nothing.
  static constexpr int64_t kLendAfterNs = 5'000'000;
  // Who asks again so soon after it gave up has done nothing else meanwhile but to catch an exception.
  static constexpr int64_t kAtOnceNs = 30'000;

  // A wait with a limit begins at `now` (CLOCK_MONOTONIC). `times` gives ThreadTimes.
  template <typename Times>
  void Begin(int64_t now, const Times& times) {
    began_ = now;
    if (gave_up_at_ == 0) return;
    if (now - gave_up_at_ <= kAtOnceNs) looked_ += now - gave_up_at_;
    if (now - read_at_ >= kReadAgainNs) Settle(now, times());
  }
  void Begin(int64_t now) { Begin(now, ReadThreadTimes); }

  // It has ended without what it was for. `needs_cpu`: whether that is a task of this process that no worker has yet. It may need this very
  // CPU: who asks for it again and again waits for it, whatever it does in between.
  template <typename Times, typename NeedsCpu>
  void GaveUp(int64_t now, const NeedsCpu& needs_cpu, const Times& times) {
    looked_ += std::min(now - began_, kLongestLookNs);
    gave_up_at_ = now;
    in_vain_ = true;
    if (now - asked_at_ >= kReadAgainNs) {
      needs_cpu_ = needs_cpu();
      asked_at_ = now;
    }
    if (now - read_at_ >= kReadAgainNs) Settle(now, times());
  }
  template <typename NeedsCpu>
  void GaveUp(int64_t now, const NeedsCpu& needs_cpu) {
    GaveUp(now, needs_cpu, ReadThreadTimes);
  }

  void Reached() { in_vain_ = false; }
  // Whether the last wait gave up: then the next one hardly finds at once what that one has not found.
  bool in_vain() const { return in_vain_; }

  // When a wait that has slept since `parked_at` makes the task lend its CPU.
  int64_t LendsAt(int64_t parked_at) const { return parked_at + std::max<int64_t>(kLendAfterNs - idle_, 0); }
  // It has been idle for long enough to lend.
  void Lent() { idle_ = std::max(idle_, kLendAfterNs); }
  // Whether one that has lent has computed since for longer than it was idle.
  bool computes() const { return idle_ == 0; }

 private:
  static constexpr int64_t kReadAgainNs = 500'000;
  // What a wait runs for at most; if it took longer it slept, or queued.
  static constexpr int64_t kLongestLookNs = 200'000;
  // What a task did longer ago than it takes to fill this does not count.
  static constexpr int64_t kMostNs = 2 * kLendAfterNs;

  // Time that the thread sleeps or looks for what it waits for speaks for lending, time that it computes against it, and time that it queues
  // for a core for neither: on a busy machine every task does.
  void Settle(int64_t now, ThreadTimes times) {
    if (read_at_ != 0) {
      const int64_t ran = times.ran - times_.ran;
      // Who loses its core after `now` was read has queued for longer than has passed by then; that belongs to the next time.
      const int64_t rest = now - read_at_ - ran - (times.queued - times_.queued) - ahead_;
      const int64_t slept = std::max<int64_t>(rest, 0);
      ahead_ = slept - rest;
      const int64_t looked = needs_cpu_ ? ran : std::min(looked_, ran);
      idle_ = std::clamp<int64_t>(idle_ + slept + looked - (ran - looked), 0, kMostNs);
    }
    read_at_ = now;
    times_ = times;
    looked_ = 0;
  }

  int64_t idle_ = 0;  // less what it computed
  int64_t looked_ = 0;  // since read_at_: in waits, and between two that follow each other at once
  int64_t began_ = 0;
  int64_t gave_up_at_ = 0;  // 0: never
  int64_t read_at_ = 0;
  ThreadTimes times_;  // as of read_at_, or a little later
  int64_t ahead_ = 0;  // by how much, in sum
  bool in_vain_ = false;
  bool needs_cpu_ = false;  // what it waits for, at asked_at_
  int64_t asked_at_ = 0;
};

}  // namespace manta::worker
