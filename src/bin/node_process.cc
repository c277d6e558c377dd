#include "bin/node_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/remedies.h"
#include "bin/labels_file.h"
#include "contracts/session_files.h"
#include "contracts/session_lock.h"
#include "control_store/actor_directory.h"
#include "control_store/key_value_tables.h"
#include "control_store/placement_groups.h"
#include "model/gpu_units.h"
#include "model/resources.h"
#include "node/daemon.h"
#include "node/event_loop.h"
#include "node/join.h"
#include "node/node_resources.h"
#include "node/session_directory.h"
#include "node/system_labels.h"

namespace manta::bin {
namespace {

constexpr size_t kLogBytes = 10 << 20;
constexpr size_t kLogFiles = 2;  // beside the current one
constexpr rlim_t kMostFiles = 65'536;
constexpr rlim_t kLeastStack = 512 << 10;
constexpr node::Nanoseconds kJoinWithin = 5 * node::kSecond;
constexpr const char* kLoopback = "127.0.0.1";

std::shared_ptr<spdlog::logger> MakeLog(const node::SessionDirectory& session) {
  auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(session.logs() + "/daemon.log",
                                                                     kLogBytes, kLogFiles);
  auto log = std::make_shared<spdlog::logger>("daemon", std::move(sink));
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%f %l %v");
  log->flush_on(spdlog::level::info);
  if (const char* level = std::getenv("MANTA_LOG_LEVEL")) {
    log->set_level(spdlog::level::from_str(level));
  }
  return log;
}

// Ray's variable counts, too.
bool WantsDeduplication() {
  for (const char* name : {"MANTA_DEDUP_LOGS", "RAY_DEDUP_LOGS"}) {
    if (const char* value = std::getenv(name)) return std::string(value) != "0";
  }
  return true;
}

Result<std::pair<std::string, double>> ParseResource(const std::string& text) {
  const size_t equals = text.rfind('=');
  char* end = nullptr;
  const double quantity =
      equals == std::string::npos ? 0 : std::strtod(text.c_str() + equals + 1, &end);
  if (equals == 0 || equals == std::string::npos || end == text.c_str() + equals + 1 || *end != 0) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "--resource " + text + ": write NAME=QUANTITY, e.g. disk=2");
  }
  return std::pair(text.substr(0, equals), quantity);
}

Result<model::ResourceSet> Offer(const NodeOptions& options, const node::MachineLimits& machine,
                                 uint64_t object_store_bytes) {
  model::ResourceSet offer;
  const auto set = [&](std::string_view name, double quantity) -> Result<> {
    const Result<int64_t> amount = model::ToFixedPoint(name, quantity);
    if (!amount) return amount.error();
    offer.Set(name, amount.value());
    return {};
  };
  const uint64_t rest =
      machine.memory_bytes > object_store_bytes ? machine.memory_bytes - object_store_bytes : 0;
  const std::pair<std::string_view, double> own[] = {
      {model::kCpu, options.num_cpus < 0 ? machine.cores : options.num_cpus},
      {model::kGpu, options.num_gpus < 0 ? machine.gpus : options.num_gpus},
      {model::kMemory, options.memory < 0 ? static_cast<double>(rest) : options.memory},
      {model::kObjectStoreMemory, static_cast<double>(object_store_bytes)}};
  for (const auto& [name, quantity] : own) {
    if (Result<> done = set(name, quantity); !done) return done.error();
  }
  if (Result<> done = model::GpuUnits::CheckTotal(offer.Get(model::kGpu)); !done) {
    return done.error();
  }
  for (const std::string& text : options.resources) {
    Result<std::pair<std::string, double>> resource = ParseResource(text);
    if (!resource) return resource.error();
    for (const auto& [name, quantity] : own) {
      if (resource->first != name) continue;
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       "--resource " + text + ": " + std::string(name) +
                           " has an option of its own (--num-cpus, --num-gpus, --memory, "
                           "--object-store-memory)");
    }
    if (resource->first.starts_with(model::kNodePrefix)) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       "--resource " + text + ": names that begin with '" +
                           std::string(model::kNodePrefix) + "' belong to the nodes themselves");
    }
    if (Result<> done = set(resource->first, resource->second); !done) return done.error();
  }
  offer.Set(std::string(model::kNodePrefix) + options.node_address, model::kResourceUnit);
  if (options.head.empty()) offer.Set(model::kHeadNode, model::kResourceUnit);
  return offer;
}

