// The node daemon as other processes meet it: real daemon, real processes, the protocol spoken by hand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "testing/node_daemon/cluster.h"

namespace manta::testing {
namespace {

std::unique_ptr<wire::LeaseGrantedT> OneLease(Cluster& cluster, uint32_t key = 1,
                                              bool dedicated = false) {
  cluster.Demand(cluster.driver(), key, 1, 1, dedicated);
  return cluster.driver().Await<wire::LeaseGrantedT>();
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_CONTAINS(text, part) EXPECT_PRED2(Contains, text, part)

std::string SecretOf(const Cluster& cluster) {
  const Result<std::string> secret = contracts::ReadSecret(cluster.session());
  return secret ? secret.value() : "(unreadable)";
}

std::unique_ptr<wire::ObjectAllocatedT> Put(Peer& peer, uint64_t size, uint64_t request = 1) {
  wire::AllocateObjectT allocate;
  allocate.request = request;
  allocate.size = size;
  peer.Send(std::move(allocate));
  auto got = peer.Await<wire::ObjectAllocatedT>();
  EXPECT_TRUE(got == nullptr || peer.Seal(got->slot, got->generation));
  return got;
}

void Free(Peer& peer, uint32_t slot, uint32_t generation) {
  wire::FreeObjectsT free;
  free.slots = {slot};
  free.generations = {generation};
  peer.Send(std::move(free));
}

shm::ObjectState StateOf(Peer& peer, uint32_t slot) {
  return static_cast<shm::ObjectState>(peer.object_slot(slot).word.load() & 0xff);
}

// Sorted by what an embedded cluster leaves behind: nothing but logs.
void ExpectNothingLeft(const std::string& session) {
  for (const std::string& name : FilesIn(session)) EXPECT_TRUE(name == "logs" || name == "recorder" || name == "daemon.lock") << name;
}

// ---- Handshake -----------------------------------------------------------------------------------------

TEST(Handshake, AWelcomeDescribesTheSharedMemory) {
  Cluster cluster;
  ASSERT_TRUE(cluster.joined()) << cluster.driver().refusal();
  const wire::WelcomeT& welcome = cluster.driver().welcome();
  EXPECT_EQ(welcome.protocol, contracts::kProtocolMax);
  EXPECT_EQ(welcome.node_id.size(), 32u);
  EXPECT_EQ(welcome.object_bytes, 134217728u);
  EXPECT_EQ(welcome.object_slots, 2048u);
  EXPECT_EQ(NodeIndexOf(ProcessId{welcome.process}), welcome.node_index);
  const auto* header = reinterpret_cast<shm::ControlHeader*>(cluster.driver().control());
  EXPECT_EQ(header->magic, shm::kControlMagic);
  EXPECT_EQ(header->bytes, welcome.control_bytes);
  EXPECT_GE(header->process_pages, 512u);
  EXPECT_EQ(cluster.driver().my_page().process, welcome.process);
  for (int fd : cluster.driver().descriptors()) {
    EXPECT_TRUE(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);
  }
}

TEST(Handshake, AnotherVersionIsRefusedWithBothNamed) {
  Cluster::Options options;
  options.join = false;
  Cluster cluster(options);
  wire::HelloT hello = cluster.DriverHello();
  hello.protocol_min = 98;
  hello.protocol_max = 99;
  EXPECT_FALSE(cluster.driver().Join(std::move(hello)));
  EXPECT_CONTAINS(cluster.driver().refusal(), "98 to 99");
  EXPECT_CONTAINS(cluster.driver().refusal(), "speaks 1:");
  EXPECT_TRUE(cluster.AwaitEnd());
}

TEST(Handshake, WhatCannotStartSaysWhy) {
  Cluster::Options options;
  options.arguments = {"--object-store-bytes", "1000000"};
  Cluster cluster(options);
  EXPECT_FALSE(cluster.joined());
  EXPECT_CONTAINS(cluster.driver().refusal(), "at least 64 MiB");
  EXPECT_TRUE(cluster.AwaitEnd());
}

TEST(Handshake, AFrameThatIsNoHelloIsRefused) {
  Cluster cluster;
  auto stranger = cluster.Connect();
  ASSERT_NE(stranger, nullptr);
  stranger->Send(wire::BlockedT{});
  const auto refused = stranger->Await<wire::RefusedT>();
  ASSERT_NE(refused, nullptr);
  EXPECT_TRUE(stranger->AwaitClosed());
}

TEST(Handshake, StrangersNeedTheSecret) {
  Cluster cluster;
  for (const std::string& secret : {std::string(), std::string(32, '0'), SecretOf(cluster) + "0"}) {
    auto stranger = cluster.Connect();
    ASSERT_NE(stranger, nullptr);
    wire::HelloT hello = MakeHello(wire::Role::Tool);
    hello.secret = secret;
    EXPECT_FALSE(stranger->Join(std::move(hello)));
    EXPECT_CONTAINS(stranger->refusal(), "secret");
    EXPECT_TRUE(stranger->AwaitClosed());
  }
  auto friendly = cluster.Connect();
  wire::HelloT hello = MakeHello(wire::Role::Tool);
  hello.secret = SecretOf(cluster);
  EXPECT_TRUE(friendly->Join(std::move(hello))) << friendly->refusal();
}

TEST(Handshake, NoWorkerComesFromOutside) {
  Cluster cluster;
  auto stranger = cluster.Connect();
  wire::HelloT hello = MakeHello(wire::Role::Worker);
  hello.secret = SecretOf(cluster);
  EXPECT_FALSE(stranger->Join(std::move(hello)));
}

TEST(Handshake, TheSecretIsForThisUserAlone) {
  Cluster cluster;
  struct stat status;
  ASSERT_EQ(stat((cluster.session() + "/secret").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(cluster.session().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

// ---- Garbage -------------------------------------------------------------------------------------------

TEST(Garbage, StrangersWhoSendItAreClosedAndNobodyElseNotices) {
  Cluster cluster;
  const std::vector<std::vector<uint8_t>> garbage = {
      std::vector<uint8_t>(100, 0xff),                    // a length of 4 GiB
      {8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8},               // no FlatBuffer
      {0, 0, 0, 0},                                       // an empty frame
      std::vector<uint8_t>{1, 0, 32, 0},                  // longer than a stranger's may be
  };
  for (const auto& bytes : garbage) {
    auto stranger = cluster.Connect();
    ASSERT_NE(stranger, nullptr);
    stranger->SendBytes(bytes);
    EXPECT_TRUE(stranger->AwaitClosed());
  }
  EXPECT_NE(OneLease(cluster), nullptr);
}

TEST(Garbage, ADriverThatSendsItLosesItsClusterInGoodOrder) {
  Cluster cluster;
  ASSERT_NE(OneLease(cluster), nullptr);
  const std::vector<pid_t> processes = cluster.Descendants();
  cluster.driver().SendBytes(std::vector<uint8_t>(100, 0xff));
  EXPECT_TRUE(cluster.AwaitEnd());
  EXPECT_TRUE(WIFEXITED(cluster.exit_status()));
  EXPECT_TRUE(AwaitAllDead(processes));
}

// They are closed after five seconds, some at a time; who has something to say waits for its turn.
TEST(Garbage, ManyWhoSayNothingDoNotKeepOthersOut) {
  Cluster cluster;
  std::vector<std::unique_ptr<Peer>> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(cluster.Connect());
    ASSERT_NE(silent.back(), nullptr);
  }
  EXPECT_NE(OneLease(cluster), nullptr) << "those who are in already go on";
  const std::string status = MantaExecutable() + " status --session " + cluster.session() + " 2>&1";
  FILE* said = popen(status.c_str(), "r");
  char text[1000] = {};
  (void)fread(text, 1, sizeof text - 1, said);
  EXPECT_EQ(pclose(said), 0) << text;
  EXPECT_TRUE(silent.front()->AwaitClosed(8000));
}

TEST(Garbage, ManyWhoComeAtOnceAllGetIn) {
  Cluster cluster;
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 300; ++i) {
    peers.push_back(cluster.Connect());
    ASSERT_NE(peers.back(), nullptr);
  }
  std::vector<std::thread> threads;
  std::atomic<int> joined{0};
  for (const auto& peer : peers) {
    threads.emplace_back([&] {
      wire::HelloT hello = MakeHello(wire::Role::Tool);
      hello.secret = SecretOf(cluster);
      joined += peer->Join(std::move(hello));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 300);
}

// ---- Leases --------------------------------------------------------------------------------------------

TEST(Leases, AGrantComesWithAChannel) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  EXPECT_TRUE(IsAlive(lease->pid));
  const shm::ChannelView view = shm::ViewChannel(cluster.driver().control(), lease->channel);
  EXPECT_EQ(view.header->owner, cluster.driver().welcome().process);
  EXPECT_EQ(view.header->worker, lease->worker);
  EXPECT_EQ(view.header->owner_page, cluster.driver().welcome().page);
  EXPECT_EQ(view.header->worker_page, lease->worker_page);
  EXPECT_EQ(view.header->log2_slots, shm::kLog2Slots);
  EXPECT_EQ(view.header->log2_completions, shm::kLog2Completions);
  EXPECT_EQ(view.header->dedicated, 0);
  EXPECT_EQ(shm::PageAt(cluster.driver().control(), lease->worker_page).process, lease->worker);
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "channels"),
            std::to_string(lease->channel) + " ");
}

TEST(Leases, ALaterLeaseOnTheSameWorkerHasTheSameChannel) {
  Cluster::Options options;
  options.arguments = {"--num-cpus", "1", "--object-store-bytes", "67108864"};
  Cluster cluster(options);
  const auto first = OneLease(cluster);
  ASSERT_NE(first, nullptr);
  cluster.Demand(cluster.driver(), 1, 0);
  wire::ReturnLeaseT give_back;
  give_back.lease = first->lease;
  cluster.driver().Send(std::move(give_back));
  const auto second = OneLease(cluster, 2);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second->lease, first->lease);
  EXPECT_EQ(second->key, 2u);
  EXPECT_EQ(second->worker == first->worker, second->channel == first->channel);
}

TEST(Leases, ActorsGetSmallChannelsAndOthersMayOpenThem) {
  Cluster cluster;
  const auto actor = OneLease(cluster, 1, true);
  ASSERT_NE(actor, nullptr);
  const shm::ChannelView view = shm::ViewChannel(cluster.driver().control(), actor->channel);
  EXPECT_EQ(view.header->dedicated, 1);
  EXPECT_EQ(view.header->log2_slots, 6u);
  EXPECT_EQ(view.header->log2_completions, 7u);

  auto other = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(other->Join(std::move(hello)));
  wire::OpenChannelT open;
  open.request = 7;
  open.target = actor->worker;
  other->Send(std::move(open));
  const auto opened = other->Await<wire::ChannelOpenedT>();
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->error, "");
  EXPECT_EQ(opened->request, 7u);
  const shm::ChannelView theirs = shm::ViewChannel(other->control(), opened->channel);
  EXPECT_EQ(theirs.header->owner, other->welcome().process);
  EXPECT_EQ(theirs.header->worker, actor->worker);

  // Its callers learn of its death.
  kill(actor->pid, SIGKILL);
  const auto gone = other->Await<wire::ProcessGoneT>();
  ASSERT_NE(gone, nullptr);
  EXPECT_EQ(gone->process, actor->worker);
  EXPECT_EQ(gone->cause->signal, SIGKILL);
  EXPECT_NE(cluster.driver().Await<wire::LeaseLostT>(), nullptr);
}

TEST(Leases, NoChannelLeadsToAWorkerOfTasks) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  wire::OpenChannelT open;
  open.target = lease->worker;
  cluster.driver().Send(std::move(open));
  const auto opened = cluster.driver().Await<wire::ChannelOpenedT>();
  ASSERT_NE(opened, nullptr);
  EXPECT_CONTAINS(opened->error, "runs no actor");
}

TEST(Leases, ABlockedWorkerLendsItsCpu) {
  Cluster::Options options;
  options.arguments = {"--num-cpus", "1", "--object-store-bytes", "67108864"};
  Cluster cluster(options);
  const auto first = OneLease(cluster);
  ASSERT_NE(first, nullptr);
  cluster.Demand(cluster.driver(), 1, 2);
  EXPECT_EQ(cluster.driver().Await<wire::LeaseGrantedT>(300), nullptr);
  cluster.Command(cluster.driver(), first->worker, "blocked");
  const auto blocked = cluster.driver().Await<wire::LeaseBlockedT>();
  ASSERT_NE(blocked, nullptr);
  EXPECT_EQ(blocked->lease, first->lease);
  EXPECT_TRUE(blocked->blocked);
  const auto second = cluster.driver().Await<wire::LeaseGrantedT>();
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second->worker, first->worker);
  cluster.Command(cluster.driver(), first->worker, "resumed");
  const auto resumed = cluster.driver().Await<wire::LeaseBlockedT>();
  ASSERT_NE(resumed, nullptr);
  EXPECT_FALSE(resumed->blocked);
}

