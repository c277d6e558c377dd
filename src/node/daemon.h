// The node daemon: takes messages apart and hands each to the class that it concerns.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "base/result.h"
#include "contracts/actor_names.h"
#include "contracts/key_values.h"
#include "contracts/placement_groups.h"
#include "model/resources.h"
#include "node/channel_allocator.h"
#include "node/cluster.h"
#include "node/connections.h"
#include "node/control_arena.h"
#include "node/event_loop.h"
#include "node/far_channels.h"
#include "node/far_demands.h"
#include "node/kept_pages.h"
#include "node/key_value_service.h"
#include "node/lease_service.h"
#include "node/list_service.h"
#include "node/listener.h"
#include "node/log_service.h"
#include "node/node_recorder.h"
#include "node/object_copies.h"
#include "node/object_space.h"
#include "node/placement_group_service.h"
#include "node/process_table.h"
#include "node/relay.h"
#include "node/relay_brake.h"
#include "node/session_directory.h"
#include "node/worker_pool.h"

namespace spdlog {
class logger;
}

namespace manta::node {

struct DaemonOptions {
  uint32_t cores = 1;             // that processes may really use
  model::ResourceSet resources;   // that the node offers
  uint64_t object_store_bytes = 0;
  Nanoseconds object_wait = 10 * kSecond;
  bool embedded = false;          // ends with the driver on the inherited socket
  bool deduplicate_logs = true;
  uint64_t workers_file_limit = 1024;  // descriptors, as the user has set it
  uint32_t node_index = 1;             // 1: the head
  std::string address;                 // of the node, for people
  model::NodeLabels labels;            // but for its id
  std::string joined;                  // the head's node id, when this is another node
};

class Daemon : public Connections::Observer, public WorkerPool::Observer, public Cluster::Observer {
 public:
  // Everything that can fail at the start fails here. All arguments outlive the daemon.
  static Result<std::unique_ptr<Daemon>> Create(EventLoop& loop, spdlog::logger& log,
                                                const SessionDirectory& session,
                                                contracts::ActorNames& actors,
                                                contracts::KeyValues& key_values,
                                                contracts::PlacementGroups& placement_groups,
                                                const DaemonOptions& options);
  ~Daemon();

  void AdoptDriver(UniqueFd socket);
  // The head of a cluster: lets the daemon of another node in. Port 0: any; before Listen.
  Result<> ListenForNodes(const std::string& address, uint16_t port);
  const std::string& trunk_address() const { return trunk_address_; }  // HOST:PORT; empty: no nodes are let in
  // A node that is not the head: the trunk to it.
  void Adopt(UniqueFd trunk);
  // Lets others of this user in, and tells them where.
  Result<> Listen();
  // Ends the loop; drivers are told.
  void Stop(const std::string& reason);
  // On SIGCHLD: zygotes that ended, and what dead workers left behind.
  void ReapChildren();
  // After the loop: ends every process that the daemon started, and waits for them.
  void KillEverything();

 private:
  Daemon(EventLoop& loop, spdlog::logger& log, const SessionDirectory& session,
         contracts::ActorNames& actors, const DaemonOptions& options);

  // Connections::Observer
  ProcessId OnHello(const Peer& peer, const std::shared_ptr<Connection>& connection,
                    const wire::Hello& hello) override;
  void OnMessage(const Peer& peer, const wire::Frame& frame) override;
  void OnLost(const Peer& peer, const std::string& reason) override;
  void OnDrained(const Peer& peer) override;
  void OnRoomForStrangers() override;
  // WorkerPool::Observer
  void OnWorkerDead(ProcessId worker, const wire::CauseT& cause) override;
  bool HasServed(ProcessId worker) const override;
  void OnStartFailed(ExecutableId executable) override;
  void OnStartsGivenUp(ExecutableId executable, uint32_t starts,
                       const std::string& reason) override;

  // Cluster::Observer, all of it in daemon_far.cc
  void OnNodeUp(const NodeInfo& node, const std::shared_ptr<TrunkLink>& link) override;
  void OnNodeDown(const NodeInfo& node, const std::string& reason) override;
  void OnFarProcess(Process& process) override;
  void OnFarProcessGone(ProcessId process, const wire::CauseT& cause) override;
  void OnFarRequest(Process& sender, const wire::Frame& frame) override;
  void OnDelivery(Process& receiver, trunk::ControlFrame frame) override;
  void OnNodeMessage(const wire::Frame& frame) override;
  bool OnData(const trunk::FrameView& frame) override;
  void OnTrunkDrained() override;