Result<model::NodeLabels> Labels(const NodeOptions& options, bool has_gpus) {
  model::NodeLabels labels = node::ReadSystemLabels(has_gpus);
  for (const std::string& text : options.labels) {
    Result<model::NodeLabels> given = ParseLabels(text);
    if (!given) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "--label " + text + ": " + given.error().message);
    labels.merge(*given);
  }
  return labels;
}

// Of the cluster to join. Never an argument: those can be seen by everybody.
Result<std::string> SecretToJoin(const NodeOptions& options) {
  if (!options.secret_file.empty()) return contracts::ReadSecretFile(options.secret_file);
  if (const char* secret = std::getenv("MANTA_SECRET"); secret != nullptr && *secret != '\0') {
    return std::string(secret);
  }
  std::vector<contracts::SessionAddress> elsewhere;
  std::vector<contracts::SessionAddress> sessions = contracts::FindSessions(contracts::SessionRoot(), &elsewhere);
  // Trunks lead from one network to another.
  sessions.insert(sessions.end(), elsewhere.begin(), elsewhere.end());
  for (const contracts::SessionAddress& session : sessions) {
    if (!session.trunk.empty() && node::LeadsTo(options.head, session.trunk)) return contracts::ReadSecret(session.directory);
  }
  return MakeError(MANTA_ERROR_AUTHENTICATION,
                   "joining " + options.head +
                       " takes the cluster's secret: name a copy of the file \"secret\" of the head's "
                       "session directory with --secret-file (mode 0600), or set MANTA_SECRET");
}

// From here on nothing of the terminal or of the parent's output is held open.
void LeaveTerminal(const node::SessionDirectory& session) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  // What the C++ runtime says before it aborts.
  const UniqueFd errors(contracts::OpenErrorLog(session.path()));
  dup2(null.get(), STDIN_FILENO);
  dup2(null.get(), STDOUT_FILENO);
  dup2(errors ? errors.get() : null.get(), STDERR_FILENO);
}

// For what libraries throw, each as a type of its own: the system's words are the same.
std::string RemedyFor(const std::string& what) {
  if (what.find(strerror(EMFILE)) != std::string::npos) return std::string("; ") + kRaiseFiles;
  if (what.find(strerror(EAGAIN)) != std::string::npos) return std::string("; ") + kRaiseProcesses;
  return "";
}

// Less ends in a crash that nobody can explain.
Result<> CheckStack() {
  rlimit stack{};
  if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur >= kLeastStack) return {};
  return MakeError(MANTA_ERROR_START_FAILED,
                   "the limit of the stack is " + std::to_string(stack.rlim_cur >> 10) + " KiB, and " +
                       std::to_string(kLeastStack >> 10) + " are needed: raise it (ulimit -s)");
}

// Returns how many files the zygotes may open: as many as this process might before.
uint64_t PrepareProcess(bool embedded) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // the system says EFBIG instead, and what was written is named
  // Signals of the driver's terminal are the driver's business.
  if (embedded) setpgid(0, 0);
  // A socket per process, several while one starts.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const uint64_t before = files.rlim_cur;
  files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, kMostFiles));
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "manta-node");
  if (chdir("/") != 0) return before;  // keeps no file system busy
  return before;
}