TEST(Leases, WhatTheNodeHasNotAtAllIsToldAtOnce) {
  Cluster cluster;
  cluster.Demand(cluster.driver(), 1, 1, 100);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>(2000);
  ASSERT_NE(unmet, nullptr);
  EXPECT_TRUE(unmet->infeasible);
  EXPECT_EQ(unmet->key, 1u);
  EXPECT_CONTAINS(unmet->reason, "CPU: 100");
}

TEST(Leases, WhatWaitsForFiveSecondsIsTold) {
  Cluster::Options options;
  options.arguments = {"--num-cpus", "1", "--object-store-bytes", "67108864"};
  Cluster cluster(options);
  ASSERT_NE(OneLease(cluster), nullptr);
  cluster.Demand(cluster.driver(), 2, 1);
  EXPECT_EQ(cluster.driver().Await<wire::DemandUnmetT>(3000), nullptr);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>(4000);
  ASSERT_NE(unmet, nullptr);
  EXPECT_FALSE(unmet->infeasible);
  EXPECT_EQ(unmet->key, 2u);
  EXPECT_NE(unmet->reason, "");
  EXPECT_GE(unmet->waited_ms, 4900u);
}

TEST(Leases, DamagedDemandsAreRefused) {
  Cluster cluster;
  cluster.Demand(cluster.driver(), 1, 1, -1);
  EXPECT_NE(cluster.driver().Await<wire::DemandUnmetT>(), nullptr);
  cluster.Demand(cluster.driver(), 2, 1, 1, false, "");
  EXPECT_NE(cluster.driver().Await<wire::DemandUnmetT>(), nullptr);
  cluster.Demand(cluster.driver(), 3, 1, 1e18);
  EXPECT_NE(cluster.driver().Await<wire::DemandUnmetT>(), nullptr);
  EXPECT_NE(OneLease(cluster, 4), nullptr);
}

