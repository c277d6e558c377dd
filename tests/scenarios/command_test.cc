// The `manta` command, asked about a cluster that is at work.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

using Json = nlohmann::json;

ProgramResult Manta(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), std::getenv("MANTA_EXECUTABLE"));
  return RunProgram(arguments);
}

void WaitFor(std::string path) {
  while (access(path.c_str(), F_OK) != 0) usleep(1000);
}
int WaitForAndTake(std::string path, int value) {
  WaitFor(path);
  return value;
}

constexpr const char* kHere = "manta_test::(anonymous namespace)::";

class Command : public ConnectedTest {
 protected:
  static Json Tasks() { return Json::parse(Manta({"list", "tasks", "--json"}).out, nullptr, false); }
  static size_t InState(const std::string& state) {
    size_t count = 0;
    for (const Json& task : Tasks()) count += task.value("state", "") == state;
    return count;
  }
};

TEST_F(Command, ListsTheTasksThatAreNotFinished) {
  const std::string path = root() + "/go";
  std::vector<manta::ObjectRef<void>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(manta::Task(WaitFor).Remote(path));
  const auto last = manta::Task(WaitForAndTake).Remote(path, 1);
  const auto behind = manta::Task(WaitForAndTake).SetName("behind").Remote(path, last);
  EXPECT_TRUE(Eventually(10s, [] { return InState("RUNNING") == 2; })) << Tasks();
  const Json list = Tasks();
  EXPECT_EQ(list.size(), 7u) << list;
  EXPECT_EQ(InState("PENDING_ARGS_AVAIL"), 1u) << list;
  for (const Json& task : list) {
    EXPECT_EQ(task.value("type", ""), "NORMAL_TASK");
    EXPECT_EQ(task["owner"].value("pid", 0), getpid()) << task;
    const std::string state = task.value("state", "");
    EXPECT_EQ(task.contains("worker"), state == "RUNNING" || state == "SUBMITTED_TO_WORKER") << task;
    const std::string name = task.value("name", "");
    EXPECT_EQ(name == "behind", task.value("task", "") == behind.ID()) << task;
    EXPECT_TRUE(name == "behind" || name.find("WaitFor") != std::string::npos) << task;
  }
  EXPECT_NE(Manta({"list", "tasks"}).out.find("PENDING_ARGS_AVAIL"), std::string::npos);
  close(creat(path.c_str(), 0600));
  EXPECT_EQ(*manta::Get(behind), 1);
  EXPECT_TRUE(Eventually(5s, [] { return Tasks().empty(); })) << Tasks();
}

int DieOnce(std::string path) {
  if (access(path.c_str(), F_OK) == 0) return 1;
  close(creat(path.c_str(), 0600));
  kill(getpid(), SIGKILL);
  return 0;
}
int Refuse() { throw std::runtime_error("on purpose"); }

TEST_F(Command, ListsTheTasksThatHaveEndedToo) {
  const auto attempts = [](const std::string& id) {
    std::vector<std::string> found;
    for (const Json& task : Json::parse(Manta({"list", "tasks", "--all", "--json"}).out, nullptr, false)) {
      if (task.value("task", "") != id) continue;
      EXPECT_LE(task.value("start_time_ms", int64_t{0}), task.value("end_time_ms", int64_t{0})) << task;
      EXPECT_NE(task["worker"].value("pid", 0), 0) << task;
      found.push_back(std::to_string(task.value("attempt", 9)) + " " + task.value("name", "") + " " + task.value("state", "") + " " +
                      task.value("error", "-"));
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  const auto refused = manta::Task(Refuse).Remote();
  EXPECT_THROW(refused.Get(), std::exception);
  const auto died = manta::Task(DieOnce).Remote(root() + "/died");
  EXPECT_EQ(*died.Get(), 1);
  EXPECT_EQ(attempts(refused.ID()), std::vector<std::string>{std::string("0 ") + kHere + "Refuse FAILED TASK_EXECUTION_EXCEPTION"});
  const std::vector<std::string> both = {std::string("0 ") + kHere + "DieOnce FAILED WORKER_DIED", std::string("1 ") + kHere + "DieOnce FINISHED -"};
  // The daemon may hear of the death after the owner has the second result.
  EXPECT_TRUE(Eventually(5s, [&] { return attempts(died.ID()) == both; })) << Json(attempts(died.ID()));
  EXPECT_NE(Manta({"list", "tasks", "--all"}).out.find("WORKER_DIED"), std::string::npos);
  const ProgramResult wrong = Manta({"list", "actors", "--all"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("--all is for tasks"), std::string::npos) << wrong.err;
}

TEST_F(Command, ListsSharedObjectsByTheNamesThatProgramsHave) {
  const auto object = manta::Put(std::string(200'000, 'x'));
  const ProgramResult list = Manta({"list", "objects", "--json"});
  const Json objects = Json::parse(list.out, nullptr, false);
  ASSERT_EQ(objects.size(), 1u) << list.out << list.err;
  EXPECT_EQ(objects[0].value("object", ""), object.ID());
  EXPECT_EQ(objects[0]["owner"].value("pid", 0), getpid());
  EXPECT_NE(Manta({"list", "objects"}).out.find("pid " + std::to_string(getpid()) + ")"), std::string::npos);
}

TEST_F(Command, SaysHowMuchOfALongListItLeavesOut) {
  const std::string path = root() + "/go";
  std::vector<manta::ObjectRef<void>> tasks;
  for (int i = 0; i < 10'500; ++i) tasks.push_back(manta::Task(WaitFor).Remote(path));
  const ProgramResult list = Manta({"list", "tasks", "--json"});
  EXPECT_EQ(Json::parse(list.out, nullptr, false).size(), 10'000u);
  EXPECT_NE(list.err.find("500 more are not shown"), std::string::npos) << list.err;
  close(creat(path.c_str(), 0600));
  manta::Wait(tasks, static_cast<int>(tasks.size()), -1);
}

TEST_F(Command, SaysWhatIsWrongWithItsArguments) {
  const ProgramResult unknown = Manta({"explode"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("there is no command 'explode'"), std::string::npos) << unknown.err;
  const ProgramResult word = Manta({"start", "--head", "--num-cpus", "many"});
  EXPECT_EQ(word.status, 2);
  EXPECT_NE(word.err.find("'many' is not a number"), std::string::npos) << word.err;
  EXPECT_LT(word.err.size(), 200u) << word.err;
  const ProgramResult nothing = Manta({});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_NE(nothing.err.find("start, stop"), std::string::npos) << nothing.err;
}

}  // namespace
}  // namespace manta_test