Result<> Serve(const NodeOptions& given, UniqueFd driver,
               const std::function<void(const NodeReady&)>& on_ready) {
  if (Result<> enough = CheckStack(); !enough) return enough.error();
  NodeOptions options = given;
  node::JoinedCluster joined;
  if (!options.head.empty()) {
    Result<std::string> secret = SecretToJoin(options);
    if (!secret) return secret.error();
    Result<node::JoinedCluster> cluster =
        node::JoinCluster(options.head, *secret, kJoinWithin);
    if (!cluster) return cluster.error();
    joined = std::move(cluster).value();
    if (options.node_address.empty()) options.node_address = joined.own_address;
  }
  if (options.node_address.empty()) options.node_address = kLoopback;
  const uint64_t files_before = PrepareProcess(static_cast<bool>(driver));
  const node::MachineLimits machine = node::ReadMachineLimits();
  Result<uint64_t> object_bytes =
      node::ObjectArenaBytes(options.object_store_bytes, machine.memory_bytes);
  if (!object_bytes) return object_bytes.error();
  Result<model::ResourceSet> offer = Offer(options, machine, *object_bytes);
  if (!offer) return offer.error();
  Result<model::NodeLabels> labels = Labels(options, offer->Get(model::kGpu) > 0);
  if (!labels) return labels.error();
  Result<node::SessionDirectory> session =
      node::SessionDirectory::Create(options.session_directory);
  if (!session) return session.error();
  const std::shared_ptr<spdlog::logger> log = MakeLog(*session);

  node::EventLoop loop;
  node::DaemonOptions daemon_options;
  daemon_options.cores = machine.cores;
  daemon_options.resources = *offer;
  daemon_options.object_store_bytes = *object_bytes;
  daemon_options.object_wait = options.object_wait_ms * node::kMillisecond;
  daemon_options.embedded = static_cast<bool>(driver);
  daemon_options.workers_file_limit = files_before;
  daemon_options.deduplicate_logs = WantsDeduplication();
  daemon_options.node_index = joined.socket ? joined.node_index : 1;
  daemon_options.address = options.node_address;
  daemon_options.labels = *labels;
  daemon_options.joined = joined.head_id;
  control_store::ActorDirectory actors;
  control_store::KeyValueTables key_values;
  control_store::PlacementGroups placement_groups;
  Result<std::unique_ptr<node::Daemon>> made =
      node::Daemon::Create(loop, *log, *session, actors, key_values, placement_groups, daemon_options);
  if (!made) {
    session->RemoveAllButHistory();
    return made.error();
  }
  node::Daemon& daemon = **made;
  loop.OnSignals({SIGTERM, SIGINT, SIGHUP, SIGCHLD}, [&](int signal) {
    if (signal == SIGCHLD) {
      daemon.ReapChildren();
    } else {
      daemon.Stop(std::string("SIG") + sigabbrev_np(signal));
    }
  });
  if (driver) daemon.AdoptDriver(std::move(driver));
  if (options.port >= 0) {
    Result<> listening =
        daemon.ListenForNodes(daemon_options.address, static_cast<uint16_t>(options.port));
    if (!listening) {
      session->RemoveAllButHistory();
      return listening.error();
    }
  }
  if (Result<> listening = daemon.Listen(); !listening) {
    session->RemoveAllButHistory();
    return listening.error();
  }
  if (joined.socket) daemon.Adopt(std::move(joined.socket));
  on_ready({session->path(), getpid(), daemon.trunk_address()});
  LeaveTerminal(*session);
  log->info("daemon serves pid={} resources=\"{}\" object_store_bytes={}", getpid(),
            offer->ToString(), *object_bytes);
  loop.Run();
  daemon.KillEverything();
  session->RemoveAllButHistory();
  if (options.session_directory.empty()) node::RemoveOldSessions(contracts::SessionRoot());
  return {};
}

}  // namespace

Result<> ServeNode(const NodeOptions& options, UniqueFd driver,
                   const std::function<void(const NodeReady&)>& on_ready) {
  bool ready = false;
  try {
    return Serve(options, std::move(driver), [&](const NodeReady& facts) {
      ready = true;
      on_ready(facts);
    });
  } catch (const std::exception& error) {
    if (ready) throw;  // a bug: its core file and daemon.err tell more
    return MakeError(MANTA_ERROR_START_FAILED,
                     std::string("the node daemon could not start: ") + error.what() + RemedyFor(error.what()));
  }
}

}  // namespace manta::bin