// ---- Workers -------------------------------------------------------------------------------------------

TEST(Workers, RunInTheDriversEnvironmentAndDirectory) {
  Cluster::Options options;
  options.environment = {"COLOUR=green"};
  options.working_directory = "/usr/lib";
  Cluster cluster(options);
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "environment COLOUR"), "green");
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "directory"), "/usr/lib");
}

TEST(Workers, AKilledOneIsReportedWithSignalAndLastWords) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "print famous last words"), "done");
  kill(lease->pid, SIGKILL);
  const auto lost = cluster.driver().Await<wire::LeaseLostT>();
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->lease, lease->lease);
  EXPECT_EQ(lost->worker, lease->worker);
  ASSERT_NE(lost->cause, nullptr);
  EXPECT_EQ(lost->cause->signal, SIGKILL);
  EXPECT_CONTAINS(lost->cause->message, "signal 9 (SIGKILL)");
  EXPECT_CONTAINS(lost->cause->log_tail, "famous last words");
  EXPECT_CONTAINS(lost->cause->log_path, cluster.session() + "/logs/worker-");
  // The level still stands: another worker comes.
  const auto next = cluster.driver().Await<wire::LeaseGrantedT>();
  ASSERT_NE(next, nullptr);
  EXPECT_NE(next->worker, lease->worker);
}

// Who dies between taking a parked flag and waking its owner leaves a sleeper behind.
TEST(Workers, TheirDeathWakesEverySleeper) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  auto& doorbell = cluster.driver().my_page().doorbell;
  doorbell.Announce();
  kill(lease->pid, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return doorbell.parked.load() == 0; }));
}

TEST(Workers, TheirExitStatusIsReported) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  cluster.Command(cluster.driver(), lease->worker, "exit 7");
  const auto lost = cluster.driver().Await<wire::LeaseLostT>();
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->cause->signal, 0);
  EXPECT_EQ(lost->cause->exit_code, 7);
}

TEST(Workers, OneThatClosesItsSocketAndStaysIsKilled) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  cluster.Command(cluster.driver(), lease->worker, "close");
  const auto lost = cluster.driver().Await<wire::LeaseLostT>(3000);
  ASSERT_NE(lost, nullptr);
  EXPECT_FALSE(IsAlive(lease->pid));
}

TEST(Workers, TheirZygotesDeathEndsThemAndOthersCome) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  std::ifstream stat("/proc/" + std::to_string(lease->pid) + "/stat");
  std::string skip;
  pid_t zygote;
  stat >> skip >> skip >> skip >> zygote;
  kill(zygote, SIGKILL);
  const auto lost = cluster.driver().Await<wire::LeaseLostT>();
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->cause->signal, SIGKILL);
  EXPECT_NE(cluster.driver().Await<wire::LeaseGrantedT>(), nullptr);
}

TEST(Workers, AProgramThatIsNoMantaProgramIsExplained) {
  Cluster::Options options;
  options.environment = {"FAKE_ZYGOTE=exits"};
  Cluster cluster(options);
  cluster.Demand(cluster.driver(), 1, 1);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>();
  ASSERT_NE(unmet, nullptr);
  EXPECT_TRUE(unmet->infeasible);
  EXPECT_CONTAINS(unmet->reason, "exit status 127 before it said Hello; is this a Manta program");
  EXPECT_CONTAINS(unmet->reason, "cannot find libfancy.so.3");
  // Later demands, too.
  cluster.Demand(cluster.driver(), 2, 1);
  EXPECT_NE(cluster.driver().Await<wire::DemandUnmetT>(), nullptr);
}

