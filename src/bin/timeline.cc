// `manta timeline`: what the processes of a cluster did of late, as a trace for chrome://tracing and Perfetto.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bin/command_line.h"
#include "bin/session_recordings.h"
#include "bin/tool_client.h"
#include "bin/trace.h"
#include "contracts/recorder_files.h"

namespace manta::bin {
namespace {

using Json = nlohmann::ordered_json;

struct Selection {
  std::vector<std::string> sessions;  // directories
  std::vector<std::string> left_out;  // for people
  bool running = false;
};

std::string LocalTime() {
  const time_t now = time(nullptr);
  tm local;
  localtime_r(&now, &local);
  char text[64];
  strftime(text, sizeof text, "%Y-%m-%d_%H-%M-%S", &local);
  return text;
}

// "": none that has recordings.
std::string NewestSession() {
  std::string newest;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(contracts::SessionRoot(), ignored)) {
    const std::string path = entry.path().string();
    if (path > newest && contracts::FindRecorderFiles(path)) newest = path;
  }
  return newest;
}

// The other nodes of a running cluster: those on this machine are read too, the rest is named.
void AddOtherNodes(const contracts::SessionAddress& chosen, Selection* selection) {
  const std::vector<contracts::SessionAddress> local = contracts::FindSessions(contracts::SessionRoot());
  std::string json = "[]";
  if (auto client = ToolClient::Connect(chosen)) {
    if (Result<ToolClient::Answer> nodes = (*client)->List("nodes")) json = std::move(nodes->json);
  }
  const Json nodes = Json::parse(json, nullptr, false);
  if (!nodes.is_array()) return;
  for (const Json& node : nodes) {
    const std::string id = node.value("node_id", "");
    if (id == chosen.node_id) continue;
    const auto here = std::find_if(local.begin(), local.end(), [&](const auto& one) { return one.node_id == id; });
    if (here != local.end()) {
      selection->sessions.push_back(here->directory);
    } else {
      selection->left_out.push_back("node " + std::to_string(node.value("node", 0)) + " at " +
                                    node.value("address", "?") + ": run `manta timeline` there");
    }
  }
}

Result<Selection> Choose(const std::string& given) {
  Selection selection;
  std::string directory = given;
  if (!given.empty() && given != "auto" && given != "local") {
    if (given.find('/') == std::string::npos) directory = contracts::SessionRoot() + "/" + given;
    struct stat status;
    if (stat(directory.c_str(), &status) != 0) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       ErrnoError("there is no session " + directory, errno).message +
                           "; give the name or the directory of one, running or not (they are in " +
                           contracts::SessionRoot() + ")");
    }
  } else {
    const Result<contracts::SessionAddress> running = ChooseCluster(given);
    if (!running) {
      const std::string newest = NewestSession();
      if (newest.empty() || running.error().kind != MANTA_ERROR_NOT_INITIALIZED) return running.error();
      return MakeError(running.error().kind, running.error().message +
                                                 ". Of a cluster that has ended, name the session: manta timeline "
                                                 "--address " + newest);
    }
    directory = running.value().directory;
  }
  selection.sessions.push_back(directory);
  if (const Result<contracts::SessionAddress> address = contracts::ReadSessionAddress(directory)) {
    if (const Result<int> socket = contracts::ConnectToSession(address.value())) {
      close(socket.value());
      selection.running = true;
      AddOtherNodes(address.value(), &selection);
    }
  }
  return selection;
}

int64_t MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// `path` "-": stdout.
Result<> Write(const std::string& path, const std::string& text) {
  FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
  if (file == nullptr) return ErrnoError("writing " + path, errno);
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = (file == stdout ? std::fflush(file) : std::fclose(file)) == 0 && written;
  if (!written) return ErrnoError("writing " + path, errno);
  return {};
}

void Report(const TimelineOptions& options, const std::string& path, const Trace& trace,
            const std::vector<std::string>& left_out) {
  FILE* to = path == "-" ? stderr : stdout;
  if (options.cluster.json) {
    const Json json = {{"file", path},           {"events", trace.events},           {"processes", trace.processes},
                       {"tasks", trace.tasks},   {"waits", trace.waits},             {"overwritten", trace.overwritten},
                       {"left_out", left_out}};
    std::fprintf(to, "%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::fprintf(to, "Wrote %llu events of %llu processes to %s (%llu tasks, %llu waits)\n",
               static_cast<unsigned long long>(trace.events), static_cast<unsigned long long>(trace.processes),
               path.c_str(), static_cast<unsigned long long>(trace.tasks), static_cast<unsigned long long>(trace.waits));
  if (trace.overwritten > 0) {
    std::fprintf(to, "  %llu older events are not there any more: each process keeps its latest\n",
                 static_cast<unsigned long long>(trace.overwritten));
  }
  for (const std::string& one : left_out) std::fprintf(to, "  left out: %s\n", one.c_str());
  std::fprintf(to, "  open it in chrome://tracing or https://ui.perfetto.dev\n");
}

}  // namespace

int RunTimeline(const TimelineOptions& options) {
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "manta timeline: %s\n", error.message.c_str());
    return 1;
  };
  Result<Selection> selection = Choose(options.cluster.session);
  if (!selection) return fail(selection.error());
  std::vector<SessionRecordings> sessions;
  std::vector<std::string> left_out = selection->left_out;
  for (const std::string& directory : selection->sessions) {
    Result<SessionRecordings> session = ReadSessionRecordings(directory);
    if (!session && sessions.empty()) return fail(session.error());
    if (!session) {
      left_out.push_back(session.error().message);
      continue;
    }
    left_out.insert(left_out.end(), session->problems.begin(), session->problems.end());
    sessions.push_back(std::move(*session));
  }
  const Trace trace = BuildTrace(sessions, selection->running ? MonotonicNow() : 0);
  const std::string path =
      options.output.empty() ? "manta-timeline-" + LocalTime() + ".json" : options.output;
  if (const Result<> written = Write(path, trace.json); !written) return fail(written.error());
  Report(options, path, trace, left_out);
  return 0;
}

}  // namespace manta::bin
