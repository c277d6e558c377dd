// Two nodes with networks of their own, joined by a virtual cable: as two machines are. Needs root; skipped elsewhere.
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "tests/clusters/two_nodes.h"
#include "tests/support/driver_process.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

constexpr const char* kHeadAddress = "10.213.77.1";

std::string WhereIRun() { return manta::GetRuntimeContext().GetNodeId(); }
size_t Size(const std::string& text) { return text.size(); }
std::string Make(size_t size) { return std::string(size, 'x'); }

bool Shell(const std::string& command) { return system((command + " 2>/dev/null").c_str()) == 0; }

// Names of this process's own, so that several runs do not meet.
struct Network {
  std::string head = "manta-h-" + std::to_string(getpid());
  std::string node = "manta-n-" + std::to_string(getpid());
  std::string InHead() const { return "ip netns exec " + head + " "; }
  std::string InNode() const { return "ip netns exec " + node + " "; }

  Network() {
    const std::string cable = "mt" + std::to_string(getpid() % 1'000'000);
    made_ = Shell("ip netns add " + head) && Shell("ip netns add " + node) &&
            Shell("ip link add " + cable + "a netns " + head + " type veth peer name " + cable + "b netns " + node) &&
            Shell(InHead() + "ip addr add " + kHeadAddress + "/24 dev " + cable + "a") &&
            Shell(InNode() + "ip addr add 10.213.77.2/24 dev " + cable + "b") &&
            Shell(InHead() + "ip link set " + cable + "a up") && Shell(InNode() + "ip link set " + cable + "b up") &&
            Shell(InHead() + "ip link set lo up") && Shell(InNode() + "ip link set lo up");
  }
  ~Network() {
    Shell("ip netns del " + head);
    Shell("ip netns del " + node);
  }
  bool made() const { return made_; }

 private:
  bool made_ = false;
};

class NamespacesTest : public ClusterTest {};

TEST_F(NamespacesTest, RunTasksAndPassObjectsBetweenTwoMachines) {
  LimitTime(60s);
  const Network network;
  if (!network.made()) GTEST_SKIP() << "this machine permits no network namespaces";
  // A machine has its own /tmp.
  const std::string place = root() + "/node";
  ASSERT_TRUE(Shell("mkdir " + place));
  const std::string store = " --object-store-memory=67108864";
  StartedNode head("--head --port=0 --num-cpus=1 --node-ip-address=" + std::string(kHeadAddress) + store,
                   network.InHead());
  ASSERT_TRUE(head.started());
  ASSERT_EQ(head.node_address().rfind(kHeadAddress, 0), 0u) << head.node_address();
  StartedNode node("--address=" + head.node_address() + " --num-cpus=2 --resource=far=1 --secret-file=" +
                       head.session() + "/secret" + store,
                   "MANTA_TMPDIR=" + place + " " + network.InNode());
  ASSERT_TRUE(node.started());

  // A process moves into the head's network before it connects.
  DriverProcess driver([&](const DriverProcess::Say& say) {
    ASSERT_TRUE(EnterNetwork(network.head));
    manta::Config config;
    config.address = "auto";
    manta::Init(config);
    const std::string here = manta::GetRuntimeContext().GetNodeId();
    ASSERT_TRUE(Eventually(5s, [] { return manta::ClusterResources()["CPU"] == 3; }));
    EXPECT_NE(*manta::Task(WhereIRun).SetResource("far", 1).Remote().Get(), here);
    const auto large = manta::Put(std::string(10'000'000, 'x'));
    EXPECT_EQ(*manta::Task(Size).SetResource("far", 1).Remote(large).Get(), 10'000'000u);
    EXPECT_EQ(manta::Task(Make).SetResource("far", 1).Remote(size_t{10'000'000}).Get()->size(), 10'000'000u);
    manta::Shutdown();
    say("done");
  });
  EXPECT_EQ(driver.Hear(30s), "done");
  EXPECT_TRUE(driver.Succeeds(10s));
  node.Stop();
  EXPECT_TRUE(Shell("rm -r " + place));
}

TEST_F(NamespacesTest, ALookFromAnotherNetworkLeavesTheClusterAlone) {
  const std::string elsewhere = "unshare --map-root-user --net ";
  if (!Shell(elsewhere + "true")) GTEST_SKIP() << "this machine permits no network namespaces";
  StartedNode cluster("--head --num-cpus=1 --object-store-memory=67108864");
  ASSERT_TRUE(cluster.started());
  const std::string executable = std::getenv("MANTA_EXECUTABLE");
  for (const std::string& command : {std::string(" status"), std::string(" stop --all"), " status --session " + cluster.session()}) {
    const ProgramResult result = RunProgram({"/bin/sh", "-c", elsewhere + executable + command});
    EXPECT_EQ(result.status, 1) << result.out;
    EXPECT_NE(result.err.find("lives, but cannot be reached from here"), std::string::npos) << result.err;
  }
  EXPECT_EQ(RunProgram({executable, "status"}).status, 0);
}

}  // namespace
}  // namespace manta_test
