// `manta start`, `status`, `list` and `stop`, as a user types them.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "testing/node_daemon/cluster.h"

namespace manta::testing {
namespace {

class CommandLine : public ::testing::Test {
 protected:
  CommandLine() {
    char name[] = "/tmp/manta-command-line-test-XXXXXX";
    root = mkdtemp(name);
    setenv("MANTA_TMPDIR", root.c_str(), 1);
  }
  ~CommandLine() override {
    Run("stop --all");
    unsetenv("MANTA_TMPDIR");
    std::filesystem::remove_all(root);
  }

  // Exit status; what it printed, on both channels, is in `output`.
  int Run(const std::string& arguments) {
    FILE* pipe = popen((MantaExecutable() + " " + arguments + " 2>&1").c_str(), "r");
    output.clear();
    char buffer[4096];
    for (size_t size; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
      output.append(buffer, size);
    }
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // The text behind "key":" in `output`.
  std::string Value(const std::string& key) const {
    const size_t at = output.find("\"" + key + "\":");
    if (at == std::string::npos) return {};
    const size_t begin = output.find_first_not_of("\" ", at + key.size() + 3);
    return output.substr(begin, output.find_first_of("\",}", begin) - begin);
  }
  bool Says(const std::string& text) const { return output.find(text) != std::string::npos; }

  std::string root;
  std::string output;
};

TEST_F(CommandLine, StartsLooksAtAndEndsACluster) {
  ASSERT_EQ(Run("start --head --json --num-cpus 3 --resources '{\"disk\": 2.5}' "
                "--object-store-memory 100000000"),
            0)
      << output;
  const std::string session = Value("session");
  const pid_t daemon = std::atoi(Value("pid").c_str());
  EXPECT_TRUE(IsAlive(daemon));
  EXPECT_EQ(Run("status"), 0);
  EXPECT_TRUE(Says("0 of 3 used") && Says("0 of 2.5 used")) << output;
  EXPECT_EQ(Run("status --json"), 0);
  EXPECT_EQ(Value("session"), session);
  EXPECT_EQ(Run("list workers --json"), 0);
  EXPECT_EQ(output, "[]\n");
  EXPECT_EQ(Run("list processes"), 0);
  EXPECT_TRUE(Says("tool")) << output;
  EXPECT_EQ(Run("stop"), 0) << output;
  EXPECT_FALSE(IsAlive(daemon));
  for (const std::string& name : FilesIn(session)) {
    EXPECT_TRUE(name == "logs" || name == "recorder" || name == "daemon.lock") << name;
  }
}

TEST_F(CommandLine, MakesItsSessionsInTheTemporaryDirectoryThatIsNamed) {
  std::filesystem::create_directory(root + "/home");
  std::ofstream(root + "/home/thesis.tex") << "x";
  ASSERT_EQ(Run("start --head --json --temp-dir=" + root + "/home"), 0) << output;
  const std::string session = Value("session");
  EXPECT_EQ(session.rfind(root + "/home/manta-", 0), 0u) << session;
  EXPECT_EQ(Run("stop --session " + session), 0) << output;
  EXPECT_TRUE(std::filesystem::exists(root + "/home/thesis.tex"));
  EXPECT_EQ(Run("start --head --temp-dir=home"), 2);
  EXPECT_TRUE(Says("absolute path")) << output;
  EXPECT_EQ(Run("start --head --temp-dir=/a --session-dir=/b"), 2) << output;
}

TEST_F(CommandLine, TakesNoDirectoryThatIsSomebodyElses) {
  std::filesystem::create_directories(root + "/home/logs");
  std::ofstream(root + "/home/thesis.tex") << "x";
  std::ofstream(root + "/home/secret") << "mine";
  EXPECT_EQ(Run("start --head --session-dir=" + root + "/home"), 1);
  EXPECT_TRUE(Says("neither empty nor")) << output;
  EXPECT_EQ(FilesIn(root + "/home").size(), 3u);
}

TEST_F(CommandLine, ASecondStartInADirectoryLeavesTheFirstAlone) {
  const std::string session = root + "/one";
  ASSERT_EQ(Run("start --head --json --session-dir=" + session), 0) << output;
  EXPECT_EQ(Run("start --head --session-dir=" + session), 1);
  EXPECT_TRUE(Says("a cluster lives in " + session)) << output;
  EXPECT_EQ(Run("status --session " + session), 0) << output;
  EXPECT_EQ(Run("stop --session " + session), 0) << output;
  // The directory of one that has ended may be used again.
  EXPECT_EQ(Run("start --head --session-dir=" + session), 0) << output;
  EXPECT_EQ(Run("stop --session " + session), 0) << output;
}

TEST_F(CommandLine, HelpsWhenNothingRuns) {
  for (const char* verb : {"status", "list workers", "stop"}) {
    EXPECT_EQ(Run(verb), 1);
    EXPECT_TRUE(Says("manta start --head")) << output;
  }
}

TEST_F(CommandLine, OfSeveralClustersOneHasToBeChosen) {
  ASSERT_EQ(Run("start --head --json"), 0) << output;
  const std::string first = Value("session");
  ASSERT_EQ(Run("start --head --json"), 0) << output;
  const std::string second = Value("session");
  EXPECT_EQ(Run("status"), 1);
  const std::string name = first.substr(first.rfind('/') + 1);
  EXPECT_TRUE(Says(name) && Says(second.substr(second.rfind('/') + 1)) && Says("--session"));
  EXPECT_EQ(Run("status --session " + name), 0) << output;
  EXPECT_EQ(Run("stop --session " + second), 0) << output;
  EXPECT_EQ(Run("status"), 0) << output;
  EXPECT_TRUE(Says(first));
}

TEST_F(CommandLine, MistakesAreExplained) {
  EXPECT_NE(Run("list"), 0);
  EXPECT_TRUE(Says("say what to list: nodes, workers, ")) << output;
  EXPECT_NE(Run("list things"), 0);
  EXPECT_TRUE(Says("there is no list of 'things'; there are: nodes, ")) << output;
  EXPECT_NE(Run("start --head --node-ip-address=999.1.1.1"), 0);
  EXPECT_TRUE(Says("an IPv4 address is wanted, not '999.1.1.1'")) << output;
  EXPECT_NE(Run("start --head --object-store-memory 1000"), 0);
  EXPECT_TRUE(Says("at least 64 MiB")) << output;
  EXPECT_NE(Run("start --head --num-cpus -2"), 0);
  EXPECT_NE(Run("start --head --resources disk"), 0);
  EXPECT_TRUE(Says("JSON object")) << output;
  EXPECT_NE(Run("start --head --resource CPU=2"), 0);
  EXPECT_TRUE(Says("--num-cpus")) << output;
  EXPECT_NE(Run("start"), 0);
  EXPECT_TRUE(Says("--head")) << output;
  EXPECT_NE(Run("start --address 10.0.0.1:6379"), 0);
  EXPECT_TRUE(Says("--secret-file")) << output;
  EXPECT_NE(Run("list nonsense"), 0);
  EXPECT_NE(Run("status --session nothing"), 0);
  EXPECT_TRUE(Says("no running cluster 'nothing'")) << output;
  EXPECT_NE(Run("node --driver-fd 77"), 0);
  EXPECT_TRUE(Says("manta start --head")) << output;
  EXPECT_EQ(Run("--version"), 0);
  EXPECT_TRUE(Says("manta 0.")) << output;
}

TEST_F(CommandLine, AForeignDirectoryIsNotTrusted) {
  std::filesystem::create_directory(root + "/manta-" + std::to_string(geteuid()));
  std::filesystem::permissions(root + "/manta-" + std::to_string(geteuid()),
                               std::filesystem::perms::all);
  EXPECT_NE(Run("start --head"), 0);
  EXPECT_TRUE(Says("mode 0700")) << output;
}

}  // namespace
}  // namespace manta::testing