TEST(Workers, AnExecutableThatIsNotThereIsExplained) {
  Cluster::Options options;
  options.executable = "/nowhere/program";
  Cluster cluster(options);
  cluster.Demand(cluster.driver(), 1, 1);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>();
  ASSERT_NE(unmet, nullptr);
  EXPECT_CONTAINS(unmet->reason, "cannot execute /nowhere/program: No such file");
}

TEST(Workers, OnesThatNeverStartAreGivenUp) {
  Cluster::Options options;
  options.environment = {"FAKE_ZYGOTE=workers-exit"};
  Cluster cluster(options);
  cluster.Demand(cluster.driver(), 1, 1);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>();
  ASSERT_NE(unmet, nullptr);
  EXPECT_TRUE(unmet->infeasible);
  EXPECT_CONTAINS(unmet->reason, "exit status 4");
  EXPECT_CONTAINS(unmet->reason, "no worker wants to live");
}

size_t WorkersBegun(const Cluster& cluster) {
  size_t logs = 0;
  for (const std::string& name : FilesIn(cluster.session() + "/logs")) {
    logs += name.starts_with("worker-") && name.ends_with(".err");
  }
  return logs;
}

TEST(Workers, OnesThatDieRightAfterTheirHelloAreGivenUp) {
  Cluster::Options options;
  options.environment = {"FAKE_ZYGOTE=workers-exit-later"};
  Cluster cluster(options);
  cluster.Demand(cluster.driver(), 1, 2);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>();
  ASSERT_NE(unmet, nullptr);
  EXPECT_TRUE(unmet->infeasible);
  EXPECT_CONTAINS(unmet->reason, "exit status 5 before it did anything (5 times in a row");
  EXPECT_CONTAINS(unmet->reason, "no room for this worker");
  // Five times two; the demand that is refused may come again, a second later, before its owner has heard of it.
  EXPECT_LE(WorkersBegun(cluster), 30u);
}

// As long as the file exists.
class Misbehaviour {
 public:
  explicit Misbehaviour(const std::string& how) {
    close(mkstemp(path_.data()));
    options.environment = {"FAKE_ZYGOTE=" + how, "FAKE_ZYGOTE_WHILE=" + path_};
  }
  ~Misbehaviour() { End(); }
  void Begin() { std::ofstream(path_) << "again"; }
  void End() { unlink(path_.c_str()); }

  Cluster::Options options;

 private:
  std::string path_ = "/tmp/manta-misbehaviour-XXXXXX";
};

TEST(Workers, ThatCouldNotStartDoOnceTheCauseHasGone) {
  for (const char* how : {"workers-exit", "workers-exit-later", "exits", "killed"}) {
    Misbehaviour misbehaviour(how);
    Cluster cluster(misbehaviour.options);
    cluster.Demand(cluster.driver(), 1, 1);
    ASSERT_NE(cluster.driver().Await<wire::DemandUnmetT>(), nullptr) << how;
    misbehaviour.End();
    cluster.Demand(cluster.driver(), 2, 1);
    std::unique_ptr<wire::LeaseGrantedT> granted;
    do {  // the first ones may be to those that died
      granted = cluster.driver().Await<wire::LeaseGrantedT>();
    } while (granted != nullptr && granted->key != 2);
    EXPECT_NE(granted, nullptr) << how;
  }
}

TEST(Workers, GoOnWhileOthersCannotStart) {
  Misbehaviour misbehaviour("workers-exit");
  misbehaviour.End();
  Cluster cluster(misbehaviour.options);
  cluster.Demand(cluster.driver(), 1, 2, 0.5);
  for (int i = 0; i < 2; ++i) {
    const auto lease = cluster.driver().Await<wire::LeaseGrantedT>();
    ASSERT_NE(lease, nullptr);
    cluster.Ask(cluster.driver(), lease->worker, "seen");
  }
  misbehaviour.Begin();
  cluster.Demand(cluster.driver(), 1, 3, 0.5);
  EXPECT_TRUE(Eventually([&] { return WorkersBegun(cluster) > 2 + 6; })) << "it is tried again and again";
  EXPECT_EQ(cluster.driver().Await<wire::DemandUnmetT>(0), nullptr) << "though it has workers";
  misbehaviour.End();
  EXPECT_NE(cluster.driver().Await<wire::LeaseGrantedT>(), nullptr);
}

TEST(Workers, TheirZygoteIsStartedAgainWhenItIsKilledBeforeItsHello) {
  Misbehaviour once("killed-once");
  Cluster cluster(once.options);
  EXPECT_NE(OneLease(cluster), nullptr);
  EXPECT_EQ(cluster.driver().Await<wire::DemandUnmetT>(0), nullptr);
}

TEST(Workers, AZygoteThatIsKilledEachTimeIsNamedAsWhatItIs) {
  Misbehaviour killed("killed");
  Cluster cluster(killed.options);
  cluster.Demand(cluster.driver(), 1, 1);
  const auto unmet = cluster.driver().Await<wire::DemandUnmetT>();
  ASSERT_NE(unmet, nullptr);
  EXPECT_CONTAINS(unmet->reason, "ended by signal 9 (SIGKILL) before it said Hello (5 times in a row");
  EXPECT_FALSE(Contains(unmet->reason, "Manta program")) << unmet->reason;
}

// At most two of this node start at a time: starts that came to nothing must not count for ever.
TEST(Workers, OnesThatNeverStartTakeNobodysPlace) {
  Cluster cluster;
  for (const char* mode : {"FAKE_ZYGOTE=workers-exit", "FAKE_ZYGOTE=exits", "FAKE_ZYGOTE="}) {
    auto guest = cluster.Connect();
    wire::HelloT hello = cluster.DriverHello();
    hello.secret = SecretOf(cluster);
    hello.environment.push_back(mode);
    ASSERT_TRUE(guest->Join(std::move(hello)));
    cluster.Demand(*guest, 1, 10, 0, true);
    if (*(std::strchr(mode, '=') + 1) != '\0') {
      EXPECT_NE(guest->Await<wire::DemandUnmetT>(), nullptr);
    }
    guest->Close();  // the last one while its workers start
  }
  cluster.Demand(cluster.driver(), 1, 5, 0, true);
  for (int i = 0; i < 5; ++i) {
    EXPECT_NE(cluster.driver().Await<wire::LeaseGrantedT>(5000), nullptr) << i;
  }
}

