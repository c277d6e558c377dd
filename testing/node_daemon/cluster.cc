#include "testing/node_daemon/cluster.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

extern char** environ;

namespace manta::testing {
namespace {

std::string BesideThisProgram(const std::string& relative) {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  std::string text(path, size > 0 ? static_cast<size_t>(size) : 0);
  return text.substr(0, text.rfind('/') + 1) + relative;
}

pid_t ParentOf(pid_t pid, char* state) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return -1;
  std::istringstream fields(text.substr(end + 1));
  pid_t parent = -1;
  fields >> *state >> parent;
  return parent;
}

std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> pids;
  for (const std::string& name : FilesIn("/proc")) {
    if (const int pid = std::atoi(name.c_str()); pid > 0) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

std::string MantaExecutable() {
  const char* chosen = std::getenv("MANTA_EXECUTABLE");
  return chosen != nullptr ? chosen : BesideThisProgram("../bin/manta");
}

std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(entries);
  return names;
}

bool IsAlive(pid_t pid) {
  char state = 'X';
  return ParentOf(pid, &state) >= 0 && state != 'Z' && state != 'X';
}

bool Eventually(const std::function<bool()>& condition, int timeout_ms) {
  for (int turn = 0; turn < timeout_ms / 2 + 1; ++turn) {
    if (condition()) return true;
    usleep(2000);
  }
  return condition();
}

bool AwaitAllDead(const std::vector<pid_t>& pids, int timeout_ms) {
  return Eventually(
      [&] {
        for (pid_t pid : pids) {
          if (IsAlive(pid)) return false;
        }
        return true;
      },
      timeout_ms);
}

Cluster::Cluster(Options options) : options_(std::move(options)) {
  if (options_.executable.empty()) options_.executable = BesideThisProgram("fake_zygote");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  driver_ = std::make_unique<Peer>(ends[0]);
  std::vector<std::string> arguments = {MantaExecutable(), "node", "--driver-fd", "3"};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  daemon_ = fork();
  if (daemon_ == 0) {
    setpgid(0, 0);
    const int socket = fcntl(ends[1], F_DUPFD, 10);
    dup2(socket, 3);
    close(socket);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  if (options_.join) joined_ = driver_->Join(DriverHello());
}

Cluster::~Cluster() {
  driver_->Close();
  if (!AwaitEnd()) {
    kill(daemon_, SIGKILL);
    AwaitEnd();
  }
}

wire::HelloT Cluster::DriverHello() const {
  wire::HelloT hello = MakeHello(wire::Role::Driver);
  hello.executable = options_.executable;
  hello.build_id = "00";
  hello.arguments = {options_.executable};
  for (char** entry = environ; *entry != nullptr; ++entry) hello.environment.push_back(*entry);
  for (const std::string& entry : options_.environment) hello.environment.push_back(entry);
  hello.working_directory = options_.working_directory;
  hello.log_to_driver = options_.log_to_driver;
  return hello;
}

void Cluster::Demand(Peer& owner, uint32_t key, uint32_t wanted, double cpus, bool dedicated,
                     const std::string& resource) {
  wire::SetDemandT demand;
  demand.key = key;
  demand.wanted = wanted;
  demand.dedicated = dedicated;
  auto amount = std::make_unique<wire::AmountT>();
  amount->name = resource;
  amount->fixed_point = std::llround(cpus * 10'000);
  demand.resources.push_back(std::move(amount));
  if (dedicated) demand.actor_name = "Counter";
  owner.Send(std::move(demand));
}

void Cluster::Command(Peer& owner, uint64_t worker, const std::string& command) {
  wire::RelayT relay;
  relay.to = worker;
  relay.payload.assign(command.begin(), command.end());
  owner.Send(std::move(relay));
}

std::string Cluster::Ask(Peer& owner, uint64_t worker, const std::string& command) {
  Command(owner, worker, command);
  const auto answer = owner.Await<wire::RelayedT>();
  if (answer == nullptr || answer->undeliverable) return "(nothing)";
  return {answer->payload.begin(), answer->payload.end()};
}

std::unique_ptr<Peer> Cluster::Connect() {
  const Result<contracts::SessionAddress> address = contracts::ReadSessionAddress(session());
  if (!address) return nullptr;
  const Result<int> socket = contracts::ConnectToSession(address.value());
  return socket ? std::make_unique<Peer>(socket.value()) : nullptr;
}

std::string Cluster::List(Peer& peer, const std::string& what) {
  wire::ListRequestT request;
  request.request = 5;
  request.what = what;
  peer.Send(std::move(request));
  const auto answer = peer.Await<wire::ListAnswerT>();
  return answer == nullptr ? "(nothing)" : answer->json;
}

bool Cluster::AwaitEnd(int timeout_ms) {
  if (ended_) return true;
  return Eventually(
      [&] {
        ended_ = waitpid(daemon_, &exit_status_, WNOHANG) == daemon_;
        return ended_;
      },
      timeout_ms);
}

std::vector<pid_t> Cluster::Descendants() const {
  std::vector<pid_t> found = {daemon_};
  // Children have larger numbers than their parents more often than not; repeat until nothing is added.
  for (size_t before = 0; before != found.size();) {
    before = found.size();
    for (pid_t pid : AllProcesses()) {
      char state;
      const pid_t parent = ParentOf(pid, &state);
      const bool known = std::find(found.begin(), found.end(), pid) != found.end();
      if (!known && std::find(found.begin(), found.end(), parent) != found.end()) {
        found.push_back(pid);
      }
    }
  }
  found.erase(found.begin());
  return found;
}

}  // namespace manta::testing
