// The key-value tables as the daemon answers for them, whatever a process asks.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "testing/node_daemon/cluster.h"

namespace manta::testing {
namespace {

using wire::KeyValueOperation;

// A process that joins, beside the driver whose cluster it is.
std::unique_ptr<Peer> Join(Cluster& cluster, wire::Role role) {
  auto peer = cluster.Connect();
  wire::HelloT hello = role == wire::Role::Driver ? cluster.DriverHello() : MakeHello(role);
  const Result<std::string> secret = contracts::ReadSecret(cluster.session());
  hello.secret = secret ? secret.value() : "";
  EXPECT_TRUE(peer->Join(std::move(hello))) << peer->refusal();
  return peer;
}

wire::KeyValueRequestT Request(KeyValueOperation operation, const std::string& key, size_t value_bytes = 0) {
  static uint64_t last = 0;
  wire::KeyValueRequestT request;
  request.request = ++last;
  request.operation = operation;
  request.table_name = "table";
  request.key.assign(key.begin(), key.end());
  request.value.assign(value_bytes, 'x');
  return request;
}

wire::KeyValueAnswerT Ask(Peer& peer, wire::KeyValueRequestT request) {
  const uint64_t number = request.request;
  peer.Send(std::move(request));
  const auto answer = peer.Await<wire::KeyValueAnswerT>();
  if (answer == nullptr) {
    ADD_FAILURE() << "no answer";
    return {};
  }
  EXPECT_EQ(answer->request, number);
  return *answer;
}

TEST(KeyValueService, RefusesWhatIsTooLargeOrUnknownAndKeepsTheProcess) {
  Cluster cluster;
  const auto refused = Ask(cluster.driver(), Request(KeyValueOperation::Put, "key", (8 << 20) + 1));
  EXPECT_EQ(refused.error_kind, static_cast<uint32_t>(MANTA_ERROR_INVALID_ARGUMENT)) << refused.error;
  EXPECT_EQ(Ask(cluster.driver(), Request(KeyValueOperation::Exists, std::string(5000, 'k'))).error_kind,
            static_cast<uint32_t>(MANTA_ERROR_INVALID_ARGUMENT));
  const auto unknown = Ask(cluster.driver(), Request(static_cast<KeyValueOperation>(77), "key"));
  EXPECT_EQ(unknown.error_kind, static_cast<uint32_t>(MANTA_ERROR_NOT_SUPPORTED)) << unknown.error;
  EXPECT_TRUE(Ask(cluster.driver(), Request(KeyValueOperation::Put, "key", 8 << 20)).found);
  EXPECT_EQ(Ask(cluster.driver(), Request(KeyValueOperation::Get, "key")).value.size(), 8u << 20);
}

TEST(KeyValueService, IsNotForTools) {
  Cluster cluster;
  const auto tool = Join(cluster, wire::Role::Tool);
  const auto refused = Ask(*tool, Request(KeyValueOperation::Put, "key", 1));
  EXPECT_EQ(refused.error_kind, static_cast<uint32_t>(MANTA_ERROR_INVALID_ARGUMENT)) << refused.error;
  EXPECT_FALSE(Ask(cluster.driver(), Request(KeyValueOperation::Exists, "key")).found);
}

TEST(KeyValueService, DropsWhatADriverThatAwaitsNoAnswerHasPut) {
  Cluster cluster;
  const auto other = Join(cluster, wire::Role::Driver);
  for (const bool of_job : {true, false}) {
    wire::KeyValueRequestT put = Request(KeyValueOperation::Put, of_job ? "of the job" : "of the cluster", 1 << 20);
    put.of_job = of_job;
    other->Send(std::move(put));
    for (int i = 0; i < 20; ++i) other->Send(Request(KeyValueOperation::Get, "of the job"));
  }
  const auto exists = [&](const char* key) { return Ask(cluster.driver(), Request(KeyValueOperation::Exists, key)).found; };
  EXPECT_TRUE(Eventually([&] { return exists("of the cluster"); }));
  other->Close();
  EXPECT_TRUE(Eventually([&] { return !exists("of the job"); }));
  EXPECT_TRUE(exists("of the cluster"));
}

}  // namespace
}  // namespace manta::testing
