// What belongs to one connection to a cluster, from Init to Shutdown, and does not leak out of it: references, and the process.
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

class Connection : public ClusterTest {};

std::string Echo(std::string text) { return text; }
std::string First(std::vector<manta::ObjectRef<std::string>> texts) { return *texts[0].Get(); }

TEST_F(Connection, ReferencesOfAnEarlierOneAreRefusedEverywhere) {
  manta::Init();
  std::vector<manta::ObjectRef<std::string>> old = {
      manta::Put(std::string("small")), manta::Put(std::string(5'000, 'm')),
      manta::Put(std::string(200'000, 'l')), manta::Task(Echo).Remote(std::string("result"))};
  manta::Get(old);
  manta::Shutdown();

  manta::Init();
  // In the places that the old ones had.
  std::vector<manta::ObjectRef<std::string>> others;
  for (int i = 0; i < 50; ++i) others.push_back(manta::Put(std::string(i % 2 == 0 ? 20 : 200'000, 'n')));
  for (const manta::ObjectRef<std::string>& reference : old) {
    const auto names_the_cause = [](const std::string& message) {
      EXPECT_NE(message.find("a connection that was shut down"), std::string::npos) << message;
    };
    names_the_cause(MessageOf<manta::InvalidArgumentError>([&] { manta::Get(reference); }));
    names_the_cause(MessageOf<manta::InvalidArgumentError>([&] { manta::Task(Echo).Remote(reference); }));
    names_the_cause(MessageOf<manta::InvalidArgumentError>(
        [&] { manta::Task(First).Remote(std::vector{reference}); }));
    names_the_cause(MessageOf<manta::InvalidArgumentError>([&] { manta::Put(std::vector{reference}); }));
    names_the_cause(MessageOf<manta::InvalidArgumentError>([&] { manta::Wait(std::vector{reference}, 1, 0); }));
    names_the_cause(MessageOf<manta::InvalidArgumentError>([&] { manta::Cancel(reference); }));
  }
  EXPECT_EQ(*manta::Get(others[0]), std::string(20, 'n'));
  others.clear();
  old.clear();  // the last of an earlier connection: what it was in goes with the next Shutdown
}

struct Greeter {
  std::string Greet() { return "hello"; }
};

TEST_F(Connection, HandlesOfAnEarlierOneAreRefused) {
  manta::Init();
  auto old = std::make_optional(manta::Actor<Greeter>().Remote());
  EXPECT_EQ(*manta::Get(old->Task(&Greeter::Greet).Remote()), "hello");
  manta::Shutdown();
  manta::Init();
  for (const std::string& message : {MessageOf<manta::NotInitializedError>([&] { old->Task(&Greeter::Greet).Remote(); }),
                                     MessageOf<manta::NotInitializedError>([&] { old->Kill(); })}) {
    EXPECT_NE(message.find("a connection that was shut down"), std::string::npos) << message;
  }
  old.reset();
}

// The memory of a cluster that goes on is given to others, but not what is still read here.
TEST_F(Connection, ViewsOutliveIt) {
  constexpr size_t kNumbers = 2 << 20;  // 16 MiB
  StartedCluster cluster("--num-cpus 1 --object-store-memory 67108864");
  manta::Config config;
  config.address = cluster.address();
  const auto fill = [&](int64_t number, size_t objects) {
    DriverProcess other([&](const DriverProcess::Say&) {
      manta::Init(config);
      {
        std::vector<manta::ObjectRef<manta::Array<int64_t>>> held;
        for (size_t i = 0; i < objects; ++i) held.push_back(manta::Put(manta::Array<int64_t>(std::vector<int64_t>(kNumbers, number))));
      }
      manta::Shutdown();
    });
    return other.Succeeds(20s);
  };
  manta::Init(config);
  {
    auto reference = std::make_optional(manta::Put(manta::Array<int64_t>(std::vector<int64_t>(kNumbers, 7))));
    const manta::Array<int64_t> view = *reference->Get();
    reference.reset();
    manta::Shutdown();
    EXPECT_TRUE(fill(9, 2));
    EXPECT_EQ(std::count(view.begin(), view.end(), 7), static_cast<std::ptrdiff_t>(kNumbers));
  }
  manta::Shutdown();
  EXPECT_TRUE(Eventually(5s, [&] { return fill(8, 3); })) << "its space is free";
}

// As in the constructor of a static object, which a worker runs on its way to main.
TEST_F(Connection, IsNotMadeOnAWorkersWayToMain) {
  setenv("MANTA_ZYGOTE_FD", "3", 1);
  const std::string message = MessageOf<manta::InvalidArgumentError>([] { manta::Init(); });
  unsetenv("MANTA_ZYGOTE_FD");
  EXPECT_NE(message.find("before main"), std::string::npos) << message;
  EXPECT_TRUE(Processes().empty());
}

// What keeps the daemon from starting reaches the one who calls Init, though the daemon has ended by then.
TEST_F(Connection, ThatFailsSaysWhyTheDaemonDidNotStart) {
  const char* before = getenv("MANTA_TMPDIR");
  const std::optional<std::string> kept = before != nullptr ? std::optional<std::string>(before) : std::nullopt;
  setenv("MANTA_TMPDIR", "/nowhere/at/all", 1);
  for (int i = 0; i < 5; ++i) {
    const std::string message = MessageOf<manta::SystemError>([] { manta::Init(); });
    EXPECT_NE(message.find("MANTA_TMPDIR=/nowhere/at/all has to name a directory"), std::string::npos) << message;
  }
  kept ? setenv("MANTA_TMPDIR", kept->c_str(), 1) : unsetenv("MANTA_TMPDIR");
}

TEST_F(Connection, ToAutoIsToTheNewestCluster) {
  const StartedCluster older;
  const StartedCluster newer;
  manta::Config config;
  config.address = "auto";
  manta::Init(config);
  const std::string session = manta::GetRuntimeContext().GetSessionDirectory();
  EXPECT_NE(session.find(newer.address()), std::string::npos) << session;
  manta::Shutdown();
}

// Runs `body` in a child made by fork(); the number that it returns is the child's exit status.
template <class Body>
int StatusOfChild(Body&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

template <class Call>
bool ThrowsNotInitialized(Call&& call) {
  try {
    call();
  } catch (const manta::NotInitializedError& error) {
    return std::string(error.what()).find("fork()") != std::string::npos;
  }
  return false;
}

TEST_F(Connection, UnderATightLimitOfFilesWorksOrNamesTheLimit) {
  if (MANTA_TEST_TIME_FACTOR > 1) GTEST_SKIP() << "the sanitizers look at objects through pipes, and find damage without them";
  for (rlim_t limit = 8; limit <= 24; ++limit) {
    const ProgramResult result = RunProgram({ExamplePath("hello")}, [limit] {
      const rlimit files{limit, limit};
      setrlimit(RLIMIT_NOFILE, &files);
    });
    if (result.status == 0) continue;
    EXPECT_NE(result.err.find("ulimit -n"), std::string::npos) << limit << ": " << result.err;
  }
}

// The limit counts what a user runs, and binds all but root: so the program runs as somebody who runs nothing else.
TEST_F(Connection, UnderATightLimitOfProcessesWorksOrNamesTheLimit) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root, to become a user without processes";
  LimitTime(60s);
  const uid_t nobody = 100'000 + getpid();
  ASSERT_EQ(chown(root().c_str(), nobody, nobody), 0);
  int named = 0;
  for (rlim_t limit = 1; limit <= 8; ++limit) {
    const ProgramResult result = RunProgram({ExamplePath("hello")}, [limit, nobody] {
      const rlimit processes{limit, limit};
      setrlimit(RLIMIT_NPROC, &processes);
      if (setgid(nobody) != 0 || setuid(nobody) != 0) _exit(99);
    });
    if (result.status == 0) continue;
    ++named;
    EXPECT_NE(result.err.find("ulimit -u"), std::string::npos) << limit << ": " << result.err;
    EXPECT_EQ(result.err.find("std::system_error"), std::string::npos) << limit << ": " << result.err;
  }
  EXPECT_GE(named, 4) << "driver, its thread, daemon, zygote, worker, its thread";
}

TEST_F(Connection, UnderATightLimitOfFileSizesNamesTheLimit) {
  const ProgramResult result = RunProgram({ExamplePath("hello")}, [] {
    const rlimit size{10 << 10, 10 << 10};
    setrlimit(RLIMIT_FSIZE, &size);
  });
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find("ulimit -f"), std::string::npos) << result.err;
}

TEST_F(Connection, UnderATightLimitOfTheStackNamesTheLimit) {
  const ProgramResult result = RunProgram({ExamplePath("hello")}, [] {
    const rlimit stack{64 << 10, 64 << 10};
    setrlimit(RLIMIT_STACK, &stack);
  });
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find("ulimit -s"), std::string::npos) << result.err;
}

TEST_F(Connection, OffersNoAmountThatIsNoNumber) {
  manta::Config config;
  config.num_cpus = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); }).find("num_cpus"), std::string::npos);
  config = {};
  config.num_gpus = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); }).find("num_gpus"), std::string::npos);
}