TEST(Workers, AreKilledOnRequestOfTheHolderOnly) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  auto other = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(other->Join(std::move(hello)));
  wire::KillWorkerT murder;
  murder.worker = lease->worker;
  other->Send(std::move(murder));
  cluster.List(*other, "workers");  // by now it was dealt with
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "print alive"), "done");

  wire::KillWorkerT request;
  request.worker = lease->worker;
  request.reason = "cancelled by force";
  cluster.driver().Send(std::move(request));
  const auto lost = cluster.driver().Await<wire::LeaseLostT>();
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->cause->signal, SIGKILL);
  EXPECT_CONTAINS(lost->cause->message, "cancelled by force");
}

TEST(Workers, TheirOutputGoesToTheDriver) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  cluster.Ask(cluster.driver(), lease->worker, "print good morning");
  const auto output = cluster.driver().Await<wire::WorkerOutputT>();
  ASSERT_NE(output, nullptr);
  EXPECT_EQ(output->lines, "good morning\n");
  EXPECT_EQ(output->process, lease->worker);
  EXPECT_EQ(output->pid, lease->pid);
}

TEST(Workers, TheirOutputStaysInTheLogIfTheDriverWantsItSo) {
  Cluster::Options options;
  options.log_to_driver = false;
  Cluster cluster(options);
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  cluster.Ask(cluster.driver(), lease->worker, "print good morning");
  EXPECT_EQ(cluster.driver().Await<wire::WorkerOutputT>(400), nullptr);
}

TEST(Workers, AFloodOfOutputIsCutShortAndItsLogStaysSmall) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "flood 25"), "done");
  const std::string log =
      cluster.session() + "/logs/worker-" + std::to_string(uint32_t(lease->worker)) + ".out";
  const auto size_of = [](const std::string& path) {
    struct stat status{};
    stat(path.c_str(), &status);
    return static_cast<uint64_t>(status.st_size);
  };
  // Cut once or twice, as the daemon comes to read in the middle of the flood or after it.
  EXPECT_TRUE(Eventually([&] { return size_of(log) <= 10u << 20; }));
  EXPECT_EQ(size_of(log + ".1"), 10u << 20);
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "print after the flood"), "done");
  size_t bytes = 0;
  std::string all;
  while (!Contains(all, "after the flood")) {
    const auto output = cluster.driver().Await<wire::WorkerOutputT>();
    ASSERT_NE(output, nullptr);
    bytes += output->lines.size();
    all += output->lines;
  }
  EXPECT_LT(bytes, 1u << 20);
  EXPECT_CONTAINS(all, "more went to its log only");
}

// ---- Ends ----------------------------------------------------------------------------------------------

TEST(Ends, WhenTheDriversSocketClosesNothingRemains) {
  Cluster cluster;
  ASSERT_NE(OneLease(cluster), nullptr);
  const std::vector<pid_t> processes = cluster.Descendants();
  EXPECT_GE(processes.size(), 2u);
  const std::string session = cluster.session();
  EXPECT_TRUE(contracts::ReadSessionAddress(session));
  cluster.driver().Close();
  EXPECT_TRUE(cluster.AwaitEnd());
  EXPECT_EQ(cluster.exit_status(), 0);
  EXPECT_TRUE(AwaitAllDead(processes, 100));  // before the daemon ended, not some time later
  ExpectNothingLeft(session);
}

TEST(Ends, OnSigtermTheSame) {
  Cluster cluster;
  ASSERT_NE(OneLease(cluster), nullptr);
  const std::vector<pid_t> processes = cluster.Descendants();
  const std::string session = cluster.session();
  kill(cluster.daemon(), SIGTERM);
  const auto stop = cluster.driver().Await<wire::StopT>();
  ASSERT_NE(stop, nullptr);
  EXPECT_CONTAINS(stop->reason, "SIGTERM");
  EXPECT_TRUE(cluster.AwaitEnd());
  EXPECT_EQ(cluster.exit_status(), 0);
  EXPECT_TRUE(AwaitAllDead(processes, 100));
  ExpectNothingLeft(session);
}

TEST(Ends, TheDaemonsViolentDeathTakesAllAlong) {
  Cluster cluster;
  ASSERT_NE(OneLease(cluster), nullptr);
  const std::vector<pid_t> processes = cluster.Descendants();
  kill(cluster.daemon(), SIGKILL);
  EXPECT_TRUE(cluster.AwaitEnd());
  EXPECT_TRUE(AwaitAllDead(processes));
  EXPECT_TRUE(cluster.driver().AwaitClosed());
}

TEST(Ends, AStoppedWorkerIsNoObstacle) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  const std::vector<pid_t> processes = cluster.Descendants();
  kill(lease->pid, SIGSTOP);
  cluster.driver().Close();
  EXPECT_TRUE(cluster.AwaitEnd());
  EXPECT_TRUE(AwaitAllDead(processes, 100));
}

TEST(Ends, AGuestTakesOnlyItsOwnAlong) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  auto guest = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(guest->Join(std::move(hello))) << guest->refusal();
  EXPECT_NE(guest->welcome().job, cluster.driver().welcome().job);
  cluster.Demand(*guest, 1, 1);
  const auto theirs = guest->Await<wire::LeaseGrantedT>();
  ASSERT_NE(theirs, nullptr);
  EXPECT_NE(theirs->worker, lease->worker);
  guest->Close();
  EXPECT_TRUE(AwaitAllDead({theirs->pid}));
  EXPECT_EQ(cluster.Ask(cluster.driver(), lease->worker, "print alive"), "done");
  EXPECT_TRUE(Eventually([&] {
    return !Contains(cluster.List(cluster.driver(), "processes"), std::to_string(theirs->pid));
  }));
}

TEST(Ends, AnIdleDaemonSleeps) {
  Cluster cluster;
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  usleep(1'500'000);  // logs and spare workers have settled
  const auto switches = [&] {
    std::ifstream status("/proc/" + std::to_string(cluster.daemon()) + "/status");
    std::string line, found;
    while (std::getline(status, line)) {
      if (line.starts_with("voluntary_ctxt_switches")) found = line;
    }
    return found;
  };
  const std::string before = switches();
  usleep(1'000'000);
  EXPECT_EQ(switches(), before);
}

