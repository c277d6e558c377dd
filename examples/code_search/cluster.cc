#include "cluster.h"

#include <manta/manta.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "report.h"

namespace code_search {
namespace {

// What MANTA_EXECUTABLE says, or bin/manta beside the folder of this program, or what PATH finds.
std::string MantaExecutable() {
  if (const char* chosen = std::getenv("MANTA_EXECUTABLE")) return chosen;
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size > 0) {
    std::string folder(path, static_cast<size_t>(size));
    folder.resize(folder.rfind('/'));
    std::string beside = folder + "/../bin/manta";
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "manta";
}

// Runs `manta` and returns what it writes to stdout. What it says on stderr is for the user.
std::string RunManta(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), MantaExecutable());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe(ends) != 0) throw UserError(std::string("pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);

  std::string output;
  char buffer[4096];
  for (;;) {
    const ssize_t size = error == 0 ? read(ends[0], buffer, sizeof buffer) : 0;
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    output.append(buffer, static_cast<size_t>(size));
  }
  close(ends[0]);
  if (error != 0) {
    throw UserError(arguments[0] + " cannot be run (" + std::strerror(error) +
                    "): install Manta, or say in MANTA_EXECUTABLE where it is");
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) throw UserError("`" + arguments[0] + " " + arguments[1] + "` failed");
  return output;
}

void Connect(const std::string& address) {
  manta::Config config;
  config.address = address;
  config.ray_namespace = kNamespace;
  manta::Init(config);
}

}  // namespace

bool JoinCluster() {
  const char* chosen = std::getenv("MANTA_ADDRESS");
  try {
    Connect(chosen != nullptr && *chosen != '\0' ? chosen : "auto");
    return true;
  } catch (const manta::StartFailedError& error) {
    // Of the reasons for this error, only one is none: others name clusters.
    if (std::strstr(error.what(), "no running cluster was found") == nullptr) throw;
    return false;
  }
}

std::string StartCluster() {
  const std::string answer = RunManta({"start", "--head", "--json"});
  const std::string key = "\"address\":\"";
  const size_t start = answer.find(key);
  const size_t end = answer.find('"', start + key.size());
  if (start == std::string::npos || end == std::string::npos) {
    throw UserError("`manta start --head --json` did not say an address, but: " + answer);
  }
  const std::string address = answer.substr(start + key.size(), end - start - key.size());
  Connect(address);
  return address;
}

void StopCluster(const std::string& address) { RunManta({"stop", "--session", address}); }

}  // namespace code_search
