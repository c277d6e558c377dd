#include "testing/explorer/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace manta::explorer {
namespace {

constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kGuardBytes = 4096;

}  // namespace

#if defined(__x86_64__)

// swapcontext would do, but makes a system call for the signal mask; an exploration switches
// millions of times.
asm(R"(
.text
.align 16
.type manta_explorer_switch, @function
manta_explorer_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size manta_explorer_switch, .-manta_explorer_switch
.align 16
.type manta_explorer_enter, @function
manta_explorer_enter:
  movq %r12, %rdi
  call *%r13
  ud2
.size manta_explorer_enter, .-manta_explorer_enter
)");
extern "C" void manta_explorer_switch(void** save, void* load);
extern "C" void manta_explorer_enter();

#endif

Fiber::Fiber() {
  void* mapping = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED || mprotect(mapping, kGuardBytes, PROT_NONE) != 0) {
    std::perror("explorer: cannot map a fiber's stack");
    std::abort();
  }
  mapping_ = static_cast<char*>(mapping);
#if defined(__SANITIZE_THREAD__)
  own_tsan_ = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__)
  // What manta_explorer_switch pops: r15, r14, r13, r12, rbx, rbp, the return address.
  auto* top = reinterpret_cast<uintptr_t*>(mapping_ + kGuardBytes + kStackBytes) - 9;
  top[0] = top[1] = 0;
  top[2] = reinterpret_cast<uintptr_t>(&Fiber::Enter);
  top[3] = reinterpret_cast<uintptr_t>(this);
  top[4] = top[5] = 0;
  top[6] = reinterpret_cast<uintptr_t>(&manta_explorer_enter);
  top[7] = top[8] = 0;
  own_stack_pointer_ = top;
#else
  getcontext(&own_);
  own_.uc_stack.ss_sp = mapping_ + kGuardBytes;
  own_.uc_stack.ss_size = kStackBytes;
  own_.uc_link = nullptr;
  const auto self = reinterpret_cast<uintptr_t>(this);
  void (*enter)(unsigned, unsigned) = [](unsigned high, unsigned low) {
    Enter(reinterpret_cast<Fiber*>(uintptr_t{high} << 32 | low));
  };
  makecontext(&own_, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
#endif
}

Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(own_tsan_);
#endif
  munmap(mapping_, kGuardBytes + kStackBytes);
}

void Fiber::Enter(Fiber* self) { self->Run(); }

// Never returns: the next body runs on the same stack.
void Fiber::Run() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &caller_stack_bottom_, &caller_stack_size_);
#endif
  for (;;) {
    body_();
    under_way_ = false;
    Suspend();
  }
}

void Fiber::Resume() {
  under_way_ = true;
#if defined(__SANITIZE_ADDRESS__)
  void* caller_fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&caller_fake_stack, mapping_ + kGuardBytes, kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  caller_tsan_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(own_tsan_, 0);
#endif
#if defined(__x86_64__)
  manta_explorer_switch(&caller_stack_pointer_, own_stack_pointer_);
#else
  swapcontext(&caller_, &own_);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(caller_fake_stack, nullptr, nullptr);
#endif
}

void Fiber::Suspend() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, caller_stack_bottom_, caller_stack_size_);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(caller_tsan_, 0);
#endif
#if defined(__x86_64__)
  manta_explorer_switch(&own_stack_pointer_, caller_stack_pointer_);
#else
  swapcontext(&own_, &caller_);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &caller_stack_bottom_, &caller_stack_size_);
#endif
}

}  // namespace manta::explorer