TEST(Ends, WhoDoesNotReadIsDropped) {
  Cluster cluster;
  auto guest = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(guest->Join(std::move(hello)));
  for (int i = 0; i < 12; ++i) {
    wire::RelayT relay;
    relay.to = guest->welcome().process;
    relay.payload.resize(8 << 20);
    cluster.driver().Send(std::move(relay));
  }
  EXPECT_NE(cluster.driver().Await<wire::ProcessGoneT>(), nullptr);
  EXPECT_NE(OneLease(cluster), nullptr);
}

// ---- Objects -------------------------------------------------------------------------------------------

TEST(Objects, AreAllocatedSealedFreedAndUsedAgain) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto first = Put(driver, 3 << 20);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->size, 3u << 20);
  EXPECT_EQ(first->offset % (4 << 10), 0u);
  EXPECT_GE(first->offset, 2048 * sizeof(shm::ObjectSlot<shm::RealAtomics>));
  EXPECT_EQ(driver.object_slot(first->slot).owner, driver.welcome().process);
  Free(driver, first->slot, first->generation);
  EXPECT_TRUE(Eventually([&] { return StateOf(driver, first->slot) == shm::ObjectState::kFree; }));
  const auto second = Put(driver, 3 << 20);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->slot, first->slot);
  EXPECT_EQ(second->offset, first->offset);  // warm memory first
  EXPECT_EQ(second->generation, first->generation + 1);
  Free(driver, second->slot, first->generation);  // stale: ignored
  Free(driver, 4'000'000, 1);                     // no such slot
  cluster.List(driver, "objects");
  EXPECT_EQ(StateOf(driver, second->slot), shm::ObjectState::kSealed);
}

TEST(Objects, LargerThanTheStoreAreRefusedAtOnce) {
  Cluster cluster;
  wire::AllocateObjectT allocate;
  allocate.request = 9;
  allocate.size = uint64_t{1} << 40;
  cluster.driver().Send(std::move(allocate));
  const auto refused = cluster.driver().Await<wire::ObjectRefusedT>(2000);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->request, 9u);
  EXPECT_EQ(refused->kind, static_cast<uint32_t>(MANTA_ERROR_OBJECT_TOO_LARGE));
}

Cluster::Options ShortWait(const std::string& ms) {
  Cluster::Options options;
  options.arguments = {"--num-cpus", "2", "--object-store-bytes", "134217728", "--object-wait-ms",
                       ms};
  return options;
}

TEST(Objects, AFullStoreRefusesAndNamesItsHolders) {
  Cluster cluster(ShortWait("200"));
  ASSERT_NE(Put(cluster.driver(), 100 << 20), nullptr);
  wire::AllocateObjectT allocate;
  allocate.size = 50 << 20;
  cluster.driver().Send(std::move(allocate));
  const auto refused = cluster.driver().Await<wire::ObjectRefusedT>();
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->kind, static_cast<uint32_t>(MANTA_ERROR_OBJECT_STORE_FULL));
  EXPECT_CONTAINS(refused->message, "50.0 MiB");
  EXPECT_CONTAINS(refused->message, "100.0 MiB in 1 objects");
  EXPECT_CONTAINS(refused->message, "driver");
}

TEST(Objects, WhoWaitsGetsWhatIsFreed) {
  Cluster cluster(ShortWait("10000"));
  Peer& driver = cluster.driver();
  const auto first = Put(driver, 100 << 20);
  ASSERT_NE(first, nullptr);
  wire::AllocateObjectT allocate;
  allocate.request = 2;
  allocate.size = 50 << 20;
  driver.Send(std::move(allocate));
  EXPECT_EQ(driver.Await<wire::ObjectAllocatedT>(200), nullptr);
  Free(driver, first->slot, first->generation);
  const auto second = driver.Await<wire::ObjectAllocatedT>();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->request, 2u);
}

TEST(Objects, PinnedOnesStayUntilTheLastPinGoes) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto object = Put(driver, 1 << 20);
  ASSERT_NE(object, nullptr);
  auto& pins = driver.my_page().pins;
  ASSERT_TRUE(pins.Pin(3, object->slot, object->generation, driver.object_slot(object->slot)));
  Free(driver, object->slot, object->generation);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(driver, object->slot) == shm::ObjectState::kDying; }));
  usleep(50'000);
  EXPECT_EQ(StateOf(driver, object->slot), shm::ObjectState::kDying);
  EXPECT_FALSE(pins.Pin(4, object->slot, object->generation, driver.object_slot(object->slot)));
  pins.Unpin(3);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(driver, object->slot) == shm::ObjectState::kFree; }));
}

// The process of this test: it goes on, and may still read.
TEST(Objects, PinsOfADriverThatHasLeftCountAsLongAsItLives) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  auto guest = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(guest->Join(std::move(hello)));
  const auto object = Put(driver, 1 << 20);
  ASSERT_NE(object, nullptr);
  ASSERT_TRUE(guest->my_page().pins.Pin(0, object->slot, object->generation,
                                        guest->object_slot(object->slot)));
  Free(driver, object->slot, object->generation);
  usleep(50'000);
  EXPECT_EQ(StateOf(driver, object->slot), shm::ObjectState::kDying);
  guest->Send(wire::GoodbyeT{});
  usleep(100'000);
  EXPECT_EQ(StateOf(driver, object->slot), shm::ObjectState::kDying);
  guest->my_page().pins.Unpin(0);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(driver, object->slot) == shm::ObjectState::kFree; }));
}

TEST(Objects, ADeadDriversPinsDoNotCount) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto object = Put(driver, 1 << 20);
  ASSERT_NE(object, nullptr);
  int done[2];
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto guest = cluster.Connect();
    wire::HelloT hello = cluster.DriverHello();
    hello.pid = getpid();
    hello.secret = SecretOf(cluster);
    const bool pinned = guest->Join(std::move(hello)) &&
                        guest->my_page().pins.Pin(0, object->slot, object->generation, guest->object_slot(object->slot));
    if (write(done[1], pinned ? "+" : "-", 1) == 1) pause();
    _exit(1);
  }
  char answer = 0;
  ASSERT_EQ(read(done[0], &answer, 1), 1);
  EXPECT_EQ(answer, '+');
  Free(driver, object->slot, object->generation);
  usleep(50'000);
  EXPECT_EQ(StateOf(driver, object->slot), shm::ObjectState::kDying);
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(driver, object->slot) == shm::ObjectState::kFree; }));
  for (const int end : done) close(end);
}

