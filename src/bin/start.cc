// `manta start --head`: a cluster that drivers join, in the background.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "bin/command_line.h"
#include "bin/node_process.h"
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

// Runs the daemon in a child whose parent is gone; returns once that serves or has failed. The outcome comes through a pipe: "+",
// or the reason why not.
int StartInBackground(const StartOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    std::perror("manta start: pipe");
    return 1;
  }
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    std::perror("manta start: fork");
    return 1;
  }
  if (child == 0) {
    close(ends[0]);
    setsid();  // nothing of the terminal's reaches it from now on
    // Nor does it keep what others wait for to be closed: locks, pipes.
    if (ends[1] > 3) (void)close_range(3, static_cast<unsigned>(ends[1] - 1), 0);
    (void)close_range(static_cast<unsigned>(std::max(ends[1] + 1, 3)), UINT_MAX, 0);
    if (fork() != 0) _exit(0);
    const auto tell = [&](const std::string& outcome) {
      if (write(ends[1], outcome.data(), outcome.size()) < 0) return;
      close(ends[1]);
    };
    const Result<> served = ServeNode(options.node, {}, [&](const NodeReady& ready) {
      tell("+" + std::to_string(ready.pid) + " " + ready.session_directory + "\n" + ready.trunk_address);
    });
    if (!served) tell(served.error().message);
    _exit(served ? 0 : 1);
  }
  close(ends[1]);
  std::string outcome;
  char buffer[4096];
  for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;) {
    outcome.append(buffer, static_cast<size_t>(size));
  }
  close(ends[0]);
  if (outcome.empty()) outcome = "the daemon ended without a word";
  if (outcome.front() != '+') {
    std::fprintf(stderr, "manta start: %s\n", outcome.c_str());
    return 1;
  }
  const size_t space = outcome.find(' ');
  NodeReady ready;
  ready.pid = std::stoi(outcome.substr(1, space - 1));
  const size_t line = outcome.find('\n');
  ready.session_directory = outcome.substr(space + 1, line - space - 1);
  ready.trunk_address = outcome.substr(line + 1);
  Announce(options, ready);
  return 0;
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
  if (!options.temp_directory.empty()) {
    if (options.temp_directory.front() != '/') {
      std::fprintf(stderr, "manta start: --temp-dir has to be an absolute path, not %s\n", options.temp_directory.c_str());
      return 2;
    }
    setenv("MANTA_TMPDIR", options.temp_directory.c_str(), 1);
  }
  if (!options.block) return StartInBackground(options);
  const Result<> served = ServeNode(
      options.node, {}, [&](const NodeReady& ready) { Announce(options, ready); });
  if (served) return 0;
  std::fprintf(stderr, "manta start: %s\n", served.error().message.c_str());
  return 1;
}

}  // namespace manta::bin
