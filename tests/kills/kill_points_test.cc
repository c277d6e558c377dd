// Processes that die between two stores, or between asking and being answered: at the kill points of src/base/kill_point.h.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "src/base/kill_point.h"
#include "tests/kills/fixture.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

constexpr size_t kNumbers = (256 << 10) / sizeof(int);

std::vector<int> Make(int first) { return std::vector<int>(kNumbers, first); }
int Size(const std::vector<int>& values) { return static_cast<int>(values.size()); }
int Nothing(int value) { return value; }
int Parent(int value) {
  std::vector<manta::ObjectRef<int>> children;
  for (int i = 0; i < 4; ++i) children.push_back(manta::Task(Nothing).SetNumCpus(0.5).Remote(value));
  const auto object = manta::Put(Make(value));
  children.push_back(manta::Task(Size).Remote(object));
  int sum = 0;
  for (const auto& child : children) sum += *manta::Get(child);
  return sum;
}
int Keep(const manta::Array<int>& values) { return static_cast<int>(values.size()); }

using References = std::vector<manta::ObjectRef<int>>;

// Some of everything: short tasks, large results that others read, nested tasks, objects that are put and freed.
References SubmitSome() {
  References references;
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 10; ++j) references.push_back(manta::Task(Nothing).SetMaxRetries(5).Remote(j));
    references.push_back(manta::Task(Size).SetMaxRetries(5).Remote(manta::Task(Make).SetMaxRetries(5).Remote(i)));
    references.push_back(manta::Task(Parent).SetMaxRetries(5).Remote(i));
    references.push_back(manta::Task(Keep).SetMaxRetries(5).Remote(manta::Put(manta::Array<int>(Make(i)))));
  }
  return references;
}

// What MANTA_KILL_ORDER names for this process and all that it starts.
struct OrderFile {
  OrderFile() {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(manta::KillOrder)) != 0) std::abort();
    void* map = mmap(nullptr, sizeof(manta::KillOrder), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) std::abort();
    order = static_cast<manta::KillOrder*>(map);
    setenv("MANTA_KILL_ORDER", path.c_str(), 1);
  }
  ~OrderFile() { unlink(path.c_str()); }

  const std::string path = testing::TempDir() + "manta-kill-order-" + std::to_string(getpid());
  manta::KillOrder* order = nullptr;
};

class KillPoints : public KillTest {
 protected:
  void SetUp() override {
#ifndef MANTA_KILL_POINTS
    GTEST_SKIP() << "this build has no kill points: the presets asan, debug and tsan have them";
#endif
    KillTest::SetUp();
    static OrderFile file;  // a process looks for it once
    order_ = file.order;
  }
  void TearDown() override {
#ifdef MANTA_KILL_POINTS
    KillTest::TearDown();
#endif
  }
  // The process that comes to the point as the nth dies. `spared` passes.
  void Order(const char* point, int nth, pid_t spared) {
    order_->countdown = 0;
    std::strcpy(order_->point, point);
    order_->spared = spared;
    order_->died = 0;
    order_->countdown = nth;
  }
  pid_t died() const { return order_->died; }
  void Withdraw() { order_->countdown = 0; }

 private:
  manta::KillOrder* order_ = nullptr;
};

TEST_F(KillPoints, OfWorkers) {
  manta::Init(OfTwoCpus());
  for (const char* point :
       {"worker.before_hello", "worker.attached", "worker.task_claimed", "worker.result_written",
        "worker.result_published", "worker.doorbell_rung", "owner.slot_claimed", "owner.slot_published",
        "owner.result_read", "object.space_asked", "object.space_given", "object.written", "object.sealed"}) {
    for (int round = 0; round < kKills; ++round) {
      const bool starting = std::string(point) == "worker.before_hello" || std::string(point) == "worker.attached";
      if (starting) {
        for (const pid_t worker : Pids(Role::kWorker)) kill(worker, SIGKILL);  // so that others start
      }
      Order(point, starting ? 1 : 1 + round % 5, getpid());
      Stopwatch watch;
      References references = SubmitSome();
      EXPECT_TRUE(Eventually(20s, [&] {
        if (died() != 0) return true;
        for (const auto& reference : references) Resolve(reference);
        references = SubmitSome();
        return died() != 0;
      })) << "nobody has come to " << point;
      Outcomes outcomes;
      for (const auto& reference : references) {
        const Resolution one = Resolve(reference);
        ++outcomes[one.how];
        EXPECT_EQ(one.how, "value") << point << ": " << one.message;
      }
      log().Add(point, "worker " + std::to_string(died()), outcomes, watch.seconds());
      ASSERT_FALSE(HasFailure()) << point << ", kill " << round;
    }
  }
  Withdraw();
  manta::Shutdown();
}

TEST_F(KillPoints, OfDaemons) {
  for (const char* point : {"daemon.space_granted", "daemon.object_freed", "daemon.space_reclaimed",
                            "daemon.lease_granted"}) {
    for (int round = 0; round < kKills; ++round) {
      Order(point, 1 + round % (std::strcmp(point, "daemon.lease_granted") == 0 ? 1 : 3), getpid());
      manta::Init(OfTwoCpus());
      Stopwatch watch;
      Outcomes outcomes;
      const auto use = [&] {
        const References references = SubmitSome();
        for (const auto& reference : references) {
          const Resolution one = Resolve(reference);
          ++outcomes[one.how];
          EXPECT_TRUE(one.how == "value" || one.how == "NodeDied") << point << ": " << one.message;
        }
      };
      EXPECT_TRUE(Eventually(20s, [&] {
        try {
          use();
        } catch (const manta::NodeDiedError&) {
          ++outcomes["NodeDied"];
        }
        return died() != 0;
      })) << "the daemon has not come to " << point;
      ExpectNoProcesses();
      manta::Shutdown();
      ExpectOnlyLogsLeft();
      log().Add(point, "daemon " + std::to_string(died()), outcomes, watch.seconds());
      ASSERT_FALSE(HasFailure()) << point << ", kill " << round;
    }
  }
}

TEST_F(KillPoints, OfDrivers) {
  for (const char* point : {"owner.slot_claimed", "owner.slot_published", "owner.result_read",
                            "object.space_asked", "object.space_given"}) {
    for (int round = 0; round < kKills; ++round) {
      Order("nowhere", 1, 0);
      DriverProcess driver([&](const DriverProcess::Say& say) {
        alarm(0);
        manta::Init(OfTwoCpus());
        manta::Get(manta::Task(Nothing).Remote(1));
        // No nested tasks here: the driver is the only one that submits and puts.
        Order(point, 1 + round % 5, 0);
        say("there");
        for (;;) {
          References tasks;
          for (int i = 0; i < 10; ++i) tasks.push_back(manta::Task(Nothing).Remote(i));
          tasks.push_back(manta::Task(Size).Remote(manta::Put(Make(1))));
          manta::Get(tasks);
        }
      });
      ASSERT_EQ(driver.Hear(20s).value_or("nothing"), "there");
      Stopwatch watch;
      EXPECT_TRUE(driver.Wait(20s)) << "the driver has not come to " << point;
      EXPECT_EQ(died(), driver.pid());
      ExpectOnlyLogsLeft();
      log().Add(point, "driver " + std::to_string(died()), {}, watch.seconds());
      ASSERT_FALSE(HasFailure()) << point << ", kill " << round;
    }
  }
}

}  // namespace
}  // namespace manta_test
