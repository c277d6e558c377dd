// The cluster's key-value tables, as a program uses them.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/answers.h"
#include "worker/control_client.h"

namespace manta::worker {

// Thread-safe; answers come on the service thread. Every call waits for the daemon, and on another node that one for the head's. One
// call is under way at a time, so that the daemons never hold more than one value for a process; others wait for their turn.
// Errors beside those of contracts::KeyValues: what FailAll was told, NODE_DIED when the daemon is gone.
class KeyValues {
 public:
  using Bytes = std::vector<uint8_t>;
  using BytesView = std::span<const uint8_t>;

  explicit KeyValues(ControlClient* control) : control_(control) {}

  // Whether the key is new. `of_job`: the entry goes when this process's job, and all others that have put it so, are over.
  Result<bool> Put(const std::string& table, BytesView key, BytesView value, bool overwrite, bool of_job);
  Result<std::optional<Bytes>> Get(const std::string& table, BytesView key);
  Result<bool> Exists(const std::string& table, BytesView key);
  // How many were there.
  Result<uint64_t> Delete(const std::string& table, BytesView key, bool by_prefix);
  // In order, as contracts::ListOfKeys writes them.
  Result<Bytes> Keys(const std::string& table, BytesView prefix);

  void OnAnswer(const wire::KeyValueAnswer& message);
  void FailAll(const Error& error) { answers_.FailAll(error); }

 private:
  Result<wire::KeyValueAnswerT> Ask(wire::KeyValueOperation operation, const std::string& table, BytesView key,
                                    BytesView value = {}, bool overwrite = false, bool of_job = false);

  ControlClient* const control_;
  Answers<wire::KeyValueAnswerT> answers_;
  std::mutex turn_;  // held while a call waits for its answer
};

}  // namespace manta::worker
