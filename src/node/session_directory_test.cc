#include "node/session_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "contracts/session_files.h"

namespace manta::node {
namespace {

namespace fs = std::filesystem;

class SessionDirectoryTest : public testing::Test {
 protected:
  SessionDirectoryTest() {
    char name[] = "/tmp/manta-session-test-XXXXXX";
    root = mkdtemp(name);
  }
  ~SessionDirectoryTest() override { fs::remove_all(root); }

  mode_t ModeOf(const std::string& path) {
    struct stat status{};
    stat(path.c_str(), &status);
    return status.st_mode & 0777;
  }
  std::string root;
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
  std::ofstream(session.value().logs() + "/worker-3.log") << "hello";
  std::ofstream(session.value().logs() + "/worker-4.log");
  fs::create_directory(root + "/session_1/recorder");
  std::ofstream(root + "/session_1/recorder/names") << "names";
  session.value().RemoveAllButHistory();
  EXPECT_FALSE(fs::exists(root + "/session_1/secret"));
  EXPECT_TRUE(fs::exists(root + "/session_1/recorder/names"));
  EXPECT_TRUE(fs::exists(root + "/session_1/logs/worker-3.log"));
  EXPECT_FALSE(fs::exists(root + "/session_1/logs/worker-4.log"));
  fs::remove(root + "/session_1/logs/worker-3.log");
  session.value().RemoveAllButHistory();
  EXPECT_FALSE(fs::exists(root + "/session_1"));
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

TEST_F(SessionDirectoryTest, TheRootHasToBeOurs) {
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

TEST(SessionFiles, OfADaemonThatHasEndedAreRemoved) {
  const std::string root = testing::TempDir() + "/manta-dead-daemon";
  fs::remove_all(root);
  for (const char* session : {"/session_now_4711", "/session_now_711"}) {
    fs::create_directories(root + session + "/logs");
    std::ofstream(root + session + "/secret") << "s";
    std::ofstream(root + session + "/address.new") << "half of it";
  }
  contracts::RemoveFilesOfDeadDaemon(root, 711);
  EXPECT_FALSE(fs::exists(root + "/session_now_711/secret"));
  EXPECT_FALSE(fs::exists(root + "/session_now_711/address.new"));
  EXPECT_TRUE(fs::exists(root + "/session_now_711/logs"));
  EXPECT_TRUE(fs::exists(root + "/session_now_4711/secret")) << "of another daemon";
  fs::remove_all(root);
}

}  // namespace
}  // namespace manta::node
