// What the calling thread runs, for as long as a scope lasts.
#pragma once

#include "worker/execution.h"

namespace manta::worker {

extern thread_local ExecutionContext* current_context __attribute__((tls_model("initial-exec")));

class ContextScope {
 public:
  explicit ContextScope(ExecutionContext* context) {
    context->outer = current_context;
    current_context = context;
  }
  ~ContextScope() { current_context = current_context->outer; }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
};

}  // namespace manta::worker
