// What was killed, in which phase, what became of every reference, and how long it took.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "manta/manta.h"
#include "tests/support/waiting.h"

namespace manta_test {

// How many references ended how: "value", "WorkerCrashed", ... "PENDING" is one that did not resolve in time.
using Outcomes = std::map<std::string, int>;

std::string NameOf(manta_error_kind kind);

// One reference: how it ended.
struct Resolution {
  std::string how;
  std::string message;  // of an error
};

// Waits for it, not longer than that.
template <class T>
Resolution Resolve(const manta::ObjectRef<T>& reference,
                   std::chrono::milliseconds within = std::chrono::seconds(20)) {
  try {
    manta::Get(reference, within);
    return {"value", ""};
  } catch (const manta::GetTimeoutError& error) {
    return {"PENDING", error.what()};
  } catch (const manta::Error& error) {
    return {NameOf(error.kind()), error.what()};
  }
}

// The kills of a test. When it is destroyed it prints a table of them, one row per phase, and writes each kill and the table
// into <build>/tests/kills/log/<test>.txt.
class KillLog {
 public:
  explicit KillLog(std::string test);
  ~KillLog();
  KillLog(const KillLog&) = delete;
  KillLog& operator=(const KillLog&) = delete;

  void Add(const std::string& phase, const std::string& victim, const Outcomes& outcomes, double seconds);

  int kills(const std::string& phase) const;

 private:
  struct Kill {
    std::string victim;
    Outcomes outcomes;
    double seconds;
  };
  std::string Table() const;

  std::string test_;
  std::map<std::string, std::vector<Kill>> phases_;
  std::string lines_;
};

}  // namespace manta_test