TEST_F(Connection, NeedsNoStandardDescriptors) {
  for (int closed = 0; closed < 8; ++closed) {
    const ProgramResult result = RunProgram({ExamplePath("hello")}, [closed] {
      for (int fd = 0; fd < 3; ++fd) {
        if ((closed & 1 << fd) != 0) close(fd);
      }
    });
    EXPECT_EQ(result.status, 0) << closed << ": " << result.err;
  }
}

// The sockets of a killed daemon stay open until the system has taken its memory apart.
TEST_F(Connection, ToAutoIsToNoClusterThatEndsMeanwhile) {
  const std::string folder = std::string(getenv("MANTA_TMPDIR")) + "/manta-" + std::to_string(geteuid());
  const std::string session = folder + "/session_ending_1";
  std::filesystem::create_directories(session);
  chmod(folder.c_str(), 0700);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "manta-test-" + std::to_string(getpid());
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&name), length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  std::ofstream(session + "/secret") << "secret\n";
  chmod((session + "/secret").c_str(), 0600);
  std::ofstream(session + "/address") << "manta-session 1\nsocket=" << text << "\npid=1\nembedded=0\n";
  std::thread ends([listener] {
    // The first looks who listens, the second says hello.
    close(accept(listener, nullptr, nullptr));
    const int connection = accept(listener, nullptr, nullptr);
    pollfd hello{connection, POLLIN, 0};
    poll(&hello, 1, 5'000);
    close(listener);
    close(connection);
  });
  manta::Config config;
  config.address = "auto";
  const std::string message = MessageOf<manta::StartFailedError>([&] { manta::Init(config); });
  ends.join();
  EXPECT_NE(message.find("no running cluster was found"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(session + "/address")) << "it is tidied up";
}

// What the daemon starts must not hold it for longer than the daemon lives.
TEST_F(Connection, LocksTheSessionInNoProcessButTheDaemon) {
  manta::Init();
  manta::Get(manta::Task(Echo).Remote(std::string("x")));
  std::vector<std::string> holders;
  for (const Process& process : Processes()) {
    std::error_code ended;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(process.pid) + "/fdinfo", ended)) {
      std::ifstream lines(fd.path());
      const std::string text{std::istreambuf_iterator<char>(lines), {}};
      if (text.find("FLOCK") != std::string::npos) holders.push_back(std::to_string(process.pid));
    }
  }
  EXPECT_EQ(holders, std::vector{std::to_string(ThePid(Role::kDaemon))});
}

