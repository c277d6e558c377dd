// What a program asks about the cluster as a whole, and the daemon answers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "worker/answers.h"
#include "worker/control_client.h"

namespace manta::worker {

// Thread-safe; answers come on the service thread.
class ClusterQuestions {
 public:
  using Amounts = std::vector<std::pair<std::string, double>>;
  struct Resources {
    Amounts total;
    Amounts available;  // the same names, zero for what is used up
  };

  explicit ClusterQuestions(ControlClient* control) : control_(control) {}

  // Waits for the daemon.
  Result<Resources> AskResources();
  // What this worker holds for the task or actor that it runs. Waits for the daemon.
  Result<Amounts> AskAssigned();

  void OnResources(const wire::ResourcesAnswer& message);
  void FailAll(const Error& error) { resources_.FailAll(error); }

 private:
  Result<Resources> Ask(bool of_lease);

  ControlClient* const control_;
  Answers<Resources> resources_;
};

}  // namespace manta::worker
