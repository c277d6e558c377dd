// `manta start --head`: a cluster that drivers join, in the background.
#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "bin/attended_node.h"
#include "bin/command_line.h"
#include "bin/labels_file.h"
#include "bin/node_process.h"
#include "bin/outcome_pipe.h"
#include "contracts/session_files.h"

namespace manta::bin {
namespace {

// {"disk": 2} as NAME=QUANTITY options.
bool AddResources(const std::string& text, NodeOptions* node) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  for (const auto& [name, quantity] : json.items()) {
    if (!quantity.is_number()) return false;
    char number[64];
    std::snprintf(number, sizeof number, "%.17g", quantity.get<double>());
    node->resources.push_back(name + "=" + number);
  }
  return true;
}

Result<> AddLabels(const StartOptions& options, NodeOptions* node) {
  Result<model::NodeLabels> labels = ParseLabels(options.labels);
  if (!labels) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "--labels: " + labels.error().message);
  if (!options.labels_file.empty()) {
    Result<model::NodeLabels> in_file = ReadLabelsFile(options.labels_file);
    if (!in_file) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "--labels-file " + in_file.error().message);
    labels->merge(*in_file);
  }
  for (const auto& [name, value] : *labels) node->labels.push_back(name + "=" + value);
  return {};
}

void Announce(const StartOptions& options, const NodeReady& ready) {
  if (options.json) {
    nlohmann::ordered_json answer = {{"session", ready.session_directory},
                                     {"address", ready.session_directory},
                                     {"pid", ready.pid}};
    if (!ready.trunk_address.empty()) answer["node_address"] = ready.trunk_address;
    std::printf("%s\n", answer.dump().c_str());
  } else if (!options.node.head.empty()) {
    std::printf("A node of the cluster at %s is running: %s\n  end it                   manta stop\n",
                options.node.head.c_str(), ready.session_directory.c_str());
  } else {
    // Elsewhere nobody looks for it by himself.
    const std::string where = options.temp_directory.empty() ? "" : "MANTA_TMPDIR=" + options.temp_directory + " ";
    std::printf(
        "A cluster is running: %s\n"
        "  join it from a program   %sMANTA_ADDRESS=auto ./program, or manta::Init with address "
        "\"auto\"\n"
        "  look at it               %smanta status\n"
        "  end it                   %smanta stop\n",
        ready.session_directory.c_str(), where.c_str(), where.c_str(), where.c_str());
    for (const contracts::SessionAddress& other : contracts::FindSessions(contracts::SessionRoot())) {
      if (other.directory == ready.session_directory) continue;
      std::printf("  it is not alone          %s runs on this machine, too, and offers the same CPUs: say which one you mean (--session)\n",
                  other.name().c_str());
    }
    if (!ready.trunk_address.empty()) {
      std::printf("  add another node         manta start --address=%s --secret-file=SECRET\n"
                  "                           with a copy of %s/secret\n",
                  ready.trunk_address.c_str(), ready.session_directory.c_str());
    }
  }
  std::fflush(stdout);
}

// The standard streams lead nowhere: who reads the other end sees it closed.
void LeaveTerminal() {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), stream);
}

// Runs the daemon, and who attends it, in processes of a session of their own; returns once it serves or has failed.
Result<NodeReady> StartInBackground(const NodeOptions& options) {
  Result<OutcomePipe> pipe = OutcomePipe::Make();
  if (!pipe) return pipe.error();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoError("starting a process", errno);
  if (child == 0) {
    setsid();  // nothing of the terminal's reaches it from now on
    KeepOnly(pipe->writer);
    const Result<> served = ServeNodeAttended(options, {}, [&](const NodeReady& ready) {
      Tell(&pipe->writer, ready);
      LeaveTerminal();
      if (chdir("/") != 0) return;  // keeps no file system busy
    });
    if (!served && pipe->writer) Tell(&pipe->writer, served.error());
    _exit(served ? 0 : 1);
  }
  pipe->writer.reset();
  return Await(pipe->reader);
}

}  // namespace

int RunStart(const StartOptions& given) {
  StartOptions options = given;
  if (options.head == !options.node.head.empty()) {
    std::fprintf(stderr,
                 "manta start: say either --head to start a new cluster on this machine, or "
                 "--address=HOST:PORT to join one\n");
    return 2;
  }
  if (!options.head && options.node.port >= 0) {
    std::fprintf(stderr, "manta start: --port is the head's: other nodes join there\n");
    return 2;
  }
  if (!options.resources_json.empty() && !AddResources(options.resources_json, &options.node)) {
    std::fprintf(stderr,
                 "manta start: --resources has to be a JSON object of numbers, such as "
                 "'{\"disk\": 2}', not %s\n",
                 options.resources_json.c_str());
    return 2;
  }
  if (Result<> added = AddLabels(options, &options.node); !added) {
    std::fprintf(stderr, "manta start: %s\n", added.error().message.c_str());
    return 2;
  }
  if (!options.temp_directory.empty()) {
    if (options.temp_directory.front() != '/') {
      std::fprintf(stderr, "manta start: --temp-dir has to be an absolute path, not %s\n", options.temp_directory.c_str());
      return 2;
    }
    setenv("MANTA_TMPDIR", options.temp_directory.c_str(), 1);
  }
  Result<> served;
  if (options.block) {
    served = ServeNodeAttended(options.node, {.daemon_follows = true}, [&](const NodeReady& ready) { Announce(options, ready); });
  } else if (const Result<NodeReady> ready = StartInBackground(options.node); ready) {
    Announce(options, ready.value());
  } else {
    served = ready.error();
  }
  if (served) return 0;
  std::fprintf(stderr, "manta start: %s\n", served.error().message.c_str());
  return 1;
}

}  // namespace manta::bin