  void MakeFarParts();
  // What is for the other node to answer goes there: true.
  bool ForwardIfFar(Process& sender, const wire::Frame& frame);
  bool SendFar(ProcessId to, std::vector<uint8_t> frame);
  void FarProcessGone(ProcessId process, wire::CauseT cause);
  void OnFarOutput(Process& driver, const wire::WorkerOutput& message);
  void OnFarGrant(Process& owner, const wire::LeaseGranted& message);
  void OnFarChannel(Process& owner, const wire::ChannelOpened& message);
  void OnFarBatch(ProcessId receiver, const wire::Relayed& message);
  void FreeMissed(const std::map<ProcessId, SlotList>& missed);
  void FinishWorkerDead(ProcessId worker, wire::CauseT cause);

  ProcessId WelcomeDriver(const Peer& peer, const std::shared_ptr<Connection>& connection,
                          const wire::Hello& hello);
  ProcessId WelcomeWorker(const Peer& peer, const std::shared_ptr<Connection>& connection,
                          const wire::Hello& hello);
  ProcessId WelcomeTool(const Peer& peer, const std::shared_ptr<Connection>& connection,
                        const wire::Hello& hello);
  // The node's memory, for a process that joins. Refuses it if there are too many open files.
  using Arenas = std::vector<UniqueFd>;
  std::optional<Arenas> DuplicateArenas(const std::shared_ptr<Connection>& connection);
  void SendWelcome(const Process& process, const wire::Hello& hello, Arenas arenas);
  void RefuseProcess(const std::shared_ptr<Connection>& connection, manta_error_kind kind,
                     const std::string& message);
  void Dispatch(Process& sender, const wire::Frame& frame);
  void OnDriverGoodbye(const Process& driver);
  void DriverGone(ProcessId driver, const std::string& reason);
  void HoldFarSenders(ProcessId receiver, bool hold);
  void AwaitFarOutput(const Process& driver);
  void FarOutputShown(ProcessId driver);
  void OnWorkerGoodbye(Process& sender, const wire::Goodbye& message);
  // Ends what is left of a job that has neither a driver nor a detached actor.
  void EndJobIfOver(JobId job);
  // Its memory, leases, channels, objects; whoever shared something with it is told.
  void ProcessGone(ProcessId process, const wire::CauseT& cause);

  void OnOpenChannel(Process& sender, const wire::OpenChannel& message);
  void OnKillWorker(Process& sender, const wire::KillWorker& message);
  void OnAllocateObject(Process& sender, const wire::AllocateObject& message);
  void OnFreeObjects(Process& sender, const wire::FreeObjects& message);
  void OnRegisterActor(Process& sender, const wire::RegisterActor& message);
  void OnFindActor(Process& sender, const wire::FindActor& message);
  void OnKillActor(const wire::KillActor& message);

  EventLoop& loop_;
  spdlog::logger& log_;
  const SessionDirectory& session_;
  contracts::ActorNames& actors_;
  const DaemonOptions options_;
  model::NodeLabels labels_;
  std::string node_id_;
  std::string secret_;
  uint64_t last_job_ = 0;
  ProcessId embedding_driver_;
  ProcessTable processes_;
  std::unique_ptr<NodeRecorder> recorder_;
  std::unique_ptr<ControlArena> control_;
  std::unique_ptr<KeptPages> kept_pages_;
  std::unique_ptr<ObjectSpace> objects_;
  std::unique_ptr<Connections> connections_;
  Executables executables_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<ChannelAllocator> channels_;
  std::unique_ptr<LeaseService> leases_;
  std::unique_ptr<LogService> logs_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<RelayBrake> brake_;
  std::unique_ptr<ListService> lists_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<KeyValueService> key_values_;
  std::unique_ptr<FarDemands> far_demands_;
  std::unique_ptr<PlacementGroupService> placement_groups_;
  // From the first time that there is another node:
  uint32_t far_page_ = 0;  // the other ends of channels ring here
  std::unique_ptr<ObjectCopies> copies_;
  std::unique_ptr<FarChannels> far_channels_;
  std::map<ProcessId, wire::CauseT> awaiting_verdict_;  // dead hosts of actors, of a node that is not the head
  // Drivers that have said goodbye, until the other node has sent what it has of their workers' output, or the time is up: well below
  // what the driver waits.
  static constexpr Nanoseconds kFarOutputLimit = 500 * kMillisecond;
  std::map<ProcessId, std::unique_ptr<Timer>> leaving_;
  std::string trunk_address_;
  bool stopping_ = false;
};

}  // namespace manta::node
