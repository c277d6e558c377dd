#include "contracts/session_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "testing/temporary_directory.h"

namespace manta::contracts {
namespace {

namespace fs = std::filesystem;

class SessionLock : public testing::Test {
 protected:
  const test::TemporaryDirectory temporary;
  const std::string directory = temporary.path();
};

TEST_F(SessionLock, TellsWhetherItsDaemonLives) {
  EXPECT_FALSE(DaemonLives(directory));
  const Result<int> lock = LockSession(directory);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(DaemonLives(directory));
  EXPECT_TRUE(DaemonLives(directory)) << "a look changes nothing";
  close(lock.value());
  EXPECT_FALSE(DaemonLives(directory));
  EXPECT_FALSE(DaemonLives(directory + "/nowhere"));
}

TEST_F(SessionLock, GoesWithItsProcess) {
  const pid_t daemon = fork();
  if (daemon == 0) {
    if (!LockSession(directory)) _exit(1);
    pause();
  }
  for (int turn = 0; turn < 5'000 && !DaemonLives(directory); ++turn) usleep(1'000);
  EXPECT_TRUE(DaemonLives(directory));
  kill(daemon, SIGKILL);
  waitpid(daemon, nullptr, 0);
  EXPECT_FALSE(DaemonLives(directory));
}

TEST_F(SessionLock, IsForOneDaemon) {
  const Result<int> first = LockSession(directory);
  std::ofstream(directory + "/secret") << "secret";
  const Result<int> second = LockSession(directory);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, MANTA_ERROR_START_FAILED);
  EXPECT_NE(second.error().message.find("a cluster lives in " + directory), std::string::npos) << second.error().message;
  close(first.value());
  const Result<int> third = LockSession(directory);
  ASSERT_TRUE(third) << "of a session that has ended";
  close(third.value());
}

TEST_F(SessionLock, IsTakenAlthoughOthersLook) {
  close(LockSession(directory).value());
  const std::jthread other([&](std::stop_token stop) {
    while (!stop.stop_requested()) DaemonLives(directory);
  });
  for (int turn = 0; turn < 100; ++turn) {
    const Result<int> lock = LockSession(directory);
    ASSERT_TRUE(lock) << lock.error().message;
    close(lock.value());
  }
}

TEST_F(SessionLock, TakesNoDirectoryOfSomebodyElse) {
  std::ofstream(directory + "/thesis.tex") << "x";
  const Result<int> lock = LockSession(directory);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(lock.error().message.find("--temp-dir"), std::string::npos) << lock.error().message;
  EXPECT_FALSE(fs::exists(directory + "/" + kLockFile));
}

TEST_F(SessionLock, TakesNoLogsOfSomebodyElse) {
  fs::create_directory(directory + "/logs");
  std::ofstream(directory + "/logs/access.log") << "x";
  EXPECT_FALSE(LockSession(directory));
  EXPECT_FALSE(fs::exists(directory + "/" + kLockFile));
}

TEST_F(SessionLock, TakesNoLockFileOfSomebodyElse) {
  fs::create_directory(directory + "/logs");
  std::ofstream(directory + "/" + kLockFile) << "of another program";
  EXPECT_FALSE(LockSession(directory));
  fs::remove(directory + "/" + kLockFile);
  ASSERT_EQ(mkfifo((directory + "/" + kLockFile).c_str(), 0600), 0);
  EXPECT_FALSE(LockSession(directory));
}

// Killed before it had written into the file.
TEST_F(SessionLock, TakesADirectoryWhoseLockIsEmpty) {
  fs::create_directory(directory + "/logs");
  std::ofstream(directory + "/" + kLockFile);
  const Result<int> lock = LockSession(directory);
  ASSERT_TRUE(lock);
  EXPECT_NE(fcntl(lock.value(), F_GETFD) & FD_CLOEXEC, 0);
  close(lock.value());
}

}  // namespace
}  // namespace manta::contracts
