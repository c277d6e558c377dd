// Two nodes whose trunk does not keep up: tasks and completions wait in the rings and in their owners, and nobody is lost.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/clusters/two_nodes.h"

namespace manta_test {
namespace {

constexpr size_t kBytes = 60'000;  // almost large enough for shared memory
constexpr int kManyCalls = 5'000;  // 300 MB: more than a link lets wait
constexpr long kFewMegabytes = MANTA_TEST_TIME_FACTOR > 1 ? 200 : 48;

void Sleep(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

// Has several threads, so that a caller may have thousands of calls under way.
class Worker {
 public:
  size_t Size(const std::string& text) { return text.size(); }
  std::string Echo(const std::string& text) { return text; }
  std::string Make(int number, const std::string& file) {
    while (access(file.c_str(), F_OK) != 0) Sleep(5ms);
    return std::string(kBytes, static_cast<char>('a' + number % 26));
  }
};

std::string WhereAfter(int milliseconds) {
  Sleep(std::chrono::milliseconds(milliseconds));
  return manta::GetRuntimeContext().GetNodeId();
}

// Of its own, not shared with others.
long MegabytesOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    long kilobytes = 0;
    status >> kilobytes;
    return kilobytes / 1024;
  }
  return -1;
}

class Host {
 public:
  int Pid() { return static_cast<int>(getpid()); }
  int Count(int number, const std::string& file) {
    while (access(file.c_str(), F_OK) != 0) Sleep(5ms);
    return number;
  }
  int WaitLong() {
    Sleep(60s);
    return 0;
  }
};

// Has more calls under way than fit into the ring of completions, and says who it is.
int CallOften(manta::ActorHandle<Host> host, const std::string& go, const std::string& pid_file) {
  std::vector<manta::ObjectRef<int>> numbers;
  for (int i = 0; i < kManyCalls; ++i) numbers.push_back(host.Task(&Host::Count).Remote(i, go));
  std::ofstream(pid_file + ".new") << getpid();
  rename((pid_file + ".new").c_str(), pid_file.c_str());
  int resolved = 0;
  for (const auto& number : numbers) {
    try {
      number.Get();
    } catch (const manta::ActorDiedError&) {
    }
    ++resolved;
  }
  return resolved;
}

bool DiesInACall(manta::ActorHandle<Host> host, const std::string& begun) {
  const auto waiting = host.Task(&Host::WaitLong).Remote();
  std::ofstream(begun) << "begun";
  try {
    waiting.Get();
  } catch (const manta::ActorDiedError&) {
    return true;
  }
  return false;
}

class BackPressure : public TwoNodesTest {
 protected:
  manta::ActorHandle<Worker> FarWorker() {
    auto worker = manta::Actor<Worker>().SetResource("far", 0.1).SetMaxConcurrency(4).Remote();
    EXPECT_EQ(*worker.Task(&Worker::Size).Remote(std::string("abc")).Get(), 3u);
    return worker;
  }
};

TEST_F(BackPressure, TasksWaitInTheirOwnersForANodeThatDoesNotRead) {
  auto worker = FarWorker();
  std::vector<manta::ObjectRef<size_t>> sizes;
  {
    Stopped stopped(node_->pid());
    for (int i = 0; i < kManyCalls; ++i) sizes.push_back(worker.Task(&Worker::Size).Remote(std::string(kBytes, 'x')));
    Sleep(2s);
    EXPECT_LT(MegabytesOf(head_->pid()), kFewMegabytes);
  }
  for (const auto& size : sizes) ASSERT_EQ(*size.Get(), kBytes);
}

TEST_F(BackPressure, ResultsWaitInTheRingsForANodeThatDoesNotRead) {
  auto worker = FarWorker();
  const std::string file = root() + "/go";
  std::vector<manta::ObjectRef<std::string>> made;
  for (int i = 0; i < kManyCalls; ++i) made.push_back(worker.Task(&Worker::Make).Remote(i, file));
  Sleep(1s);  // all of them are there
  {
    Stopped stopped(head_->pid());
    std::ofstream(file) << "go";
    Sleep(2s);
    EXPECT_LT(MegabytesOf(node_->pid()), kFewMegabytes);
  }
  for (int i = 0; i < kManyCalls; ++i) {
    const auto text = made[i].Get();
    ASSERT_EQ(text->size(), kBytes);
    ASSERT_EQ(text->front(), 'a' + i % 26);
  }
}

TEST_F(BackPressure, BothDirectionsAreFullAtOnce) {
  auto worker = FarWorker();
  std::vector<manta::ObjectRef<std::string>> echoes;
  for (int round = 0; round < 3; ++round) {
    Stopped stopped(round % 2 == 0 ? node_->pid() : head_->pid());
    for (int i = 0; i < 500; ++i) {
      echoes.push_back(worker.Task(&Worker::Echo).Remote(std::string(kBytes, static_cast<char>('a' + i % 26))));
    }
    Sleep(300ms);
  }
  for (size_t i = 0; i < echoes.size(); ++i) {
    const auto text = echoes[i].Get();
    ASSERT_EQ(text->size(), kBytes);
    ASSERT_EQ(text->front(), 'a' + static_cast<int>(i) % 500 % 26);
  }
}

// The object space of their owner's node is full: what travels by copy needs no room there.
TEST_F(BackPressure, ResultsPassAFullObjectSpace) {
  LimitTime(60s);
  auto worker = FarWorker();
  std::vector<manta::ObjectRef<std::string>> held;
  for (size_t bytes = 1 << 20; bytes > 64 << 10; bytes /= 2) {
    while (manta::AvailableResources()["object_store_memory"] >= kStore + 1.5 * static_cast<double>(bytes)) {
      held.push_back(manta::Put(std::string(bytes, 'f')));
    }
  }
  std::vector<manta::ObjectRef<std::string>> echoes;
  for (int i = 0; i < 200; ++i) echoes.push_back(worker.Task(&Worker::Echo).Remote(std::string(kBytes, 'e')));
  for (const auto& echo : echoes) ASSERT_EQ(echo.Get()->size(), kBytes);
}

TEST_F(BackPressure, ACallerThatDoesNotReadHidesNoDeathFromTheOthers) {
  auto host = manta::Actor<Host>().SetResource("far", 0.1).SetMaxConcurrency(600).Remote();
  const pid_t host_pid = *host.Task(&Host::Pid).Remote().Get();
  const std::string go = root() + "/go";
  const std::string pid_file = root() + "/caller";
  const auto resolved = manta::Task(CallOften).SetResource("near", 0.1).SetNumCpus(0).Remote(host, go, pid_file);
  ASSERT_TRUE(Eventually(10s, [&] { return access(pid_file.c_str(), F_OK) == 0; }));
  pid_t caller = 0;
  std::ifstream(pid_file) >> caller;
  const std::string begun = root() + "/begun";
  const auto died = manta::Task(DiesInACall).SetResource("near", 0.1).SetNumCpus(0).Remote(host, begun);
  ASSERT_TRUE(Eventually(10s, [&] { return access(begun.c_str(), F_OK) == 0; }));
  Sleep(1s);  // all calls are there
  {
    Stopped stopped(caller);
    std::ofstream(go) << "go";
    Sleep(500ms);  // its ring is full now
    kill(host_pid, SIGKILL);
    const Stopwatch watch;
    EXPECT_TRUE(*died.Get());
    EXPECT_LT(watch.seconds(), 10 * MANTA_TEST_TIME_FACTOR);
  }
  EXPECT_EQ(*resolved.Get(), kManyCalls);
}

TEST_F(BackPressure, WhatWaitsInItsOwnerIsCancelledAtOnce) {
  auto worker = FarWorker();
  const auto running = manta::Task(WhereAfter).SetResource("far", 0.1).Remote(2000);
  ASSERT_TRUE(Eventually(5s, [] { return manta::AvailableResources()["far"] < 0.85; }));
  Stopped stopped(node_->pid());
  std::vector<manta::ObjectRef<size_t>> sizes;
  for (int i = 0; i < 500; ++i) sizes.push_back(worker.Task(&Worker::Size).Remote(std::string(kBytes, 'x')));
  Sleep(300ms);
  const Stopwatch watch;
  const auto waiting = manta::Task(WhereAfter).SetResource("far", 0.1).Remote(0);
  Sleep(50ms);
  manta::Cancel(waiting);
  EXPECT_THROW(waiting.Get(), manta::TaskCancelledError);
  EXPECT_LT(watch.seconds(), 1);
  stopped.Continue();
  EXPECT_NE(*running.Get(), head_id_);
  for (const auto& size : sizes) ASSERT_EQ(*size.Get(), kBytes);
}

}  // namespace
}  // namespace manta_test
