#include "worker/turns.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace manta::worker {
namespace {

void SleepMs(long milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&time, nullptr);
}

class TurnsTest : public ::testing::Test {
 protected:
  // As if a thread had waited long for the lock.
  void Crowd() {
    while (long_waits() == 0) {
      std::atomic<bool> waits{false};
      lock_.lock();
      std::thread other([&] {
        waits = true;
        lock_.lock();
        lock_.unlock();
      });
      while (!waits) std::this_thread::yield();
      SleepMs(20);
      lock_.unlock();
      other.join();
    }
  }
  uint32_t long_waits() {
    std::lock_guard guard(lock_);
    return lock_.long_waits();
  }
  void Submit() {
    std::lock_guard guard(lock_);
    turns_.Await();
    ++submitted_;
  }
  uint64_t submitted() {
    std::lock_guard guard(lock_);
    return submitted_;
  }

  SpinLock lock_;
  Turns turns_{&lock_};
  uint64_t submitted_ = 0;
};

TEST_F(TurnsTest, OneThreadNeverWaits) {
  Crowd();
  for (int i = 0; i < 1'000'000; ++i) Submit();
  EXPECT_EQ(submitted(), 1'000'000u);
}

// Until each of four threads has had to wait a few times. The order of turns bounds how many submissions of others may overtake one
// that waits, however the kernel schedules the threads.
TEST_F(TurnsTest, WhoWaitsIsOvertakenByAFewTurnsAtMost) {
  constexpr size_t kThreads = 4;
  constexpr uint64_t kGiveUp = 50'000'000;
  struct Progress {
    bool waits = false;
    uint64_t overtaken = 0;
    uint64_t most = 0;
    uint32_t times = 0;
  } progress[kThreads];  // guarded by lock_
  const auto finished = [&] {
    return submitted_ > kGiveUp || std::all_of(progress, progress + kThreads, [](const Progress& p) { return p.times >= 10; });
  };
  Crowd();
  std::vector<std::thread> threads;
  for (Progress& mine : progress) {
    threads.emplace_back([&] {
      for (;;) {
        for (int i = 0; i < 8; ++i) CpuRelax();  // what a program does between submissions
        std::lock_guard guard(lock_);
        mine.waits = true;
        turns_.Await();
        mine.waits = false;
        mine.times += mine.overtaken > 0;
        mine.most = std::max(mine.most, std::exchange(mine.overtaken, 0));
        for (Progress& other : progress) other.overtaken += other.waits;
        ++submitted_;
        if (finished()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(submitted_, kGiveUp) << "some thread has hardly waited, or others never got their turn";
  for (const Progress& thread : progress) EXPECT_LT(thread.most, 100'000u) << "a turn has 4,096";
}

TEST_F(TurnsTest, AThreadThatSleepsPassesItsTurnOn) {
  Crowd();
  Submit();
  std::atomic<bool> done{false};
  std::thread other([&] {
    Submit();
    done = true;
  });
  turns_.Leave();
  other.join();
  EXPECT_TRUE(done);
}

std::mutex interpreter;
int slept = 0;  // guarded by it

// As Python's threads do, which submit with the interpreter's lock: whoever has the turn may wait for that.
TEST_F(TurnsTest, WhoSleepsDoesWhatTheHooksSay) {
  Turns::SetSleepHooks({[]() -> void* {
                          ++slept;
                          interpreter.unlock();
                          return &interpreter;
                        },
                        [](void* begun) { static_cast<std::mutex*>(begun)->lock(); }});
  Crowd();
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([this] {
      for (int call = 0; call < 20'000; ++call) {
        std::lock_guard guard(interpreter);
        Submit();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(submitted(), 40'000u);
  EXPECT_GT(slept, 0);
  Turns::SetSleepHooks({[]() -> void* { return nullptr; }, [](void*) {}});
}

TEST_F(TurnsTest, ATurnThatIsNotUsedIsLost) {
  Crowd();
  Submit();
  // No Leave: this thread waits for the other one, as it may while both use a lock of the program.
  std::thread other([this] { Submit(); });
  other.join();
  EXPECT_EQ(submitted(), 2u);
  Submit();
  EXPECT_EQ(submitted(), 3u);
}

TEST_F(TurnsTest, ASlowThreadLosesItsTurnToOneThatWaits) {
  Crowd();
  std::atomic<bool> done{false};
  Submit();
  std::thread other([&] {
    Submit();
    done = true;
  });
  int slow = 0;
  for (; !done && slow < 10'000; ++slow) {
    Submit();
    SleepMs(0);
  }
  other.join();
  EXPECT_LT(slow, 1000) << "far fewer than a turn's submissions";
}

}  // namespace
}  // namespace manta::worker
