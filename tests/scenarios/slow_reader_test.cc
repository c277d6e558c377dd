// A process that does not read its control socket for a while: what others send to it waits where it is, and it lives on.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

constexpr size_t kBytes = 60'000;  // larger values travel in shared memory instead
constexpr int kCalls = 4;
constexpr int kOfEach = 500;  // 120 MB in all: more than may wait for one process

std::string Path(const std::string& folder, const char* name) { return folder + "/" + name; }
bool Exists(const std::string& file) { return access(file.c_str(), F_OK) == 0; }
void Sleep(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

class Maker {
 public:
  std::string Make(int number, const std::string& folder) {
    while (!Exists(Path(folder, "go"))) Sleep(2ms);
    return std::string(kBytes, static_cast<char>('a' + number % 26));
  }
};

class Reader {
 public:
  int Pid() { return getpid(); }
  // Asks for all of them at once.
  size_t TotalSize(const std::vector<manta::ObjectRef<std::string>>& references) {
    size_t size = 0;
    for (const auto& value : manta::Get(references)) size += value->size();
    return size;
  }
};

// Two of these read each other's values at the same time.
class Exchange {
 public:
  std::vector<manta::ObjectRef<std::string>> Make() {
    std::vector<manta::ObjectRef<std::string>> values;
    for (int i = 0; i < 240; ++i) values.push_back(manta::Put(std::string(kBytes, 'x')));
    return values;
  }
  size_t TotalSize(const std::vector<manta::ObjectRef<std::string>>& references) {
    size_t size = 0;
    for (const auto& value : manta::Get(references)) size += value->size();
    return size;
  }
};

class SlowReader : public ConnectedTest {};

TEST_F(SlowReader, KeepsWhoeverSendsToItWaiting) {
  auto maker = manta::Actor<Maker>().SetMaxConcurrency(2).Remote();
  auto reader = manta::Actor<Reader>().SetMaxConcurrency(kCalls).Remote();
  const pid_t pid = *reader.Task(&Reader::Pid).Remote().Get();
  std::vector<manta::ObjectRef<size_t>> totals;
  for (int call = 0; call < kCalls; ++call) {
    std::vector<manta::ObjectRef<std::string>> values;
    for (int i = 0; i < kOfEach; ++i) values.push_back(maker.Task(&Maker::Make).Remote(i, root()));
    totals.push_back(reader.Task(&Reader::TotalSize).Remote(values));
  }
  Sleep(500ms);  // it waits for all of them
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  std::ofstream(Path(root(), "go")) << "go";
  Sleep(2s);
  ASSERT_EQ(kill(pid, SIGCONT), 0);
  for (const auto& total : totals) EXPECT_EQ(*total.Get(), kOfEach * kBytes);
}

TEST_F(SlowReader, TwoThatSendToEachOtherDoNotWaitForEachOther) {
  std::vector<manta::ActorHandle<Exchange>> both;
  for (int i = 0; i < 2; ++i) both.push_back(manta::Actor<Exchange>().SetMaxConcurrency(4).Remote());
  std::vector<std::vector<std::vector<manta::ObjectRef<std::string>>>> made(2);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 4; ++j) made[i].push_back(*both[i].Task(&Exchange::Make).Remote().Get());
  }
  std::vector<manta::ObjectRef<size_t>> totals;
  for (int j = 0; j < 4; ++j) {
    for (int i = 0; i < 2; ++i) totals.push_back(both[1 - i].Task(&Exchange::TotalSize).Remote(made[i][j]));
  }
  for (const auto& total : totals) EXPECT_EQ(*total.Get(), 240 * kBytes);
}

}  // namespace
}  // namespace manta_test
