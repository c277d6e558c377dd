// A fiber: a function with a stack of its own, run a piece at a time by one thread. The explorer's
// logical processes.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace manta::explorer {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes `body` what the next Resume starts. Only while nothing is under way. `body` lets no
  // exception escape.
  void Prepare(std::function<void()> body) { body_ = std::move(body); }

  // Runs the body until it suspends or ends. Not from inside a fiber.
  void Resume();

  // From inside the body: back to the caller of Resume, until the next one.
  void Suspend();

  // The body was started and has not ended.
  bool under_way() const { return under_way_; }

 private:
  static void Enter(Fiber* self);
  void Run();

  std::function<void()> body_;
  char* mapping_ = nullptr;  // a guard page, then the stack
  bool under_way_ = false;
#if defined(__x86_64__)
  void* own_stack_pointer_ = nullptr;
  void* caller_stack_pointer_ = nullptr;
#else
  ucontext_t own_;
  ucontext_t caller_;
#endif
  // For the sanitizers.
  void* fake_stack_ = nullptr;
  const void* caller_stack_bottom_ = nullptr;
  size_t caller_stack_size_ = 0;
  void* own_tsan_ = nullptr;
  void* caller_tsan_ = nullptr;
};

}  // namespace manta::explorer
