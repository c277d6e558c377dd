#include "worker/local_cluster.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/remedies.h"
#include "contracts/session_files.h"
#include "model/resources.h"

extern char** environ;

namespace manta::worker {
namespace {

constexpr int kDaemonDescriptor = 3;

// "8" for 8.0, so that nothing is lost and nothing is added.
std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

bool IsExecutable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

}  // namespace

Result<std::string> FindMantaExecutable() {
  if (const char* chosen = std::getenv("MANTA_EXECUTABLE"); chosen != nullptr && *chosen != '\0') {
    if (IsExecutable(chosen)) return std::string(chosen);
    return MakeError(MANTA_ERROR_START_FAILED,
                     std::string("MANTA_EXECUTABLE names '") + chosen + "', which cannot be executed");
  }
  Dl_info library;
  if (dladdr(reinterpret_cast<void*>(&FindMantaExecutable), &library) != 0 && library.dli_fname != nullptr) {
    char* real = realpath(library.dli_fname, nullptr);
    std::string path = real != nullptr ? real : library.dli_fname;
    std::free(real);
    for (int level = 0; level < 2 && path.find('/') != std::string::npos; ++level) {
      path.resize(path.rfind('/'));
      const std::string candidate = path + "/../bin/manta";
      if (IsExecutable(candidate)) return candidate;
    }
  }
  const char* search = std::getenv("PATH");
  for (const char* at = search; at != nullptr && *at != '\0';) {
    const char* end = std::strchr(at, ':');
    const std::string folder = end != nullptr ? std::string(at, end) : std::string(at);
    if (IsExecutable(folder + "/manta")) return folder + "/manta";
    at = end != nullptr ? end + 1 : nullptr;
  }
  return MakeError(MANTA_ERROR_START_FAILED,
                   "the 'manta' executable was found neither beside libmanta (../bin/manta) nor in PATH: "
                   "install it, or set MANTA_EXECUTABLE to its path");
}

Result<LocalCluster> StartLocalCluster(const LocalClusterOptions& options) {
  Result<std::string> executable = FindMantaExecutable();
  if (!executable) return executable.error();
  const std::pair<std::string_view, const char*> own[] = {
      {model::kCpu, "num_cpus"}, {model::kGpu, "num_gpus"}, {model::kObjectStoreMemory, "object_store_bytes"}};
  for (const auto& [name, setting] : own) {
    if (std::ranges::any_of(options.resources, [&](const auto& resource) { return resource.first == name; })) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       "resources: " + std::string(name) + " is not a custom resource; set it by " + setting);
    }
  }
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ErrnoError("socketpair", errno);
  }
  std::vector<std::string> arguments = {executable.value(), "node", "--driver-fd",
                                        std::to_string(kDaemonDescriptor)};
  if (options.num_cpus >= 0) arguments.insert(arguments.end(), {"--num-cpus", Number(options.num_cpus)});
  if (options.num_gpus >= 0) arguments.insert(arguments.end(), {"--num-gpus", Number(options.num_gpus)});
  if (options.object_store_bytes > 0) {
    arguments.insert(arguments.end(),
                     {"--object-store-bytes", std::to_string(options.object_store_bytes)});
  }
  for (const auto& [name, quantity] : options.resources) {
    if (name == "memory") {  // bytes, which need all their digits
      arguments.insert(arguments.end(), {"--memory", std::to_string(static_cast<uint64_t>(quantity))});
      continue;
    }
    arguments.insert(arguments.end(), {"--resource", name + "=" + Number(quantity)});
  }
  for (const auto& [name, value] : options.labels) arguments.insert(arguments.end(), {"--label", name + "=" + value});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // dup2 onto itself keeps close-on-exec off in glibc, which is what is wanted here.
  posix_spawn_file_actions_adddup2(&actions, sockets[1], kDaemonDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C in the driver's terminal is the driver's business, the daemon follows its socket.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid;
  const int error = posix_spawn(&pid, arguments[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(sockets[1]);
  if (error != 0) {
    close(sockets[0]);
    Error failed = ForkError("starting " + arguments[0] + " failed", error);
    failed.kind = MANTA_ERROR_START_FAILED;
    return failed;
  }
  return LocalCluster{sockets[0], pid};
}

void AwaitLocalCluster(int pid) {
  bool ended = false;
  for (int turn = 0; turn < 5000; ++turn) {
    if ((ended = waitpid(pid, nullptr, WNOHANG) != 0)) break;
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  if (!ended) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  contracts::RemoveFilesOfDeadDaemonBelow(contracts::SessionRoot(), pid);
}

}  // namespace manta::worker
