#include "node/daemon.h"

#include <signal.h>
#include <spdlog/logger.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "base/remedies.h"
#include "base/kill_point.h"
#include "contracts/fields.h"
#include "contracts/session_files.h"

namespace manta::node {
namespace {

using contracts::Text;
using contracts::Texts;

constexpr uint32_t kMaxPrestarted = 2;
constexpr int kReapAttempts = 2000;  // of a millisecond each

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<pid_t> ChildrenOfThisProcess() {
  std::vector<pid_t> children;
  std::ifstream list("/proc/self/task/" + std::to_string(getpid()) + "/children");
  for (pid_t child; list >> child;) children.push_back(child);
  return children;
}

// Leases and jobs are counted by each daemon, and have different numbers in the whole cluster.
constexpr uint64_t FirstOfNode(uint32_t index) { return (uint64_t{index - 1} << 40) + 1; }

wire::CauseT LeftCause(const std::string& who, const std::string& reason) {
  wire::CauseT cause;
  cause.message = who + " is gone: " + reason;
  return cause;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Create(EventLoop& loop, spdlog::logger& log,
                                               const SessionDirectory& session,
                                               contracts::ActorNames& actors, contracts::KeyValues& key_values,
                                               contracts::PlacementGroups& placement_groups,
                                               const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(loop, log, session, actors, options));
  Result<std::string> node_id = RandomHex(16);
  if (!node_id) return node_id.error();
  daemon->node_id_ = *node_id;
  daemon->labels_ = options.labels;
  daemon->labels_.emplace(model::kNodeIdLabel, *node_id);
  Result<std::string> secret = session.MakeSecret();
  if (!secret) return secret.error();
  daemon->secret_ = *secret;

  daemon->recorder_ =
      std::make_unique<NodeRecorder>(log, session.path(), MakeProcessId(options.node_index, 1));
  ControlArenaOptions control;
  control.node_index = options.node_index;
  control.cores = options.cores;
  Result<std::unique_ptr<ControlArena>> arena = ControlArena::Create(control);
  if (!arena) return arena.error();
  daemon->control_ = std::move(arena).value();
  daemon->kept_pages_ = std::make_unique<KeptPages>(loop, *daemon->control_);
  Result<std::unique_ptr<ObjectSpace>> objects =
      ObjectSpace::Create(loop, log, daemon->processes_, *daemon->control_,
                          options.object_store_bytes, options.object_wait);
  if (!objects) return objects.error();
  daemon->objects_ = std::move(objects).value();

  daemon->connections_ =
      std::make_unique<Connections>(loop, log, daemon->secret_, *daemon);
  daemon->workers_ = std::make_unique<WorkerPool>(loop, log, daemon->processes_,
                                                  *daemon->connections_, session.logs(),
                                                  options.workers_file_limit, *daemon);
  daemon->channels_ = std::make_unique<ChannelAllocator>(*daemon->control_);
  model::LeaseOptions leases;
  leases.total = options.resources;
  leases.labels = daemon->labels_;
  leases.max_starting = std::max(2u, options.cores);
  leases.first_lease = FirstOfNode(options.node_index);
  daemon->leases_ = std::make_unique<LeaseService>(loop, log, daemon->processes_, daemon->executables_, *daemon->workers_,
                                                   *daemon->channels_, *daemon->control_, *daemon->recorder_, leases);
  daemon->logs_ =
      std::make_unique<LogService>(loop, log, daemon->processes_, options.deduplicate_logs);
  daemon->relay_ = std::make_unique<Relay>(daemon->processes_);
  daemon->brake_ = std::make_unique<RelayBrake>(
      loop, log, daemon->processes_, [raw = daemon.get()](ProcessId receiver, bool hold) { raw->HoldFarSenders(receiver, hold); });
  NodeInfo self;
  self.index = options.node_index;
  self.node_id = daemon->node_id_;
  self.address = options.address;
  self.pid = getpid();
  self.head = options.node_index == 1;
  self.total = options.resources;
  self.labels = daemon->labels_;
  const NodeFacts facts{daemon->node_id_, session.path(), options.embedded, EventLoop::Now()};
  auto listing = std::make_unique<Listing>(facts, daemon->processes_, *daemon->workers_,
                                           *daemon->leases_, *daemon->objects_, *daemon->channels_,
                                           *daemon->recorder_);
  daemon->cluster_ = std::make_unique<Cluster>(
      loop, log, daemon->processes_, std::move(self),
      [listing = listing.get()] { return listing->Available(); }, *daemon);
  daemon->leases_->set_other_nodes([cluster = daemon->cluster_.get()](const model::NodeConstraint& constraint) {
    return cluster->OtherNodesText(constraint);
  });
  listing->set_nodes([cluster = daemon->cluster_.get()] { return cluster->Nodes(); });
  daemon->lists_ =
      std::make_unique<ListService>(loop, daemon->processes_, actors, std::move(listing));
  daemon->key_values_ = std::make_unique<KeyValueService>(daemon->processes_, *daemon->cluster_, key_values);
  daemon->far_demands_ = std::make_unique<FarDemands>(
      loop, daemon->processes_, *daemon->leases_, options.node_index,
      [cluster = daemon->cluster_.get()](ProcessId owner, const wire::SetDemandT& demand) {
        cluster->SendFrom(owner, contracts::Encode(wire::SetDemandT(demand)));
      });
  daemon->far_demands_->set_available_there([cluster = daemon->cluster_.get()] { return cluster->AvailableThere(); });
  daemon->placement_groups_ = std::make_unique<PlacementGroupService>(loop, log, daemon->processes_, *daemon->cluster_, *daemon->leases_,
                                                                      placement_groups, options.node_index);
  daemon->far_demands_->set_group_capacity([groups = daemon->placement_groups_.get()](const auto& bundle, const auto& request) {
    return groups->CapacityThere(bundle, request);
  });
  daemon->lists_->set_placement_groups([groups = daemon->placement_groups_.get()] { return groups->List(); });
  daemon->processes_.set_far_route(
      [daemon = daemon.get()](ProcessId to, std::vector<uint8_t> frame) {
        return daemon->SendFar(to, std::move(frame));
      },
      [cluster = daemon->cluster_.get()] { return cluster->pending(); });
  daemon->leases_->set_recall([daemon = daemon.get()](ProcessId owner, ProcessId worker, bool on) {
    if (daemon->far_channels_) daemon->far_channels_->Recall(owner, worker, on);
  });
  return daemon;
}

Daemon::Daemon(EventLoop& loop, spdlog::logger& log, const SessionDirectory& session,
               contracts::ActorNames& actors, const DaemonOptions& options)
    : loop_(loop),
      log_(log),
      session_(session),
      actors_(actors),
      options_(options),
      last_job_(FirstOfNode(options.node_index) - 1),
      processes_(options.node_index) {}

Daemon::~Daemon() = default;

void Daemon::AdoptDriver(UniqueFd socket) {
  Peer peer;
  peer.kind = Peer::Kind::kInheritedDriver;
  peer.pid = getppid();
  connections_->Add(std::move(socket), peer);
}

Result<> Daemon::Listen() {
  contracts::SessionAddress address;
  address.directory = session_.path();
  address.socket = "manta-" + std::to_string(geteuid()) + "-" + session_.name();
  address.daemon_pid = getpid();
  address.embedded = options_.embedded;
  address.node_id = node_id_;
  address.trunk = trunk_address_;
  address.joined = options_.joined;
  auto listener = Listener::Open(loop_, address.socket, [this] { return connections_->has_room_for_strangers(); },
                                 [this](UniqueFd socket, pid_t pid) {
                                   Peer peer;
                                   peer.pid = pid;
                                   connections_->Add(std::move(socket), peer);
                                 });
  if (!listener) return listener.error();
  listener_ = std::move(listener).value();
  return contracts::WriteSessionAddress(address);
}

void Daemon::Stop(const std::string& reason) {
  if (std::exchange(stopping_, true)) return;
  log_.info("daemon stops reason=\"{}\"", reason);
  for (const auto& [id, process] : processes_.all()) {
    if (process.role != wire::Role::Driver || process.far) continue;
    wire::StopT stop;
    stop.reason = reason;
    processes_.Send(id, std::move(stop));
  }
  loop_.Stop();
}

void Daemon::ReapChildren() {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) workers_->OnChildExit(pid, status);
}

void Daemon::KillEverything() {
  workers_->KillAll();
  connections_->CloseAll();
  recorder_->AllGone(processes_);
  // As a subreaper this process becomes the parent of whatever its workers leave behind.
  for (int attempt = 0; attempt < kReapAttempts; ++attempt) {
    pid_t reaped;
    while ((reaped = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0) return;  // no children left
    for (pid_t child : ChildrenOfThisProcess()) kill(child, SIGKILL);
    const timespec pause{0, kMillisecond};
    nanosleep(&pause, nullptr);
  }
  log_.error("daemon ends although some processes do not die");
}

// ---- Hello ---------------------------------------------------------------------------------------------

ProcessId Daemon::OnHello(const Peer& peer, const std::shared_ptr<Connection>& connection,
                          const wire::Hello& hello) {
  if (peer.kind == Peer::Kind::kZygote) {
    workers_->OnZygoteHello(peer.zygote, connection);
    return {};
  }
  switch (hello.role()) {
    case wire::Role::Driver: return WelcomeDriver(peer, connection, hello);
    case wire::Role::Worker: return WelcomeWorker(peer, connection, hello);
    default: return WelcomeTool(peer, connection, hello);
  }
}

void Daemon::RefuseProcess(const std::shared_ptr<Connection>& connection, manta_error_kind kind,
                           const std::string& message) {
  log_.warn("process refused reason=\"{}\"", message);
  wire::RefusedT refused;
  refused.kind = kind;
  refused.message = message;
  connection->Send(std::move(refused));
  connection->CloseAfterFlush();
  connections_->Forget(connection->id());
}

std::optional<Daemon::Arenas> Daemon::DuplicateArenas(const std::shared_ptr<Connection>& connection) {
  Arenas arenas;
  arenas.push_back(control_->file().Duplicate());
  arenas.push_back(objects_->file().Duplicate());
  for (const UniqueFd& arena : arenas) {
    if (arena) continue;
    RefuseProcess(connection, MANTA_ERROR_SYSTEM,
                  std::string("the node daemon has too many open files to share its memory: ") + kRaiseFiles);
    return std::nullopt;
  }
  return arenas;
}

ProcessId Daemon::WelcomeDriver(const Peer& peer, const std::shared_ptr<Connection>& connection,
                                const wire::Hello& hello) {
  Program program;
  program.path = Text(hello.executable());
  program.build_id = Text(hello.build_id());
  program.arguments = Texts(hello.arguments());
  program.environment = Texts(hello.environment());
  program.working_directory = Text(hello.working_directory());
  program.python = Texts(hello.python());
  if (program.path.empty()) {
    RefuseProcess(connection, MANTA_ERROR_INVALID_ARGUMENT, "the driver names no executable");
    return {};
  }
  std::optional<Arenas> arenas = DuplicateArenas(connection);
  if (!arenas) return {};
  const ProcessId id = processes_.NextId();
  const auto page = control_->AcquirePage(id);
  if (!page) {
    RefuseProcess(connection, MANTA_ERROR_SYSTEM, "too many processes on this node");
    return {};
  }
  Process driver;
  driver.id = id;
  driver.role = wire::Role::Driver;
  driver.pid = peer.pid != 0 ? peer.pid : hello.pid();
  driver.job = JobId{++last_job_};
  driver.executable = Executables::OfJob(driver.job);
  driver.page = *page;
  driver.connection = connection;
  driver.name = FileName(program.path);
  driver.ray_namespace = Text(hello.ray_namespace());
  if (driver.ray_namespace.empty()) {
    // A namespace of its own, as in Ray.
    driver.ray_namespace = "job-" + std::to_string(driver.job.value) + "-" + node_id_.substr(0, 8);
  }
  driver.since = EventLoop::Now();
  driver.log_to_driver = hello.log_to_driver();
  const Process& added = processes_.Add(std::move(driver));
  if (peer.kind == Peer::Kind::kInheritedDriver) embedding_driver_ = id;
  SendWelcome(added, hello, std::move(*arenas));
  log_.info("driver joined process={} pid={} job={} program=\"{}\"", SerialOf(id), added.pid,
            added.job.value, program.path);
  recorder_->Joined(added);
  leases_->AddOwner(added);
  // So that the first task finds workers.
  workers_->AddExecutable(added.executable, program);
  const int64_t cpus = options_.resources.Get(model::kCpu) / model::kResourceUnit;
  workers_->Prestart(added.executable, static_cast<uint32_t>(std::clamp<int64_t>(
                                           cpus, 1, kMaxPrestarted)));
  cluster_->Announce(added, &program);
  return id;
}

ProcessId Daemon::WelcomeWorker(const Peer& peer, const std::shared_ptr<Connection>& connection,
                                const wire::Hello& hello) {
  std::optional<Arenas> arenas = DuplicateArenas(connection);
  if (!arenas) {
    workers_->OnWorkerLost(peer.process, "it was refused");
    return peer.process;
  }
  const auto executable = workers_->ExecutableOf(peer.process);
  const auto page = control_->AcquirePage(peer.process);
  if (!page || !executable || !workers_->OnWorkerHello(peer.process, hello.pid())) {
    if (page) control_->ReleasePage(*page);
    RefuseProcess(connection, MANTA_ERROR_SYSTEM,
                  page ? "this worker is not wanted any more" : "too many processes on this node");
    workers_->OnWorkerLost(peer.process, "it was refused");
    return peer.process;
  }
  Process worker;
  worker.id = peer.process;
  worker.role = wire::Role::Worker;
  worker.pid = hello.pid();
  worker.job = executables_.KindOf(*executable).job;
  worker.executable = *executable;
  worker.page = *page;
  worker.connection = connection;
  worker.since = EventLoop::Now();
  worker.ray_namespace = processes_.NamespaceOf(worker.job);
  const Process& added = processes_.Add(std::move(worker));
  SendWelcome(added, hello, std::move(*arenas));
  recorder_->Joined(added);
  log_.debug("worker ready process={} pid={}", SerialOf(added.id), added.pid);
  logs_->Watch(added, workers_->LogOf(added.id));
  leases_->AddOwner(added);
  cluster_->Announce(added, nullptr);
  leases_->WorkerReady(added);
  return added.id;
}

ProcessId Daemon::WelcomeTool(const Peer& peer, const std::shared_ptr<Connection>& connection,
                              const wire::Hello& hello) {
  Process tool;
  tool.id = processes_.NextId();
  tool.role = wire::Role::Tool;
  tool.pid = peer.pid;
  tool.connection = connection;
  tool.since = EventLoop::Now();
  const Process& added = processes_.Add(std::move(tool));
  SendWelcome(added, hello, {});  // tools look from outside
  return added.id;
}

void Daemon::SendWelcome(const Process& process, const wire::Hello& hello, Arenas arenas) {
  wire::WelcomeT welcome;
  welcome.protocol = NegotiatedProtocol(hello, AdmissionRules{});
  welcome.process = process.id.value;
  welcome.job = process.job.value;
  welcome.page = process.page.value_or(0);
  welcome.node_index = options_.node_index;
  welcome.node_id = node_id_;
  welcome.session_directory = session_.path();
  welcome.ray_namespace = process.ray_namespace;
  welcome.control_bytes = control_->file().bytes();
  welcome.object_bytes = objects_->file().bytes();
  welcome.object_slots = objects_->slots();
  welcome.resources = contracts::AmountsOf(options_.resources);
  welcome.labels = contracts::LabelsOf(labels_);
  welcome.environment = executables_.KindOf(process.executable).environment;
  process.connection->Send(std::move(welcome), std::move(arenas));
}

// ---- Messages ------------------------------------------------------------------------------------------

void Daemon::OnMessage(const Peer& peer, const wire::Frame& frame) {
  if (peer.kind == Peer::Kind::kZygote) return workers_->OnZygoteMessage(peer.zygote, frame);
  Process* sender = processes_.Find(peer.process);
  if (sender == nullptr) return;
  sender->has_spoken = true;
  Dispatch(*sender, frame);
}

void Daemon::Dispatch(Process& sender, const wire::Frame& frame) {
  leases_->Heard(sender.id);
  if (!sender.far && ForwardIfFar(sender, frame)) return;
  switch (frame.message_type()) {
    case wire::Message::SetDemand:
      if (sender.far) {
        leases_->SetDemand(sender, *frame.message_as_SetDemand());
      } else if (sender.page) {
        far_demands_->Set(sender, *frame.message_as_SetDemand());
      }
      break;
    case wire::Message::ReturnLease:
      leases_->ReturnLease(sender.id, LeaseId{frame.message_as_ReturnLease()->lease()}, frame.message_as_ReturnLease()->unused());
      break;
    case wire::Message::Retires: leases_->WorkerRetiresAfterLease(sender.id); break;
    case wire::Message::Blocked: leases_->SetBlocked(sender.id, true); break;
    case wire::Message::Resumed: leases_->SetBlocked(sender.id, false); break;
    case wire::Message::OpenChannel: OnOpenChannel(sender, *frame.message_as_OpenChannel()); break;
    case wire::Message::ReleaseChannel:
      channels_->ReleasedByOwner(sender.id, frame.message_as_ReleaseChannel()->channel());
      break;
    case wire::Message::KillWorker: OnKillWorker(sender, *frame.message_as_KillWorker()); break;
    case wire::Message::AllocateObject:
      OnAllocateObject(sender, *frame.message_as_AllocateObject());
      break;
    case wire::Message::FreeObjects: OnFreeObjects(sender, *frame.message_as_FreeObjects()); break;
    case wire::Message::Relay: {
      const wire::Relay& relay = *frame.message_as_Relay();
      std::span<const uint8_t> payload;
      if (relay.payload() != nullptr) payload = {relay.payload()->data(), relay.payload()->size()};
      if (!sender.page) break;
      relay_->Forward(sender.id, ProcessId{relay.to()}, payload);
      brake_->Sent(sender.id, ProcessId{relay.to()});
      break;
    }
    case wire::Message::RegisterActor:
      OnRegisterActor(sender, *frame.message_as_RegisterActor());
      break;
    case wire::Message::FindActor: OnFindActor(sender, *frame.message_as_FindActor()); break;
    case wire::Message::KillActor: OnKillActor(*frame.message_as_KillActor()); break;
    case wire::Message::KeyValueRequest:
      key_values_->Request(sender, *frame.message_as_KeyValueRequest());
      break;
    case wire::Message::PlacementGroupRequest:
      placement_groups_->Request(sender, *frame.message_as_PlacementGroupRequest());
      break;
    case wire::Message::ListRequest:
      lists_->Request(sender.id, frame.message_as_ListRequest()->request(),
                      Text(frame.message_as_ListRequest()->what()));
      break;
    case wire::Message::ResourcesRequest:
      lists_->RequestResources(sender.id, frame.message_as_ResourcesRequest()->request(),
                               frame.message_as_ResourcesRequest()->of_lease());
      break;
    case wire::Message::RecorderMissing:
      recorder_->Missing(processes_.Describe(sender.id),
                         Text(frame.message_as_RecorderMissing()->reason()));
      break;
    case wire::Message::TaskList: lists_->Answer(sender.id, *frame.message_as_TaskList()); break;
    case wire::Message::ObjectList: lists_->Answer(sender.id, *frame.message_as_ObjectList()); break;
    case wire::Message::StopCluster:
      Stop("asked to by " + processes_.Describe(sender.id));
      break;
    case wire::Message::Goodbye:
      if (sender.role == wire::Role::Driver) {
        OnDriverGoodbye(sender);
      } else {
        OnWorkerGoodbye(sender, *frame.message_as_Goodbye());
      }
      break;
    default:
      log_.warn("message ignored from={} type={}", SerialOf(sender.id),
                wire::EnumNameMessage(frame.message_type()));
  }
}

void Daemon::OnOpenChannel(Process& sender, const wire::OpenChannel& message) {
  wire::ChannelOpenedT opened;
  opened.request = message.request();
  opened.target = message.target();
  const Process* target = processes_.Find(ProcessId{message.target()});
  if (!sender.page || target == nullptr || !target->page) {
    opened.error = "there is no such process";
    opened.gone = true;
  } else if (!target->dedicated) {
    opened.error = processes_.Describe(target->id) + " runs no actor";
  } else if (const auto channel = channels_->Open({sender.id, *sender.page},
                                                  {target->id, *target->page}, true)) {
    opened.worker_page = *target->page;
    opened.channel = channel.value();
  } else {
    opened.error = channel.error().message;
  }
  processes_.Send(sender.id, std::move(opened));
}

void Daemon::OnKillWorker(Process& sender, const wire::KillWorker& message) {
  const Process* worker = processes_.Find(ProcessId{message.worker()});
  if (worker == nullptr || worker->role != wire::Role::Worker) return;  // dead already
  const LeaseService::Lease* lease = leases_->LeaseOf(worker->id);
  const bool holder = lease != nullptr && lease->owner == sender.id;
  if (!holder && !worker->dedicated && sender.role != wire::Role::Tool) {
    log_.warn("kill refused by={} worker={}", SerialOf(sender.id), SerialOf(worker->id));
    return;
  }
  std::string reason = Text(message.reason());
  if (reason.empty()) reason = "killed by " + processes_.Describe(sender.id);
  workers_->Stop(worker->id, message.force(), reason);
}

void Daemon::OnAllocateObject(Process& sender, const wire::AllocateObject& message) {
  if (!sender.page) return;
  ProcessId owner{message.owner()};
  // A worker that does not say for whom: then it lives as long as the job.
  if (!owner && sender.role == wire::Role::Worker) {
    if (const Process* driver = processes_.DriverOf(sender.job)) owner = driver->id;
  }
  if (!owner) owner = sender.id;
  if (processes_.Find(owner) == nullptr) {
    // A result for a caller that has left meanwhile: nobody would free it.
    wire::ObjectRefusedT refused;
    refused.request = message.request();
    refused.kind = MANTA_ERROR_OWNER_DIED;
    refused.message = "the process that the object was to belong to is gone";
    processes_.Send(sender.id, std::move(refused));
    return;
  }
  objects_->Allocate(sender, owner, message.request(), message.size());
}

void Daemon::OnFreeObjects(Process& sender, const wire::FreeObjects& message) {
  if (message.slots() == nullptr || message.generations() == nullptr) return;
  const uint32_t count = std::min(message.slots()->size(), message.generations()->size());
  for (uint32_t i = 0; i < count; ++i) {
    objects_->Free(sender.id, message.slots()->Get(i), message.generations()->Get(i));
    if (copies_) copies_->OriginFreed(message.slots()->Get(i), message.generations()->Get(i));
  }
}

// ---- Deaths --------------------------------------------------------------------------------------------

void Daemon::OnLost(const Peer& peer, const std::string& reason) {
  brake_->Drained(peer.process);  // what waited for it is dropped
  switch (peer.kind) {
    case Peer::Kind::kZygote: return workers_->OnZygoteLost(peer.zygote);
    case Peer::Kind::kWorker: return workers_->OnWorkerLost(peer.process, reason);
    case Peer::Kind::kInheritedDriver:
      if (!peer.process) return Stop("the driver left before it said Hello: " + reason);
      return DriverGone(peer.process, reason);
    case Peer::Kind::kStranger: {
      const Process* process = processes_.Find(peer.process);
      if (process == nullptr) return;
      if (process->role == wire::Role::Driver) return DriverGone(peer.process, reason);
      processes_.Remove(peer.process);
    }
  }
}

void Daemon::OnDrained(const Peer& peer) { brake_->Drained(peer.process); }

void Daemon::OnRoomForStrangers() {
  if (listener_) listener_->GoOn();
}

void Daemon::OnDriverGoodbye(const Process& driver) {
  logs_->DriverLeaves(driver.job);
  if (!cluster_->up()) return DriverGone(driver.id, "said goodbye");
  AwaitFarOutput(driver);
}

void Daemon::DriverGone(ProcessId id, const std::string& reason) {
  const Process* driver = processes_.Find(id);
  if (driver == nullptr) return;
  log_.info("driver left process={} pid={} reason=\"{}\"", SerialOf(id), driver->pid, reason);
  if (options_.embedded && id == embedding_driver_) return Stop("its driver left: " + reason);
  const JobId job = driver->job;
  logs_->DriverGone(job);
  connections_->Drop(driver->connection->id());
  const wire::CauseT cause = LeftCause(processes_.Describe(id), reason);
  actors_.ProcessGone(id, true, cause.message);
  ProcessGone(id, cause);
  EndJobIfOver(job);
}

void Daemon::EndJobIfOver(JobId job) {
  placement_groups_->JobHasLost(job);
  if (!processes_.IsOver(job)) return;
  key_values_->JobOver(job);
  for (const ExecutableId executable : executables_.Remove(job)) {
    leases_->ExecutableGone(executable, workers_->RemoveExecutable(executable));
  }
}

void Daemon::OnWorkerDead(ProcessId id, const wire::CauseT& cause) {
  log_.info("worker dead process={} cause=\"{}\"", SerialOf(id), cause.message);
  Process* worker = processes_.Find(id);
  if (worker == nullptr) return;
  logs_->WorkerGone(id);
  connections_->Drop(worker->connection->id());
  wire::CauseT full = cause;
  full.for_good = worker->ends_for_good;
  full.group_removed = worker->group_removed;
  if (cluster_->is_head()) {
    contracts::HostVerdict verdict = actors_.ProcessGone(id, full.for_good, cause.message);
    full.actor_restarts = verdict.starts_again;
    worker->actor_account = std::move(verdict.account);
  } else if (worker->dedicated && cluster_->up()) {
    wire::ActorHostGoneT gone;
    gone.process = id.value;
    gone.for_good = full.for_good;
    gone.reason = cause.message;
    awaiting_verdict_[id] = std::move(full);
    return cluster_->SendToNode(std::move(gone));
  }
  FinishWorkerDead(id, std::move(full));
}

void Daemon::FinishWorkerDead(ProcessId id, wire::CauseT cause) {
  const Process* worker = processes_.Find(id);
  if (worker == nullptr) return;
  const JobId job = worker->job;
  ProcessGone(id, cause);
  EndJobIfOver(job);
}

void Daemon::ProcessGone(ProcessId id, const wire::CauseT& cause) {
  const Process* process = processes_.Find(id);
  if (process == nullptr) return;
  MANTA_KILL_POINT("daemon.death_seen");
  const std::optional<uint32_t> page = process->page;
  // The actor's creator knows by itself, and hears of it by LeaseLost.
  wire::CauseT for_peers = cause;
  if (!process->actor_account.empty()) for_peers.message += "\n" + process->actor_account;
  const bool far = process->far;
  const bool announced = !far && process->role != wire::Role::Tool;
  const bool is_driver = process->role == wire::Role::Driver;  // whose process may go on
  const pid_t pid = process->pid;
  recorder_->Gone(*process, cause);
  if (far_channels_ && !far) far_channels_->WorkerGone(id);
  const std::map<ProcessId, SlotList> missed = objects_->ProcessGone(id);
  const auto missed_by = [&](ProcessId owner) {
    const auto found = missed.find(owner);
    return found == missed.end() ? SlotList{} : found->second;
  };
  const std::set<ProcessId> told = leases_->ProcessGone(id, cause, missed_by);
  if (far_channels_) far_channels_->ProcessGone(id);
  // Whoever shared something with it and has not been told by LeaseLost.
  std::set<ProcessId> peers;
  for (ProcessId peer : channels_->ProcessGone(id)) peers.insert(peer);
  for (ProcessId peer : relay_->ProcessGone(id)) peers.insert(peer);
  for (const auto& [owner, slots] : missed) peers.insert(owner);
  brake_->ProcessGone(id);
  lists_->ProcessGone(id);
  key_values_->ProcessGone(id);
  placement_groups_->ProcessGone(id);
  far_demands_->OwnerGone(id);
  if (copies_) {
    FreeMissed(missed);
    copies_->LookAtOrigins();
  }
  processes_.Remove(id);
  if (page && !far) {
    if (is_driver) {
      kept_pages_->Release(*page, pid);
    } else {
      control_->ReleasePage(*page);
    }
  }
  if (announced) cluster_->AnnounceGone(id, for_peers);
  for (ProcessId peer : peers) {
    const Process* known = processes_.Find(peer);
    if (told.contains(peer) || (known != nullptr && known->far)) continue;
    wire::ProcessGoneT gone;
    gone.process = id.value;
    gone.cause = std::make_unique<wire::CauseT>(for_peers);
    for (const auto& [slot, generation] : missed_by(peer)) {
      gone.slots.push_back(slot);
      gone.generations.push_back(generation);
    }
    processes_.Send(peer, std::move(gone));
  }
  control_->WakeAll();
}

bool Daemon::HasServed(ProcessId id) const {
  const Process* worker = processes_.Find(id);
  if (worker == nullptr) return false;
  if (worker->has_spoken) return true;
  // It has looked at the channels of its first lease.
  return worker->page && control_->page(*worker->page).channel_version_seen.load(std::memory_order_relaxed) != 0;
}

void Daemon::OnStartFailed(ExecutableId executable) { leases_->WorkerStartFailed(executable); }

void Daemon::OnStartsGivenUp(ExecutableId executable, uint32_t starts, const std::string& reason) {
  leases_->StartsGivenUp(executable, starts, reason);
}

}  // namespace manta::node
