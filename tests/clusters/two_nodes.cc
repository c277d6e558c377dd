#include "tests/clusters/two_nodes.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace manta_test {
namespace {

std::string Manta() {
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  return executable != nullptr ? executable : "manta";
}

// What a shell command prints; its status.
std::string Output(const std::string& command, int* status) {
  FILE* output = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof buffer, output)) > 0;) text.append(buffer, size);
  *status = pclose(output);
  return text;
}

std::string Field(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  size_t begin = json.find(key);
  if (begin == std::string::npos) return "";
  begin += key.size();
  if (json[begin] == '"') ++begin;
  return json.substr(begin, json.find_first_of("\",}", begin) - begin);
}

}  // namespace

StartedNode::StartedNode(const std::string& arguments, const std::string& prefix) : prefix_(prefix) {
  const std::string command = prefix + Manta() + " start --json " + arguments;
  int status;
  const std::string answer = Output(command, &status);
  if (status != 0) {
    ADD_FAILURE() << "`" << command << "` has failed: " << answer;
    return;
  }
  session_ = Field(answer, "session");
  node_address_ = Field(answer, "node_address");
  pid_ = atoi(Field(answer, "pid").c_str());
}

StartedNode::~StartedNode() { Stop(); }

void StartedNode::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(pid_); }));
  pid_ = 0;
}

void StartedNode::Stop() {
  if (pid_ == 0) return;
  if (IsAlive(pid_)) kill(pid_, SIGTERM);
  EXPECT_TRUE(Eventually(10s, [&] { return !IsAlive(pid_); })) << session_;
  pid_ = 0;
}

Stopped::Stopped(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }
Stopped::~Stopped() { Continue(); }
void Stopped::Continue() { kill(pid_, SIGCONT); }

bool EnterNetwork(const std::string& name) {
  const int network = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (network < 0) return false;
  const bool entered = setns(network, CLONE_NEWNET) == 0;
  close(network);
  return entered;
}

std::string AnswerOf(const std::string& arguments) {
  int status;
  const std::string said = Output(Manta() + " " + arguments, &status);
  EXPECT_EQ(status, 0) << said;
  return said;
}

std::string RefusalOf(const std::string& arguments, const std::string& prefix) {
  int status;
  const std::string said = Output(prefix + Manta() + " start " + arguments + " 2>&1", &status);
  EXPECT_NE(status, 0) << said;
  return said;
}

void TwoNodesTest::SetUp() {
  LimitTime(60s);
  ClusterTest::SetUp();
  const std::string store = " --object-store-memory=" + std::to_string(kStore);
  head_.emplace("--head --port=0 --num-cpus=1 --resource=near=1 --labels=zone=near" + store);
  ASSERT_TRUE(head_->started());
  node_.emplace("--address=" + head_->node_address() + " --num-cpus=2 --resource=far=1 --labels=zone=far,disk=ssd" + store);
  ASSERT_TRUE(node_->started());
  manta::Config config;
  config.address = "auto";
  manta::Init(config);
  head_id_ = manta::GetRuntimeContext().GetNodeId();
  ASSERT_TRUE(Eventually(5s, [] { return manta::ClusterResources()["CPU"] == 3; }));
}

void TwoNodesTest::TearDown() {
  manta::Shutdown();
  node_.reset();
  head_.reset();
  ClusterTest::TearDown();
}

}  // namespace manta_test
