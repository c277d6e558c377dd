#include "tests/support/cluster_test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace manta_test {
namespace {

namespace fs = std::filesystem;

const ClusterTest* running_test = nullptr;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The process is about to end: what is not allowed in signal handlers is worth the risk, and a second alarm bounds it.
void OnTimeUp(int) {
  signal(SIGALRM, SIG_DFL);
  alarm(5);
  std::fprintf(stderr, "THE TIME OF THE TEST IS UP. Processes:\n%s\nDaemon:\n%s\n",
               Describe(running_test->Processes()).c_str(), running_test->DaemonLog().c_str());
  std::fflush(nullptr);
  for (const Process& process : running_test->Processes()) kill(process.pid, SIGKILL);  // or daemons would outlive the test
  std::abort();
}

}  // namespace

ClusterTest::ClusterTest() {
  const char* base = std::getenv("TMPDIR");
  root_ = std::string(base != nullptr ? base : "/tmp") + "/manta-test-XXXXXX";
  if (mkdtemp(root_.data()) == nullptr) std::abort();
  setenv("MANTA_TMPDIR", root_.c_str(), 1);
  unsetenv("MANTA_ADDRESS");
  unsetenv("RAY_ADDRESS");
  running_test = this;
  signal(SIGALRM, OnTimeUp);
  LimitTime(30s);
}

ClusterTest::~ClusterTest() {
  alarm(0);
  if (HasFailure()) {
    std::fprintf(stderr, "The sessions of this test are kept in %s. Daemon:\n%s\n", root_.c_str(),
                 DaemonLog().c_str());
    return;
  }
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void ClusterTest::LimitTime(std::chrono::seconds limit) {
  alarm(static_cast<unsigned>(limit.count() * MANTA_TEST_TIME_FACTOR));
}

void ClusterTest::SetUp() {
  descriptors_before_ = OpenDescriptors(getpid());
  threads_before_ = ThreadCount(getpid());
}

void ClusterTest::TearDown() {
  if (manta::IsInitialized()) manta::Shutdown();
  ExpectNothingLeft();
}

bool ClusterTest::OnlyDaemonsRun() const {
  const std::vector<Process> processes = Processes();
  return std::all_of(processes.begin(), processes.end(),
                     [](const Process& process) { return process.role == Role::kDaemon || process.role == Role::kAttendant; });
}

pid_t ClusterTest::ThePid(Role role) const {
  std::vector<pid_t> pids;
  (void)Eventually(5s, [&] { return (pids = Pids(role)).size() == 1; });
  return pids.size() == 1 ? pids.front() : 0;
}

std::vector<std::string> ClusterTest::Sessions() const {
  std::vector<std::string> sessions;
  std::error_code none;
  for (const auto& user : fs::directory_iterator(root_, none)) {
    for (const auto& session : fs::directory_iterator(user, none)) sessions.push_back(session.path());
  }
  return sessions;
}

std::string ClusterTest::LeftInSessions() const {
  std::string left;
  for (const std::string& session : Sessions()) {
    for (const auto& entry : fs::directory_iterator(session)) {
      const std::string name = entry.path().filename();
      if (name != "logs" && name != "recorder") left += entry.path().string() + "\n";
    }
    if (!fs::exists(session + "/logs")) continue;
    for (const auto& entry : fs::directory_iterator(session + "/logs")) {
      const std::string kind = entry.path().extension();
      if (kind != ".log" && kind != ".out" && kind != ".err") left += entry.path().string() + "\n";
    }
  }
  return left;
}

std::string ClusterTest::DaemonLog() const {
  std::string text;
  for (const std::string& session : Sessions()) {
    text += ReadFile(session + "/logs/daemon.log") + ReadFile(session + "/logs/daemon.err");
  }
  return text;
}

void ClusterTest::ExpectNoProcesses(std::chrono::milliseconds within) const {
  std::vector<Process> left;
  const bool gone = Eventually(within, [&] { return (left = Processes()).empty(); });
  EXPECT_TRUE(gone) << "processes are left:\n" << Describe(left);
  // Not to disturb what comes next.
  for (const Process& process : left) kill(process.pid, SIGKILL);
}

void ClusterTest::ExpectNothingLeft() const {
  ExpectNoProcesses();
  EXPECT_EQ(SharedMemoryMappings(getpid()), 0) << "mappings of shared memory";
  EXPECT_EQ(SharedMemoryDescriptors(getpid()), 0) << "descriptors of shared memory";
  EXPECT_EQ(OpenDescriptors(getpid()), descriptors_before_) << "descriptors that were not closed";
  EXPECT_EQ(ThreadCount(getpid()), threads_before_) << "threads that did not end";
  EXPECT_EQ(ChildrenOf(getpid()).size(), 0u) << "children that nobody has waited for";
  EXPECT_EQ(LeftInSessions(), "") << "files other than logs";
}

void ConnectedTest::SetUp() {
  ClusterTest::SetUp();
  manta::Config config;
  config.num_cpus = 2;
  manta::Init(config);
}

StartedCluster::StartedCluster(const std::string& arguments) {
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  const std::string command = (executable != nullptr ? executable : "manta") +
                              std::string(" start --head --json ") + arguments;
  FILE* output = popen(command.c_str(), "r");
  std::string answer;
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof buffer, output)) > 0;) answer.append(buffer, size);
  const int status = pclose(output);
  const std::string key = "\"address\":\"";
  const size_t begin = answer.find(key);
  if (status != 0 || begin == std::string::npos) {
    ADD_FAILURE() << "`" << command << "` has failed: " << answer;
    return;
  }
  const size_t end = answer.find('"', begin + key.size());
  address_ = answer.substr(begin + key.size(), end - begin - key.size());
}

StartedCluster::~StartedCluster() {
  if (!address_.empty()) Stop();
}

void StartedCluster::Stop() {
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  const std::string command = (executable != nullptr ? executable : "manta") +
                              std::string(" stop --address ") + address_ + " > /dev/null";
  EXPECT_EQ(system(command.c_str()), 0) << command;
  address_.clear();
}

}  // namespace manta_test