TEST_F(Connection, IsNotTheOneOfAChildMadeByFork) {
  manta::Init();
  std::optional<manta::ObjectRef<std::string>> shared = manta::Task(Echo).Remote(std::string(200'000, 's'));
  const std::shared_ptr<std::string> text = manta::Get(*shared);
  EXPECT_EQ(StatusOfChild([&] {
              if (manta::IsInitialized()) return 1;
              if (!ThrowsNotInitialized([] { manta::Put(1); })) return 2;
              if (!ThrowsNotInitialized([] { manta::Task(Echo).Remote(std::string("x")); })) return 3;
              if (!ThrowsNotInitialized([&] { manta::Get(*shared); })) return 4;
              shared.reset();     // the parent still has its own
              manta::Shutdown();  // ends nobody's cluster
              return 0;
            }),
            0);
  EXPECT_EQ(*manta::Get(*shared), *text);
  EXPECT_EQ(*manta::Get(manta::Task(Echo).Remote(std::string("still here"))), "still here");
}

int StatusOfChildOfTask() {
  return StatusOfChild([] { return ThrowsNotInitialized([] { manta::Put(1); }) ? 0 : 1; });
}

TEST_F(Connection, OfAWorkerIsNotTheOneOfAChildMadeByFork) {
  manta::Init();
  EXPECT_EQ(*manta::Task(StatusOfChildOfTask).Remote().Get(), 0);
}

std::string MessageOfShutdownInTask() {
  const std::string message = MessageOf<manta::InvalidArgumentError>([] { manta::Shutdown(); });
  return manta::IsInitialized() ? message : "no longer connected: " + message;
}

TEST_F(Connection, OfAWorkerIsNotEndedByATask) {
  manta::Init();
  const std::string message = *manta::Task(MessageOfShutdownInTask).Remote().Get();
  EXPECT_EQ(message.find("Shutdown was called inside of a worker"), 0u) << message;
}

TEST_F(Connection, OfAChildMadeByForkIsAnotherCluster) {
  manta::Init();
  const pid_t parents = ThePid(Role::kDaemon);
  EXPECT_EQ(StatusOfChild([&] {
              manta::Init();
              // For a moment a zygote on its way to exec looks like a daemon.
              if (!Eventually(5s, [&] { return Pids(Role::kDaemon).size() == 2; })) return 1;
              if (*manta::Get(manta::Task(Echo).Remote(std::string("child"))) != "child") return 2;
              manta::Shutdown();
              return 0;
            }),
            0);
  EXPECT_EQ(ThePid(Role::kDaemon), parents);
  EXPECT_EQ(*manta::Get(manta::Task(Echo).Remote(std::string("parent"))), "parent");
}

double CpusOfThisTask() { return manta::GetRuntimeContext().GetAssignedResources()["CPU"]; }

TEST_F(Connection, ATaskThatIsKeptBeyondShutdownKeepsItsOptions) {
  auto two = manta::Task(CpusOfThisTask).SetNumCpus(2);
  auto half = manta::Task(CpusOfThisTask).SetNumCpus(0.5);
  manta::Config config;
  config.num_cpus = 2;
  for (int session = 0; session < 3; ++session) {
    manta::Init(config);
    // In another order each time: numbers of the session before would name the wrong ones.
    if (session % 2 == 1) {
      EXPECT_EQ(*half.Remote().Get(), 0.5);
    }
    EXPECT_EQ(*two.Remote().Get(), 2);
    EXPECT_EQ(*half.Remote().Get(), 0.5);
    manta::Shutdown();
  }
}

// As libraries do that have a pool of threads.
struct StartsAThread {
  StartsAThread() {
    if (std::getenv("MANTA_TEST_STATIC_THREAD") != nullptr) thread = std::thread([] { pause(); });
    if (thread.joinable()) thread.detach();
  }
  std::thread thread;
} starts_a_thread;

int ThreadsHere() {
  int threads = 0;
  for ([[maybe_unused]] const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) ++threads;
  return threads;
}

TEST_F(Connection, WorkersHaveTheThreadsThatStaticObjectsStart) {
  const auto threads = [] {
    manta::Init();
    const int count = *manta::Get(manta::Task(ThreadsHere).Remote());
    manta::Shutdown();
    return count;
  };
  const int without = threads();
  setenv("MANTA_TEST_STATIC_THREAD", "1", 1);
  testing::internal::CaptureStderr();
  EXPECT_EQ(threads(), without + 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("its workers start by exec"), std::string::npos);
  unsetenv("MANTA_TEST_STATIC_THREAD");
}

TEST_F(Connection, NamesWhatIsTooLongForIt) {
  manta::Config config;
  config.ray_namespace = std::string(1 << 20, 'n');
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); }).find("namespace"), std::string::npos);
  const StartedCluster cluster;
  for (int i = 0; i < 9; ++i) setenv(("MANTA_TEST_LARGE" + std::to_string(i)).c_str(), std::string(120'000, 'x').c_str(), 1);
  manta::Config joining;
  joining.address = "auto";
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(joining); }).find("environment"), std::string::npos);
  for (int i = 0; i < 9; ++i) unsetenv(("MANTA_TEST_LARGE" + std::to_string(i)).c_str());
  manta::Init(joining);
  const std::string name(300, 'r');
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Task(ThreadsHere).SetResource(name, 1).Remote(); }).find("300 bytes"),
            std::string::npos);
}

