#include "stacks/throw_stack.h"

#include <cxxabi.h>
#include <unwind.h>

#include <typeinfo>

namespace manta::stacks {
namespace {

// The innermost call of this thread.
[[gnu::tls_model("initial-exec")]] thread_local ThrowStack* current = nullptr;

}  // namespace

class ThrowStackWalk {
 public:
  static void Record(ThrowStack* stack) {
    stack->count_ = 0;
    stack->is_cut_ = false;
    _Unwind_Backtrace(Take, stack);
  }
  static void SetBase(ThrowStack* stack, const void* base) { 
    stack->base_ = base;
    stack->Clear();
  }

 private:
  static _Unwind_Reason_Code Take(_Unwind_Context* context, void* argument) {
    auto& stack = *static_cast<ThrowStack*>(argument);
    if (_Unwind_GetRegionStart(context) == reinterpret_cast<uintptr_t>(&CallNotingThrows) ||
        _Unwind_GetCFA(context) > reinterpret_cast<uintptr_t>(stack.base_)) {
      return _URC_END_OF_STACK;
    }
    if (stack.count_ == ThrowStack::kCapacity) {
      stack.is_cut_ = true;
      return _URC_END_OF_STACK;
    }
    int before_instruction = 0;
    const uintptr_t address = _Unwind_GetIPInfo(context, &before_instruction);
    if (address == 0) return _URC_END_OF_STACK;
    stack.addresses_[stack.count_++] = before_instruction != 0 ? address : address - 1;
    return _URC_NO_REASON;
  }
};

class ThrowProbeType final : public std::type_info {
 public:
  ThrowProbeType() : type_info("") {}
  bool __do_catch(const std::type_info* thrown, void**, unsigned) const override {
    if (current != nullptr && *thrown != typeid(abi::__forced_unwind)) ThrowStackWalk::Record(current);
    return false;
  }
};

namespace {

extern "C" const void* const throw_probe_vtable[] asm("_ZTVN5manta6stacks14ThrowProbeTypeE");
const ThrowProbeType emits_the_vtable;

// An object of ThrowProbeType as the compiler lays out a type_info: complete before any constructor runs, and read-only. (A
// program without run-time type information may put a type_info of its own in front of this one; nothing may write to it.)
struct TypeInfoLayout {
  const void* const* vtable;
  const char* name;
};

}  // namespace

extern "C" MANTA_API const TypeInfoLayout throw_probe_type asm("_ZTIN5manta2v16detail10ThrowProbeE");
constinit const TypeInfoLayout throw_probe_type = {throw_probe_vtable + 2, "N5manta2v16detail10ThrowProbeE"};

[[gnu::noinline]] void CallNotingThrows(manta_invoker invoker, manta_call* call, ThrowStack* stack) {
  ThrowStack* const outer = current;
  ThrowStackWalk::SetBase(stack, __builtin_frame_address(0));
  current = stack;
  invoker(call);
  current = outer;
}

}  // namespace manta::stacks
