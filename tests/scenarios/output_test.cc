// What workers print, and where a user sees it.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int Speak(int i) {
  std::printf("value %d is %s\n", i, i % 2 == 0 ? "even" : "odd");
  std::fprintf(stderr, "warning %d\n", i);
  return getpid();
}

class Speaker {
 public:
  int Speak(std::string text) {
    std::printf("%s\n", text.c_str());
    return getpid();
  }
};

class Output : public ClusterTest {
 protected:
  // Runs `body` in a connected driver, whose standard error goes into a file of its own.
  void Run(const std::function<void(const DriverProcess::Say&)>& body) {
    const std::string err = Path("err");
    DriverProcess driver(
        [&](const DriverProcess::Say& say) {
          ASSERT_NE(std::freopen(err.c_str(), "w", stderr), nullptr);
          manta::Config config;
          config.num_cpus = 1;
          manta::Init(config);
          body(say);
          manta::Shutdown();
        },
        Path("out"));
    while (const auto line = driver.Hear(10s)) heard_.push_back(*line);
    ASSERT_TRUE(driver.Succeeds(10s));
    out_ = ReadAll(Path("out"));
    err_ = ReadAll(err);
  }
  std::string Path(const std::string& name) const { return root() + "/driver." + name; }

  std::vector<std::string> heard_;
  std::string out_;
  std::string err_;
};

TEST_F(Output, EachLineArrivesInItsStreamAndSaysWhereItComesFrom) {
  Run([](const auto& say) { say(std::to_string(*manta::Get(manta::Task(Speak).Remote(3)))); });
  ASSERT_EQ(heard_.size(), 1u);
  EXPECT_EQ(out_, "(pid=" + heard_[0] + ") value 3 is odd\n");
  EXPECT_EQ(err_, "(pid=" + heard_[0] + ") warning 3\n");
}

TEST_F(Output, OfActorsNamesThem) {
  Run([](const auto& say) {
    const auto actor = manta::Actor<Speaker>().Remote();
    say(std::to_string(*manta::Get(actor.Task(&Speaker::Speak).Remote(std::string("hello")))));
  });
  ASSERT_EQ(heard_.size(), 1u);
  EXPECT_TRUE(std::regex_match(out_, std::regex("\\(.*Speaker.* pid=" + heard_[0] + "\\) hello\n"))) << out_;
}

// Without waiting for the time at which repetitions are summed up.
TEST_F(Output, IsCompleteWhenTheDriverLeaves) {
  Run([](const auto& say) {
    // Two processes: of one, nothing is a repetition.
    const auto one = manta::Actor<Speaker>().SetNumCpus(0).Remote();
    const auto two = manta::Actor<Speaker>().SetNumCpus(0).Remote();
    manta::Get(one.Task(&Speaker::Speak).Remote(std::string("same 1")));
    usleep(200'000);
    for (int i = 2; i < 7; ++i) manta::Get(two.Task(&Speaker::Speak).Remote("same " + std::to_string(i)));
    manta::Get(two.Task(&Speaker::Speak).Remote(std::string("last words")));
    say("done");
  });
  EXPECT_NE(out_.find(") same 1\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find(") same 6 [repeated 5x across workers]\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find(") last words\n"), std::string::npos) << out_;
}

// The summary comes when who spoke last has ended.
TEST_F(Output, OfWorkersThatHaveEndedNamesThem) {
  Run([](const auto& say) {
    {
      const auto one = manta::Actor<Speaker>().SetNumCpus(0).Remote();
      const auto two = manta::Actor<Speaker>().SetNumCpus(0).Remote();
      manta::Get(one.Task(&Speaker::Speak).Remote(std::string("same")));
      usleep(200'000);
      say(std::to_string(*manta::Get(two.Task(&Speaker::Speak).Remote(std::string("same")))));
    }
    usleep(1'000'000);
  });
  ASSERT_EQ(heard_.size(), 1u);
  EXPECT_NE(out_.find(" pid=" + heard_[0] + ") same [repeated 1x across workers]\n"), std::string::npos) << out_;
}

TEST_F(Output, OfSilentWorkersLeavesNoFiles) {
  manta::Init();
  {
    std::vector<manta::ActorHandle<Speaker>> actors;
    for (int i = 0; i < 5; ++i) actors.push_back(manta::Actor<Speaker>().SetNumCpus(0).Remote());
    for (auto& actor : actors) manta::Get(actor.Task(&Speaker::Speak).Remote(std::string("words")));
  }
  const auto logs = [&](const std::string& extension) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(Sessions().at(0) + "/logs")) {
      count += entry.path().extension() == extension && entry.path().filename().string().rfind("worker-", 0) == 0;
    }
    return count;
  };
  // Some that were started ahead of demand may live.
  EXPECT_TRUE(Eventually(10s, [&] {
    const size_t living = Pids(Role::kWorker).size();
    return logs(".err") == living && logs(".out") == 5 + living;
  })) << logs(".err") << " and " << logs(".out") << " are left";
  manta::Shutdown();
}