TEST(Objects, ADeadWorkersAreFreedOrHandedToTheirOwner) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  const std::string me = std::to_string(driver.welcome().process);
  const std::string worker = std::to_string(lease->worker);
  uint32_t unfinished, for_me, its_own, generation;
  const auto ask = [&](const std::string& command, uint32_t* slot) {
    std::istringstream(cluster.Ask(driver, lease->worker, command)) >> *slot >> generation;
  };
  ask("begin 1000000 " + me, &unfinished);
  ask("put 1000000 " + worker, &its_own);
  ask("put 1000000 " + me, &for_me);
  kill(lease->pid, SIGKILL);
  const auto lost = driver.Await<wire::LeaseLostT>();
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->slots, std::vector<uint32_t>{for_me});
  EXPECT_EQ(lost->generations, std::vector<uint32_t>{generation});
  EXPECT_TRUE(Eventually([&] {
    return StateOf(driver, unfinished) == shm::ObjectState::kFree &&
           StateOf(driver, its_own) == shm::ObjectState::kFree;
  }));
  EXPECT_EQ(StateOf(driver, for_me), shm::ObjectState::kSealed);
  Free(driver, for_me, generation);
  EXPECT_TRUE(Eventually([&] { return StateOf(driver, for_me) == shm::ObjectState::kFree; }));
}

TEST(Objects, FreeingDoesNotPullTheRugFromUnderAWriter) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  uint32_t slot, generation;
  std::istringstream(cluster.Ask(driver, lease->worker,
                                 "begin 1000000 " + std::to_string(driver.welcome().process))) >>
      slot >> generation;
  Free(driver, slot, generation);
  usleep(50'000);
  EXPECT_EQ(StateOf(driver, slot), shm::ObjectState::kWriting);
  ASSERT_TRUE(driver.Seal(slot, generation));  // as the worker would
  EXPECT_TRUE(Eventually([&] { return StateOf(driver, slot) == shm::ObjectState::kFree; }));
}

// ---- Channels ------------------------------------------------------------------------------------------

TEST(Channels, MemoryIsUsedAgainOnlyOnceTheOwnerHasLetGo) {
  Cluster::Options options;
  options.arguments = {"--num-cpus", "1", "--object-store-bytes", "67108864"};
  Cluster cluster(options);
  Peer& driver = cluster.driver();
  const auto first = OneLease(cluster);
  ASSERT_NE(first, nullptr);
  const shm::ChannelView view = shm::ViewChannel(driver.control(), first->channel);
  kill(first->pid, SIGKILL);
  ASSERT_NE(driver.Await<wire::LeaseLostT>(), nullptr);
  const auto second = driver.Await<wire::LeaseGrantedT>();
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second->channel, first->channel);
  EXPECT_EQ(view.header->worker, first->worker);  // what the dead worker left can still be read

  wire::ReleaseChannelT release;
  release.channel = first->channel;
  driver.Send(std::move(release));
  wire::ReleaseChannelT mistaken;  // of a channel in use: ignored
  mistaken.channel = second->channel;
  driver.Send(std::move(mistaken));
  kill(second->pid, SIGKILL);
  const auto third = driver.Await<wire::LeaseGrantedT>();
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->channel, first->channel);
  EXPECT_EQ(view.header->worker, third->worker);
  EXPECT_EQ(view.slots[0].word.load(), 0u);
}

TEST(Channels, AWorkersTableForgetsOwnersThatAreGone) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto actor = OneLease(cluster, 1, true);
  ASSERT_NE(actor, nullptr);
  auto guest = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(guest->Join(std::move(hello)));
  wire::OpenChannelT open;
  open.target = actor->worker;
  guest->Send(std::move(open));
  const auto opened = guest->Await<wire::ChannelOpenedT>();
  ASSERT_NE(opened, nullptr);
  const std::string both =
      std::to_string(actor->channel) + " " + std::to_string(opened->channel) + " ";
  EXPECT_EQ(cluster.Ask(driver, actor->worker, "channels"), both);
  guest->Close();
  EXPECT_TRUE(Eventually([&] {
    return cluster.Ask(driver, actor->worker, "channels") ==
           std::to_string(actor->channel) + " 0 ";
  }));
  const shm::ProcessPage& page = shm::PageAt(driver.control(), actor->worker_page);
  EXPECT_EQ(page.channel_version.load(), 3u);
}

// ---- Relays, names, lists ------------------------------------------------------------------------------

TEST(Relays, ThatCannotBeDeliveredComeBack) {
  Cluster cluster;
  cluster.Command(cluster.driver(), 12345, "anybody there?");
  const auto back = cluster.driver().Await<wire::RelayedT>();
  ASSERT_NE(back, nullptr);
  EXPECT_TRUE(back->undeliverable);
  EXPECT_EQ(back->from, 12345u);
  EXPECT_EQ(std::string(back->payload.begin(), back->payload.end()), "anybody there?");
}

TEST(Relays, TellOfThePartnersDeath) {
  Cluster cluster;
  auto guest = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(guest->Join(std::move(hello)));
  cluster.Command(*guest, cluster.driver().welcome().process, "hello");
  const auto relayed = cluster.driver().Await<wire::RelayedT>();
  ASSERT_NE(relayed, nullptr);
  EXPECT_EQ(relayed->from, guest->welcome().process);
  EXPECT_FALSE(relayed->undeliverable);
  guest->Close();
  const auto gone = cluster.driver().Await<wire::ProcessGoneT>();
  ASSERT_NE(gone, nullptr);
  EXPECT_EQ(gone->process, relayed->from);
}

