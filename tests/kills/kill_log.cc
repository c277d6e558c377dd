#include "tests/kills/kill_log.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace manta_test {
namespace {

std::string Describe(const Outcomes& outcomes) {
  std::string text;
  for (const auto& [how, count] : outcomes) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + how;
  }
  return text.empty() ? "no reference" : text;
}

std::string Milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", seconds * 1e3);
  return text;
}

}  // namespace

std::string NameOf(manta_error_kind kind) {
  switch (kind) {
    case MANTA_ERROR_TASK: return "TaskError";
    case MANTA_ERROR_TIMEOUT: return "GetTimeout";
    case MANTA_ERROR_WORKER_CRASHED: return "WorkerCrashed";
    case MANTA_ERROR_ACTOR_DIED: return "ActorDied";
    case MANTA_ERROR_ACTOR_UNAVAILABLE: return "ActorUnavailable";
    case MANTA_ERROR_TASK_CANCELLED: return "TaskCancelled";
    case MANTA_ERROR_OWNER_DIED: return "OwnerDied";
    case MANTA_ERROR_OBJECT_LOST: return "ObjectLost";
    case MANTA_ERROR_OBJECT_STORE_FULL: return "ObjectStoreFull";
    case MANTA_ERROR_NODE_DIED: return "NodeDied";
    case MANTA_ERROR_START_FAILED: return "StartFailed";
    default: return "error " + std::to_string(kind);
  }
}

KillLog::KillLog(std::string test) : test_(std::move(test)) {}

void KillLog::Add(const std::string& phase, const std::string& victim, const Outcomes& outcomes,
                  double seconds) {
  std::vector<Kill>& kills = phases_[phase];
  kills.push_back({victim, outcomes, seconds});
  lines_ += phase + " #" + std::to_string(kills.size()) + ": killed " + victim + "; " +
            Describe(outcomes) + "; " + Milliseconds(seconds) + " ms\n";
}

int KillLog::kills(const std::string& phase) const {
  const auto found = phases_.find(phase);
  return found == phases_.end() ? 0 : static_cast<int>(found->second.size());
}

std::string KillLog::Table() const {
  char row[512];
  std::snprintf(row, sizeof row, "%-52s %5s %9s %9s  %s\n", "phase", "kills", "median ms", "worst ms",
                "references");
  std::string table = row;
  for (const auto& [phase, kills] : phases_) {
    std::vector<double> seconds;
    Outcomes all;
    for (const Kill& kill : kills) {
      seconds.push_back(kill.seconds);
      for (const auto& [how, count] : kill.outcomes) all[how] += count;
    }
    std::sort(seconds.begin(), seconds.end());
    std::snprintf(row, sizeof row, "%-52s %5zu %9s %9s  %s\n", phase.c_str(), kills.size(),
                  Milliseconds(seconds[seconds.size() / 2]).c_str(),
                  Milliseconds(seconds.back()).c_str(), Describe(all).c_str());
    table += row;
  }
  return table;
}

KillLog::~KillLog() {
  if (phases_.empty()) return;
  const std::string table = Table();
  std::printf("\n%s\n", table.c_str());
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  if (executable == nullptr) return;
  const std::filesystem::path folder =
      std::filesystem::path(executable).parent_path() / "../tests/kills/log";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  std::ofstream(folder / (test_ + ".txt")) << lines_ << "\n" << table;
}

}  // namespace manta_test
