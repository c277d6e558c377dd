// A task that gives its results one by one, through the C interface: front-ends are built on that.
#pragma once

#include <cstdint>
#include <string>

#include "manta/manta_c.h"

namespace manta_test {

// What the task does, in its worker.
struct StreamPlan {
  uint32_t items = 0;
  uint32_t bytes = 8;             // of each; the first four are the item's number
  uint32_t most_ahead = 0;        // items that are not taken yet; 0: any number
  uint32_t die_before = UINT32_MAX;  // in its first attempt, this item
  int fail_at_the_end = 0;
  int hold_references = 0;        // each item is one to an object of 100,000 bytes
};

// Its owner's end. All methods fail the test when something is wrong.
class Stream {
 public:
  // `resource`: one unit of it; "" for none.
  explicit Stream(const StreamPlan& plan, int max_retries = 3, const std::string& resource = "");
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The number that stands in the next item; -1 at the end, -2 if the item is an error, which error() tells then. Waits up to 20 s.
  int64_t Next();
  const std::string& error() const { return error_; }
  manta_error_kind error_kind() const { return kind_; }
  // So many items, from number 0 on, then the end, which stays, of a task that went well.
  void ExpectAll(uint32_t items);
  // Whether the next item is there, without taking it.
  bool HasNext();
  // Waits for the end of the task; the kind of its error, or 0.
  int Ended();
  void Cancel();
  void Abandon();

 private:
  manta_stream* stream_ = nullptr;
  manta_ref* completed_ = nullptr;
  std::string error_;
  manta_error_kind kind_{};
};

}  // namespace manta_test