TEST(Names, AreUniqueAndGoWithTheirProcess) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto actor = OneLease(cluster, 1, true);
  ASSERT_NE(actor, nullptr);
  const auto register_as = [&](uint64_t serial) {
    wire::RegisterActorT message;
    message.request = serial;
    message.creator = driver.welcome().process;
    message.serial = serial;
    message.name = "counter";
    message.class_name = "Counter";
    message.process = actor->worker;
    message.created = true;
    driver.Send(std::move(message));
    return driver.Await<wire::ActorRegisteredT>();
  };
  const auto find = [&] {
    wire::FindActorT message;
    message.name = "counter";
    driver.Send(std::move(message));
    return driver.Await<wire::ActorFoundT>();
  };
  EXPECT_EQ(register_as(1)->error_kind, 0u);
  const auto taken = register_as(2);
  EXPECT_EQ(taken->error_kind, static_cast<uint32_t>(MANTA_ERROR_ACTOR_NAME_TAKEN));
  EXPECT_EQ(taken->existing_serial, 1u);
  const auto found = find();
  EXPECT_TRUE(found->found);
  EXPECT_EQ(found->process, actor->worker);
  EXPECT_EQ(found->state, "ALIVE");
  EXPECT_CONTAINS(cluster.List(driver, "actors"), "\"name\":\"counter\"");
  kill(actor->pid, SIGKILL);
  ASSERT_NE(driver.Await<wire::LeaseLostT>(), nullptr);
  EXPECT_FALSE(find()->found);
  EXPECT_EQ(register_as(3)->error_kind, 0u);
}

TEST(Names, OfDetachedActorsOutliveTheirCreator) {
  Cluster cluster;
  auto creator = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  hello.ray_namespace = "shared";
  ASSERT_TRUE(creator->Join(std::move(hello)));
  cluster.Demand(*creator, 1, 1, 1, true);
  const auto actor = creator->Await<wire::LeaseGrantedT>();
  ASSERT_NE(actor, nullptr);
  cluster.Demand(*creator, 2, 1, 1, true);
  const auto other = creator->Await<wire::LeaseGrantedT>();
  ASSERT_NE(other, nullptr);
  wire::RegisterActorT message;
  message.creator = creator->welcome().process;
  message.serial = 1;
  message.name = "keeper";
  message.detached = true;
  message.process = actor->worker;
  message.created = true;
  creator->Send(std::move(message));
  ASSERT_EQ(creator->Await<wire::ActorRegisteredT>()->error_kind, 0u);
  creator->Close();
  EXPECT_TRUE(AwaitAllDead({other->pid}));

  wire::FindActorT find;
  find.name = "keeper";
  find.ray_namespace = "shared";
  cluster.driver().Send(std::move(find));
  const auto found = cluster.driver().Await<wire::ActorFoundT>();
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->found);
  EXPECT_EQ(found->process, actor->worker);
  EXPECT_EQ(cluster.Ask(cluster.driver(), actor->worker, "print alive"), "done");
  EXPECT_CONTAINS(cluster.List(cluster.driver(), "workers"), "\"state\":\"detached\"");
  EXPECT_TRUE(Eventually([&] {
    return Contains(cluster.List(cluster.driver(), "resources"), "\"available\":{\"CPU\":1.0");
  }));

  const std::vector<pid_t> before = cluster.Descendants();
  wire::KillWorkerT request;  // anybody may end an actor
  request.worker = actor->worker;
  cluster.driver().Send(std::move(request));
  EXPECT_TRUE(AwaitAllDead({actor->pid}));
  // With it goes the last of its job, the zygote that both jobs share stays.
  EXPECT_TRUE(Eventually([&] {
    return Contains(cluster.List(cluster.driver(), "resources"), "\"available\":{\"CPU\":2.0");
  }));
  EXPECT_NE(OneLease(cluster), nullptr);
}

TEST(Lists, SayWhatIsThere) {
  Cluster cluster;
  Peer& driver = cluster.driver();
  const auto lease = OneLease(cluster);
  ASSERT_NE(lease, nullptr);
  cluster.Demand(driver, 2, 1, 100);
  ASSERT_NE(Put(driver, 1 << 20), nullptr);
  EXPECT_CONTAINS(cluster.List(driver, "workers"), "\"state\":\"leased\"");
  EXPECT_CONTAINS(cluster.List(driver, "leases"), "\"lease\":" + std::to_string(lease->lease));
  EXPECT_CONTAINS(cluster.List(driver, "objects"), "\"state\":\"sealed\"");
  EXPECT_CONTAINS(cluster.List(driver, "demands"), "\"infeasible\":true");
  EXPECT_CONTAINS(cluster.List(driver, "resources"), "\"CPU\":1.0");
  EXPECT_CONTAINS(cluster.List(driver, "status"), cluster.session());
  EXPECT_EQ(cluster.List(driver, "tasks"), "[]");
  EXPECT_CONTAINS(cluster.List(driver, "nonsense"), "error");
}

TEST(Lists, OfTasksAreAskedOfTheirOwners) {
  Cluster cluster;
  auto owner = cluster.Connect();
  wire::HelloT hello = cluster.DriverHello();
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(owner->Join(std::move(hello)));
  wire::ListRequestT request;
  request.request = 77;
  request.what = "tasks";
  cluster.driver().Send(std::move(request));
  const auto asked = owner->Await<wire::ListRequestT>();
  ASSERT_NE(asked, nullptr);
  wire::TaskListT answer;
  answer.request = asked->request;
  auto& task = answer.tasks.emplace_back(std::make_unique<wire::TaskEntryT>());
  task->index = 7;
  task->name = "f";
  task->stage = wire::TaskStage::Running;
  owner->Send(std::move(answer));
  const auto list = cluster.driver().Await<wire::ListAnswerT>();
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->request, 77u);
  EXPECT_CONTAINS(list->json, "\"name\":\"f\",\"type\":\"NORMAL_TASK\",\"state\":\"RUNNING\"");
}

TEST(Lists, StopClusterEndsIt) {
  Cluster cluster;
  ASSERT_NE(OneLease(cluster), nullptr);
  auto tool = cluster.Connect();
  wire::HelloT hello = MakeHello(wire::Role::Tool);
  hello.secret = SecretOf(cluster);
  ASSERT_TRUE(tool->Join(std::move(hello)));
  tool->Send(wire::StopClusterT{});
  EXPECT_NE(cluster.driver().Await<wire::StopT>(), nullptr);
  EXPECT_TRUE(tool->AwaitClosed());
  EXPECT_TRUE(cluster.AwaitEnd());
}

}  // namespace
}  // namespace manta::testing
