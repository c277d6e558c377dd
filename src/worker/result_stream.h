// The results of a task that gives them one by one, at its owner.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/result.h"
#include "worker/owner.h"

namespace manta::worker {

// Items by number, from 0 on: those before taken() have gone to the program, those that have come and were not taken are kept here.
// Shared by the program's handle and the task, which runs or waits to. [lock] of the owner for everything.
class ResultStream {
 public:
  // `most_ahead`: as many items may be kept here before the task is to pause; 0: any number.
  ResultStream(Owner* owner, uint32_t most_ahead) : owner_(owner), most_ahead_(most_ahead) {}

  // ---- The program's side

  // The next item, with a reference for the caller: pending while it has not come; the error END_OF_STREAM once there are no more.
  ObjectRecord* Peek();
  // Goes on to the item after it. False: it has not come, or there are no more.
  bool Advance();
  // Nobody will take anything any more.
  void Abandon();

  // ---- The task's side

  // Once.
  void Begin(uint32_t task) {
    task_ = task;
    begun_ = true;
  }
  bool has_begun() const { return begun_; }
  // Its record while it is not finished, else 0.
  uint32_t task() const { return task_; }
  // The pending record for item `number`, with a reference for the caller. One that has come before (the task is tried again), or that
  // nobody wants, gets a record that nobody else knows. nullptr: no task sends this one now.
  ObjectRecord* Receive(uint32_t number);
  // The task has ended; `error`, if it has failed, is the last item.
  void End(const Error* error);

  uint32_t most_ahead() const { return most_ahead_; }
  // For the task, which pauses when it has sent most_ahead() more.
  uint32_t taken() const { return abandoned_ ? UINT32_MAX : taken_; }

 private:
  // A pending record at the end, where the next item will be.
  ObjectRecord* Expected();
  // Whether there is one.
  bool is_expected() const { return taken_ + items_.size() > received_; }

  Owner* const owner_;
  const uint32_t most_ahead_;
  uint32_t task_ = 0;
  uint32_t taken_ = 0;
  uint32_t received_ = 0;
  std::deque<ObjectRecord*> items_;  // from number taken_ on, each one reference
  bool begun_ = false;
  bool ended_ = false;
  bool abandoned_ = false;
};

class Runtime;

// What a program has of a stream.
struct StreamHandle {
  Runtime* runtime;  // lives on while there are handles
  std::shared_ptr<ResultStream> stream;
};

}  // namespace manta::worker
