#include "node/session_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "contracts/session_files.h"
#include "testing/temporary_directory.h"

namespace manta::node {
namespace {

namespace fs = std::filesystem;

class SessionDirectoryTest : public testing::Test {
 protected:
  mode_t ModeOf(const std::string& path) {
    struct stat status{};
    stat(path.c_str(), &status);
    return status.st_mode & 0777;
  }
  const test::TemporaryDirectory temporary;
  const std::string root = temporary.path();
};

TEST_F(SessionDirectoryTest, IsClosedToOthers) {
  const auto session = SessionDirectory::Create(root + "/session_1/");
  ASSERT_TRUE(session);
  EXPECT_EQ(session.value().path(), root + "/session_1");
  EXPECT_EQ(session.value().name(), "session_1");
  EXPECT_EQ(ModeOf(session.value().path()), 0700u);
  const auto secret = session.value().MakeSecret();
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret.value().size(), 32u);
  EXPECT_EQ(ModeOf(root + "/session_1/secret"), 0600u);
  EXPECT_EQ(contracts::ReadSecret(root + "/session_1").value(), secret.value());
}

TEST_F(SessionDirectoryTest, ASecretThatOthersCanReadIsNone) {
  const auto session = SessionDirectory::Create(root + "/session_1");
  ASSERT_TRUE(session.value().MakeSecret());
  chmod((root + "/session_1/secret").c_str(), 0644);
  EXPECT_EQ(contracts::ReadSecret(root + "/session_1").error().kind, MANTA_ERROR_AUTHENTICATION);
}

TEST_F(SessionDirectoryTest, RelativePathsAreRefused) {
  EXPECT_FALSE(SessionDirectory::Create("somewhere"));
  EXPECT_FALSE(SessionDirectory::Create("/nowhere/at/all"));
}

TEST_F(SessionDirectoryTest, LeavesLogsAndRecordersOnly) {
  const auto session = SessionDirectory::Create(root + "/session_1");
  ASSERT_TRUE(session.value().MakeSecret());
  std::ofstream(session.value().logs() + "/worker-3.out") << "hello";
  std::ofstream(session.value().logs() + "/worker-4.out");
  fs::create_directory(root + "/session_1/recorder");
  std::ofstream(root + "/session_1/recorder/names") << "names";
  fs::create_directories(root + "/session_1/runtime/0123/sub");
  std::ofstream(root + "/session_1/runtime/0123/sub/module.py") << "VALUE = 1";
  session.value().RemoveAllButHistory();
  EXPECT_FALSE(fs::exists(root + "/session_1/secret"));
  EXPECT_FALSE(fs::exists(root + "/session_1/runtime"));
  EXPECT_TRUE(fs::exists(root + "/session_1/recorder/names"));
  EXPECT_TRUE(fs::exists(root + "/session_1/logs/worker-3.out"));
  EXPECT_FALSE(fs::exists(root + "/session_1/logs/worker-4.out"));
  fs::remove(root + "/session_1/logs/worker-3.out");
  session.value().RemoveAllButHistory();
  EXPECT_FALSE(fs::exists(root + "/session_1"));
}

TEST_F(SessionDirectoryTest, LeavesWhatIsNotMantas) {
  const auto session = SessionDirectory::Create(root + "/session_1");
  ASSERT_TRUE(session.value().MakeSecret());
  const std::vector<std::string> others = {"/thesis.tex", "/secret.txt", "/logs/notes", "/logs/worker-3.out.old",
                                           "/logs/worker-.out", "/recorder/process-1.rec.txt"};
  fs::create_directory(root + "/session_1/recorder");
  for (const std::string& other : others) std::ofstream(root + "/session_1" + other);
  session.value().RemoveAllButHistory();
  RemoveOldSessions(root, 0);
  for (const std::string& other : others) EXPECT_TRUE(fs::exists(root + "/session_1" + other)) << other;
  EXPECT_FALSE(fs::exists(root + "/session_1/secret"));
}

TEST_F(SessionDirectoryTest, ADirectoryOfSomebodyElseIsRefused) {
  fs::create_directory(root + "/home");
  std::ofstream(root + "/home/thesis.tex") << "x";
  EXPECT_EQ(SessionDirectory::Create(root + "/home").error().kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_FALSE(fs::exists(root + "/home/logs"));
}

TEST_F(SessionDirectoryTest, OneThatIsInUseIsRefusedAndOneThatHasEndedIsNot) {
  auto first = SessionDirectory::Create(root + "/session_1");
  ASSERT_TRUE(first.value().MakeSecret());
  std::ofstream(first.value().logs() + "/worker-3.out") << "hello";
  EXPECT_EQ(SessionDirectory::Create(root + "/session_1").error().kind, MANTA_ERROR_START_FAILED);
  EXPECT_TRUE(fs::exists(root + "/session_1/secret"));
  first.value().RemoveAllButHistory();
  first = MakeError(MANTA_ERROR_SYSTEM, "it has ended");
  EXPECT_TRUE(SessionDirectory::Create(root + "/session_1"));
}

TEST_F(SessionDirectoryTest, OldOnesGo) {
  for (const char* name : {"session_3", "session_1", "session_2", "session_4", "other"}) {
    fs::create_directories(root + "/" + name + "/logs");
  }
  RemoveOldSessions(root, 2);
  EXPECT_FALSE(fs::exists(root + "/session_1"));
  EXPECT_FALSE(fs::exists(root + "/session_2"));
  EXPECT_TRUE(fs::exists(root + "/session_3"));
  EXPECT_TRUE(fs::exists(root + "/session_4"));
  EXPECT_TRUE(fs::exists(root + "/other"));
}

TEST_F(SessionDirectoryTest, OldOnesWhoseDaemonLivesStay) {
  const auto oldest = SessionDirectory::Create(root + "/session_1");
  fs::create_directories(root + "/session_2/logs");
  RemoveOldSessions(root, 0);
  EXPECT_TRUE(fs::exists(root + "/session_1/logs"));
  EXPECT_FALSE(fs::exists(root + "/session_2"));
}

// As seen from another network namespace, where nobody listens to its socket.
TEST_F(SessionDirectoryTest, ALivingDaemonThatDoesNotAnswerKeepsItsFiles) {
  std::optional<SessionDirectory> session = SessionDirectory::Create(root + "/session_now_4711").value();
  ASSERT_TRUE(session->MakeSecret());
  contracts::SessionAddress address;
  address.directory = session->path();
  address.socket = "manta-0-of-nobody";
  address.daemon_pid = 4711;
  ASSERT_TRUE(contracts::WriteSessionAddress(address));
  std::vector<contracts::SessionAddress> unreachable;
  EXPECT_TRUE(contracts::FindSessions(root, &unreachable).empty());
  ASSERT_EQ(unreachable.size(), 1u);
  EXPECT_EQ(unreachable[0].directory, session->path());
  const std::string text = contracts::DescribeUnreachable(unreachable);
  EXPECT_NE(text.find("session_now_4711 lives, but cannot be reached"), std::string::npos) << text;
  EXPECT_NE(contracts::ConnectToSession(address).error().message.find("lives, but"), std::string::npos);
  contracts::RemoveFilesOfDeadDaemonBelow(root, 4711);  // of another container's process of that number
  EXPECT_TRUE(fs::exists(root + "/session_now_4711/secret"));
  EXPECT_TRUE(fs::exists(root + "/session_now_4711/address"));

  session.reset();
  EXPECT_TRUE(contracts::FindSessions(root).empty());
  EXPECT_FALSE(fs::exists(root + "/session_now_4711/address")) << "of a daemon that lives no more";
}

TEST_F(SessionDirectoryTest, TheRootHasToBeOurs) {
  EXPECT_FALSE(contracts::EnsureSessionRoot("relative/new"));
  EXPECT_TRUE(contracts::EnsureSessionRoot(root + "/new"));
  EXPECT_TRUE(contracts::EnsureSessionRoot(root + "/new"));
  chmod((root + "/new").c_str(), 0777);
  EXPECT_FALSE(contracts::EnsureSessionRoot(root + "/new"));
  fs::create_directory_symlink("/tmp", root + "/link");
  EXPECT_FALSE(contracts::EnsureSessionRoot(root + "/link"));
}

TEST_F(SessionDirectoryTest, AddressesAreReadAsWritten) {
  fs::create_directory(root + "/session_1");
  contracts::SessionAddress address;
  address.directory = root + "/session_1";
  address.socket = "manta-0-session_1";
  address.daemon_pid = 4711;
  address.embedded = true;
  address.node_id = "00ff";
  ASSERT_TRUE(contracts::WriteSessionAddress(address));
  const auto read = contracts::ReadSessionAddress(root + "/session_1");
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().socket, address.socket);
  EXPECT_EQ(read.value().daemon_pid, 4711);
  EXPECT_TRUE(read.value().embedded);
  EXPECT_EQ(read.value().node_id, "00ff");
  EXPECT_TRUE(contracts::FindSessions(root).empty());  // nobody answers there
  EXPECT_FALSE(fs::exists(root + "/session_1/address")) << "what a killed daemon has left";

  std::ofstream(root + "/session_1/address") << "manta-session 99\nsocket=x\npid=1\n";
  EXPECT_EQ(contracts::ReadSessionAddress(root + "/session_1").error().kind,
            MANTA_ERROR_VERSION_MISMATCH);
  std::ofstream(root + "/session_1/address") << "manta-session 1\nsocket=\n";
  EXPECT_FALSE(contracts::ReadSessionAddress(root + "/session_1"));
}

TEST(SessionFiles, ANodeIsOfTheClusterOfItsHeadHoweverThatWasSpelled) {
  contracts::SessionAddress head, node, other;
  head.node_id = "00ff";
  head.trunk = "127.0.0.1:4711";
  node.node_id = "0100";
  node.joined = "00ff";
  other.node_id = "0200";
  other.joined = "0300";  // of a head elsewhere
  const auto clusters = contracts::WithoutJoined({head, node, other});
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(clusters[0].node_id, "00ff");
  EXPECT_EQ(clusters[1].node_id, "0200");
}

TEST(SessionFiles, OfADaemonThatHasEndedAreRemoved) {
  const std::string root = testing::TempDir() + "/manta-dead-daemon";
  fs::remove_all(root);
  for (const char* session : {"/session_now_4711", "/session_now_711"}) {
    fs::create_directories(root + session + "/logs");
    std::ofstream(root + session + "/secret") << "s";
    std::ofstream(root + session + "/address.new") << "half of it";
  }
  contracts::RemoveFilesOfDeadDaemonBelow(root, 711);
  EXPECT_FALSE(fs::exists(root + "/session_now_711/secret"));
  EXPECT_FALSE(fs::exists(root + "/session_now_711/address.new"));
  EXPECT_TRUE(fs::exists(root + "/session_now_711/logs"));
  EXPECT_TRUE(fs::exists(root + "/session_now_4711/secret")) << "of another daemon";
  fs::remove_all(root);
}

}  // namespace
}  // namespace manta::node