int Sleep(int seconds) { return static_cast<int>(sleep(static_cast<unsigned>(seconds))); }

TEST_F(Connection, ThatEndsWithItsClusterSaysWhoEndedThat) {
  StartedCluster cluster;
  manta::Config config;
  config.address = cluster.address();
  manta::Init(config);
  const auto never = manta::Task(Sleep).Remote(1'000);
  cluster.Stop();
  const std::string message = MessageOf<manta::NodeDiedError>([&] { never.Get(); });
  EXPECT_EQ(message.find("the cluster has ended (asked to by "), 0u) << message;
}

TEST_F(Connection, AForkBesideInitAndShutdownHoldsUpNobody) {
  LimitTime(60s);
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::thread forker([&] {
    while (!stop) failed += StatusOfChild([] { return manta::IsInitialized() ? 1 : 0; });
  });
  for (int session = 0; session < 20; ++session) {
    manta::Init();
    EXPECT_EQ(*manta::Get(manta::Task(Echo).Remote(std::string("parent"))), "parent");
    manta::Shutdown();
  }
  stop = true;
  forker.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(Connection, EndsWithItsProcessEvenWhenAChildLives) {
  int keep[2];
  ASSERT_EQ(pipe(keep), 0);
  const pid_t driver = fork();
  if (driver == 0) {
    manta::Init();
    manta::Get(manta::Task(Echo).Remote(std::string("x")));
    if (fork() == 0) {  // outlives its parent, until the pipe ends
      close(keep[1]);
      char byte;
      _exit(read(keep[0], &byte, 1) == 0 ? 0 : 1);
    }
    _exit(0);  // without Shutdown
  }
  close(keep[0]);
  ASSERT_EQ(waitpid(driver, nullptr, 0), driver);
  EXPECT_TRUE(Eventually(5s, [&] { return Pids(Role::kDaemon).empty(); })) << "the daemon waits for the grandchild";
  close(keep[1]);
}

}  // namespace
}  // namespace manta_test