TEST_F(Output, IsNotShownWhenTheDriverDoesNotWantIt) {
  DriverProcess driver(
      [](const DriverProcess::Say&) {
        manta::Config config;
        config.log_to_driver = false;
        manta::Init(config);
        manta::Get(manta::Task(Speak).Remote(1));
        manta::Shutdown();
      },
      Path("out"));
  ASSERT_TRUE(driver.Succeeds(10s));
  EXPECT_EQ(ReadAll(Path("out")), "");
}

int SleepAndReturn(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}

// Not only what no worker is there for: also what stands behind a task of its own kind.
TEST_F(Output, OfTheDriverSaysAfterFiveSecondsWhatWaitsAndForWhat) {
  Run([](const DriverProcess::Say&) {
    const auto first = manta::Task(SleepAndReturn).SetName("first").Remote(6'000);
    const auto second = manta::Task(SleepAndReturn).SetName("second").Remote(1);
    manta::Get(second);
  });
  EXPECT_NE(err_.find("the task 'second' has waited for 5 s: needs {CPU: 1} but {CPU: 0} of {CPU: 1} is free"), std::string::npos)
      << err_;
}

class Narcissus {
 public:
  int Answer() { return 42; }
  // Its only thread is this one, so that the call cannot begin.
  bool AskMyself(manta::ActorHandle<Narcissus> self) {
    try {
      manta::Get(self.Task(&Narcissus::Answer).Remote(), 7'000);
    } catch (const manta::GetTimeoutError&) {
      return false;
    }
    return true;
  }
};

TEST_F(Output, OfTheDriverSaysAfterFiveSecondsThatAnActorWaitsForItself) {
  Run([](const DriverProcess::Say&) {
    auto actor = manta::Actor<Narcissus>().Remote();
    manta::Get(actor.Task(&Narcissus::AskMyself).Remote(actor));
  });
  EXPECT_NE(err_.find("::Answer' has waited for 5 s: the actor runs another call, which waits itself"), std::string::npos) << err_;
}

TEST_F(Output, OfTheDriverSaysOnceWhatManyActorsOfAClassWaitFor) {
  Run([](const DriverProcess::Say&) {
    std::vector<manta::ActorHandle<Narcissus>> actors;
    for (int i = 0; i < 4; ++i) actors.push_back(manta::Actor<Narcissus>().SetResource("CPU", 1).Remote());
    std::this_thread::sleep_for(5'500ms);
  });
  const std::string said = "::Narcissus' has waited for 5 s: needs {CPU: 1}";
  const size_t first = err_.find(said);
  ASSERT_NE(first, std::string::npos) << err_;
  EXPECT_EQ(err_.find(said, first + 1), std::string::npos) << err_;
}

}  // namespace
}  // namespace manta_test
