// A command line tool's connection to a node daemon: which cluster, then one question after the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bin/command_line.h"
#include "contracts/frames.h"
#include "contracts/session_files.h"

namespace manta::bin {

// The running cluster that the user means. Errors say how to start one, or how to choose.
Result<contracts::SessionAddress> ChooseCluster(const std::string& session);

class ToolClient {
 public:
  static Result<std::unique_ptr<ToolClient>> Connect(const contracts::SessionAddress& address);

  // The answer to a ListRequest: JSON, and how many rows are left out of it.
  struct Answer {
    std::string json;
    uint64_t left_out = 0;
  };
  Result<Answer> List(const std::string& what);
  // Returns when the daemon has ended.
  Result<> StopCluster();

 private:
  explicit ToolClient(UniqueFd socket) : socket_(std::move(socket)) {}

  // The next message, or an error after `seconds` without one. None: the daemon has closed.
  Result<std::optional<wire::FrameT>> Receive(int seconds);

  UniqueFd socket_;
  contracts::FrameReader reader_;
};

// Asks the cluster that the user means.
Result<ToolClient::Answer> AskFor(const std::string& what, const std::string& session);

}  // namespace manta::bin
