// What `manta start --address` says when it cannot join, and how a head meets strangers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/clusters/two_nodes.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

constexpr const char* kSmall = " --object-store-memory=67108864 --num-cpus=1";

class JoiningTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    head_.emplace(std::string("--head --port=0") + kSmall);
    ASSERT_TRUE(head_->started());
  }
  void TearDown() override {
    head_.reset();
    ClusterTest::TearDown();
  }
  std::string SecretFile(const std::string& secret, mode_t mode) {
    const std::string path = root() + "/given-secret";
    std::ofstream(path) << secret << "\n";
    chmod(path.c_str(), mode);
    return path;
  }

  std::optional<StartedNode> head_;
};

void ExpectIn(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

sockaddr_in AddressOf(const StartedNode& node) {
  const std::string port = node.node_address().substr(node.node_address().find(':') + 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  return address;
}

TEST_F(JoiningTest, SaysThatTheSecretIsWrong) {
  const std::string file = SecretFile("0123456789abcdef0123456789abcdef", 0600);
  ExpectIn(RefusalOf("--address=" + head_->node_address() + " --secret-file=" + file + kSmall),
           "the secret given is not that of the cluster");
}

TEST_F(JoiningTest, DoesNotReadASecretThatIsOpenToOthers) {
  const std::string file = SecretFile("0123456789abcdef0123456789abcdef", 0644);
  ExpectIn(RefusalOf("--address=" + head_->node_address() + " --secret-file=" + file + kSmall), "open to others");
}

TEST_F(JoiningTest, AsksForASecretWhenItKnowsNone) {
  ExpectIn(RefusalOf(std::string("--address=127.0.0.1:1") + kSmall), "--secret-file");
}

TEST_F(JoiningTest, SaysThatNobodyIsThere) {
  const Stopwatch watch;
  ExpectIn(RefusalOf(std::string("--address=127.0.0.1:1") + kSmall, "MANTA_SECRET=abc "), "there is no head at 127.0.0.1:1");
  ExpectIn(RefusalOf(std::string("--address=nonsense") + kSmall, "MANTA_SECRET=abc "), "HOST:PORT");
  EXPECT_LT(watch.seconds(), 5);
}

// A lock that the starter holds is free when that has ended, whatever it leaves in the background.
TEST_F(JoiningTest, ANodeKeepsNothingOpenOfItsStarter) {
  const std::string lock = root() + "/lock";
  const StartedNode node("--address=" + head_->node_address() + kSmall, "flock " + lock + " ");
  ASSERT_TRUE(node.started());
  EXPECT_EQ(RunProgram({"/usr/bin/flock", "--nonblock", lock, "/bin/true"}).status, 0);
}

TEST_F(JoiningTest, SaysThatThePortIsTaken) {
  const std::string port = head_->node_address().substr(head_->node_address().find(':') + 1);
  ExpectIn(RefusalOf("--head --port=" + port + kSmall), "in use");
}

TEST_F(JoiningTest, IsForTwoNodesOnly) {
  StartedNode node("--address=" + head_->node_address() + kSmall);
  ASSERT_TRUE(node.started());
  ExpectIn(RefusalOf("--address=" + head_->node_address() + kSmall), "two nodes already");
  // Another one may take the place of one that has left.
  node.Stop();
  StartedNode next("--address=" + head_->node_address() + kSmall);
  EXPECT_TRUE(next.started());
}

// localhost stands for any name of the machine.
TEST_F(JoiningTest, ByAnotherNameOfTheHeadMakesOneClusterToo) {
  const std::string port = head_->node_address().substr(head_->node_address().find(':'));
  for (const std::string& host : {std::string("localhost"), std::string("0.0.0.0")}) {
    StartedNode node("--address=" + host + port + kSmall);
    ASSERT_TRUE(node.started()) << "it finds the secret by itself";
    const ProgramResult status = RunProgram({std::getenv("MANTA_EXECUTABLE"), "status", "--json"});
    EXPECT_EQ(status.status, 0) << status.err;
    EXPECT_NE(status.out.find(head_->session()), std::string::npos) << status.out;
    node.Stop();
  }
}

TEST_F(JoiningTest, AHeadThatListensEverywhereIsFoundByAnyAddress) {
  StartedNode head(std::string("--head --port=0 --node-ip-address=0.0.0.0") + kSmall);
  ASSERT_TRUE(head.started());
  StartedNode node("--address=127.0.0.1" + head.node_address().substr(head.node_address().find(':')) + kSmall);
  EXPECT_TRUE(node.started());
}

TEST_F(JoiningTest, StopAllEndsTheNodeAndItsHead) {
  StartedNode node("--address=" + head_->node_address() + kSmall);
  ASSERT_TRUE(node.started());
  EXPECT_EQ(system((std::string(getenv("MANTA_EXECUTABLE")) + " stop --all > /dev/null").c_str()), 0);
  EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(node.pid()) && !IsAlive(head_->pid()); }));
}

TEST_F(JoiningTest, IsToldWhenTooManyStrangersAreAtTheDoor) {
  const sockaddr_in address = AddressOf(*head_);
  std::vector<int> silent;
  for (int i = 0; i < 16; ++i) {
    silent.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(silent.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ExpectIn(RefusalOf("--address=" + head_->node_address() + kSmall), "try again in a moment");
  for (const int one : silent) close(one);
}

TEST_F(JoiningTest, AHeadSurvivesStrangersThatTalkNonsense) {
  const sockaddr_in address = AddressOf(*head_);
  for (const std::string& text : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'), std::string(64, '\0')}) {
    const int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(stranger, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_GT(send(stranger, text.data(), text.size(), MSG_NOSIGNAL), 0);
    // It is shown the door before the 5 s are over that a silent one has.
    timeval limit{4, 0};
    setsockopt(stranger, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte;
    EXPECT_TRUE(recv(stranger, &byte, 1, 0) == 0 || errno == ECONNRESET) << text.substr(0, 4);
    close(stranger);
  }
  StartedNode node("--address=" + head_->node_address() + kSmall);
  EXPECT_TRUE(node.started());
}

}  // namespace
}  // namespace manta_test
