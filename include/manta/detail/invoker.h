// The worker's side of a call: reads the arguments, calls the user's code, writes what it returns.
// Each kind of callable, with each list of argument types, gets a function of its own, which the
// header registers when the program is loaded.
//
// The encoding of arguments, which submit.h writes:
//   callable    nothing for functions and stateless function objects, else its state as an argument
//   arguments   each a tag byte, then for kInline the value, for kDependency four bytes: which
//               dependency of the call has the value
#pragma once

#include <cxxabi.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "manta/archive.h"
#include "manta/detail/function_id.h"
#include "manta/detail/function_traits.h"
#include "manta/errors.h"

namespace manta {
inline namespace v1 {
namespace detail {

enum class ArgumentTag : uint8_t { kInline = 0, kDependency = 1 };

// ---- Arguments ----------------------------------------------------------------------------------

inline const manta_bytes& DependencyAt(const manta_call* call, uint32_t index) {
  if (index >= call->num_dependencies) {
    ReadArchive::ThrowInvalid("an argument names a dependency that did not arrive");
  }
  return call->dependencies[index];
}

template <class T>
void ReadArgument(manta_call* call, ReadArchive& in, T& value) {
  const auto tag = static_cast<ArgumentTag>(in.Byte());
  if (tag == ArgumentTag::kInline) {
    ReadValue(in, value);
  } else if (tag == ArgumentTag::kDependency) {
    ReadArchive::Owner owner;
    owner.call = call;
    in.Bytes(&owner.dependency, sizeof(owner.dependency));
    const manta_bytes& bytes = DependencyAt(call, owner.dependency);
    ReadArchive object(bytes.data, bytes.size, call->runtime, owner);
    object(value);
    object.ExpectEnd();
  } else {
    ReadArchive::ThrowInvalid("an argument starts with an unknown tag");
  }
}

template <class Sources>
struct Arguments;
template <class... Sources>
struct Arguments<TypeList<Sources...>> {
  // Reads all arguments and passes them to `function` as rvalues.
  template <class Function>
  static decltype(auto) ReadAndCall(manta_call* call, ReadArchive& in, Function&& function) {
    return Apply(call, in, function, std::index_sequence_for<Sources...>());
  }

 private:
  template <class Function, size_t... Index>
  static decltype(auto) Apply([[maybe_unused]] manta_call* call, ReadArchive& in,
                              Function& function, std::index_sequence<Index...>) {
    std::tuple<Access::Slot<Sources>...> slots;
    (ReadArgument(call, in, std::get<Index>(slots).value), ...);
    in.ExpectEnd();
    return function(std::move(std::get<Index>(slots).value)...);
  }
};

// ---- Callables ----------------------------------------------------------------------------------

enum class CallableKind {
  kFunction,   // named by its address
  kStateless,  // named by its type
  kValue,      // a function object that can travel as other values do
  kBits,       // a closure, which cannot be assigned: its memory is its state
  kRefused,
};

template <class F>
constexpr CallableKind CallableKindOf() {
  if constexpr (kIsFunctionPointer<F>) {
    return CallableKind::kFunction;
  } else if constexpr (std::is_empty_v<F> && std::is_trivially_copyable_v<F>) {
    return CallableKind::kStateless;
  } else if constexpr (kCanTravel<F>) {
    return CallableKind::kValue;
  } else if constexpr (Codec<F>::kProblem == Problem::kUnknownClass &&
                       std::is_trivially_copyable_v<F> && std::is_copy_constructible_v<F> &&
                       !std::is_default_constructible_v<F> && !std::is_copy_assignable_v<F>) {
    return CallableKind::kBits;
  } else {
    return CallableKind::kRefused;
  }
}

// Gives back the callable that submit.h wrote.
template <class F, CallableKind kind = CallableKindOf<F>()>
class Callable;

template <class F>
class Callable<F, CallableKind::kFunction> {
 public:
  Callable(manta_call* call, ReadArchive&)
      : function_(reinterpret_cast<F>(const_cast<void*>(call->target))) {
    if (function_ == nullptr) ReadArchive::ThrowInvalid("a task without its function");
  }
  F get() { return function_; }

 private:
  F function_;
};

// A closure cannot be constructed otherwise: neither an empty one (before C++20) nor one with
// captures that are not those of a place in the source.
template <class F>
class ClosureStorage {
 public:
  F& get() { return *std::launder(reinterpret_cast<F*>(bytes_)); }

 protected:
  alignas(F) unsigned char bytes_[sizeof(F)] = {};
};

template <class F>
class Callable<F, CallableKind::kStateless> : public ClosureStorage<F> {
 public:
  Callable(manta_call*, ReadArchive&) {}
};

template <class F>
class Callable<F, CallableKind::kBits> : public ClosureStorage<F> {
 public:
  Callable(manta_call*, ReadArchive& in) {
    in.Byte();  // the tag: closures always travel inline
    in.Bytes(this->bytes_, sizeof(F));
  }
};

template <class F>
class Callable<F, CallableKind::kValue> {
 public:
  Callable(manta_call* call, ReadArchive& in) { ReadArgument(call, in, slot_.value); }
  F& get() { return slot_.value; }

 private:
  Access::Slot<F> slot_;
};

// ---- Results ------------------------------------------------------------------------------------

// False if there is no room: the call has failed and the invoker has nothing more to do.
template <class T>
bool WriteResult(manta_call* call, uint32_t index, const T& value) {
  if constexpr (Codec<T>::kPlainSize != kVaries) {
    if (call->num_results == 1 && Codec<T>::kPlainSize <= call->inline_capacity) {
      RawWriter out(call->inline_result);
      WriteValue(out, value);
      call->inline_size = Codec<T>::kPlainSize;
      return true;
    }
  }
  RefList references;
  SizeArchive sizes(&references);
  sizes(value);
  void* data = call->inline_result;
  const bool is_inline =
      call->num_results == 1 && references.size() == 0 && sizes.size() <= call->inline_capacity;
  if (!is_inline) {
    data =
        call->ops->allocate_result(call, index, sizes.size(), references.data(), references.size());
    if (data == nullptr) return false;
  }
  WriteArchive out(data, sizes.size());
  out(value);
  out.ExpectEnd();
  if (is_inline) call->inline_size = sizes.size();
  return true;
}

// How the value of a function becomes objects.
enum class ResultMode {
  kOne,   // one object, empty for void
  kMany,  // one for each element of a std::tuple, pair or array
  kList,  // one for each element of a std::vector, as many as the caller expects
};

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowWrongCount(size_t is, size_t expected) {
  throw InvalidArgumentError("RemoteMany was told to expect " + std::to_string(expected) +
                             " results, but the function returned " + std::to_string(is));
}

template <ResultMode mode, class R>
void WriteResults(manta_call* call, const R& result) {
  if (call->num_results == 0) return;
  if constexpr (mode == ResultMode::kOne) {
    WriteResult(call, 0, result);
  } else if constexpr (mode == ResultMode::kList) {
    if (result.size() != call->num_results) ThrowWrongCount(result.size(), call->num_results);
    for (uint32_t index = 0; index < call->num_results; ++index) {
      if (!WriteResult<typename R::value_type>(call, index, result[index])) return;
    }
  } else {
    std::apply(
        [call](const auto&... parts) {
          uint32_t index = 0;
          static_cast<void>((WriteResult(call, index++, parts) && ...));
        },
        result);
  }
}

// Calls and writes the result. `function` takes the arguments as rvalues.
template <class Sources, ResultMode mode, class Function>
void CallAndWrite(manta_call* call, ReadArchive& in, Function&& function) {
  Arguments<Sources>::ReadAndCall(call, in, [call, &function](auto&&... arguments) {
    using R = decltype(function(std::forward<decltype(arguments)>(arguments)...));
    if constexpr (std::is_void_v<R>) {
      function(std::forward<decltype(arguments)>(arguments)...);
    } else {
      // In one expression: the result may refer to an argument, or be a temporary.
      WriteResults<mode>(call, function(std::forward<decltype(arguments)>(arguments)...));
    }
  });
}

// ---- Bodies -------------------------------------------------------------------------------------

template <class F, class Sources, ResultMode mode>
struct TaskBody {
  static void Run(manta_call* call) {
    ReadArchive in(call->args, call->args_size, call->runtime);
    Callable<F> callable(call, in);
    CallAndWrite<Sources, mode>(call, in, [&callable](auto&&... arguments) -> decltype(auto) {
      return callable.get()(std::forward<decltype(arguments)>(arguments)...);
    });
  }
};

// What the runtime keeps for an actor: the instance and how to recognise its type.
struct ActorBox {
  const char* type_name;
  void* instance;
};

template <class Owner>
struct OwningActorBox : ActorBox {
  Owner owner;
  static void Destroy(void* box) {
    delete static_cast<OwningActorBox*>(static_cast<ActorBox*>(box));
  }
};

// `Owner` is a std::unique_ptr or std::shared_ptr to a T.
template <class T, class Owner>
void HandOverActor(manta_call* call, Owner owner) {
  if (owner == nullptr) {
    throw InvalidArgumentError("the factory of the actor returned a null pointer");
  }
  auto box = std::make_unique<OwningActorBox<Owner>>();
  box->type_name = TypeName<T>::Get();
  box->instance = const_cast<std::remove_const_t<T>*>(owner.get());
  box->owner = std::move(owner);
  call->ops->set_actor(call, static_cast<ActorBox*>(box.release()),
                       &OwningActorBox<Owner>::Destroy);
}

// An actor made by its constructor.
template <class T, class Sources>
struct ConstructorBody {
  static void Run(manta_call* call) {
    ReadArchive in(call->args, call->args_size, call->runtime);
    Arguments<Sources>::ReadAndCall(call, in, [call](auto&&... arguments) {
      HandOverActor<T>(call, Construct(std::forward<decltype(arguments)>(arguments)...));
    });
  }

 private:
  template <class... Given>
  static std::unique_ptr<T> Construct(Given&&... given) {
    if constexpr (std::is_constructible_v<T, Given...>) {
      return std::unique_ptr<T>(new T(std::forward<Given>(given)...));
    } else {
      return std::unique_ptr<T>(new T{std::forward<Given>(given)...});
    }
  }
};

template <class Pointer>
struct PointeeOf;
template <class T>
struct PointeeOf<T*> {
  using Type = T;
};
template <class T>
struct PointeeOf<std::unique_ptr<T>> {
  using Type = T;
};
template <class T>
struct PointeeOf<std::shared_ptr<T>> {
  using Type = T;
};

// An actor made by a function that returns a pointer to it.
template <class F, class Sources>
struct FactoryBody {
  static void Run(manta_call* call) {
    ReadArchive in(call->args, call->args_size, call->runtime);
    Callable<F> callable(call, in);
    auto owner = Arguments<Sources>::ReadAndCall(call, in, [&callable](auto&&... arguments) {
      return callable.get()(std::forward<decltype(arguments)>(arguments)...);
    });
    using Owner = decltype(owner);
    using T = typename PointeeOf<Owner>::Type;
    if constexpr (std::is_pointer_v<Owner>) {
      HandOverActor<T>(call, std::unique_ptr<T>(owner));
    } else {
      HandOverActor<T>(call, std::move(owner));
    }
  }
};

// A pointer to a member function, in the parts that make sense in another process. The layout is
// that of the Itanium C++ ABI (with its variant for ARM): an address, or for a virtual function its
// place in the table; and what to add to `this`.
struct MethodParts {
  uintptr_t address;
  ptrdiff_t adjustment;

#if defined(__aarch64__) || defined(__arm__)
  bool IsVirtual() const { return (adjustment & 1) != 0; }
#else
  bool IsVirtual() const { return (address & 1) != 0; }
#endif
  bool IsNull() const { return address == 0 && !IsVirtual(); }
  // Whether the address says all.
  bool IsSimple() const { return !IsVirtual() && adjustment == 0; }

  template <class Method>
  static MethodParts Of(Method method) {
    static_assert(sizeof(Method) == sizeof(MethodParts), "an Itanium C++ ABI");
    MethodParts parts;
    std::memcpy(&parts, &method, sizeof(parts));
    return parts;
  }
  template <class Method>
  Method Join() const {
    Method method;
    std::memcpy(&method, this, sizeof(method));
    return method;
  }
};

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowWrongActorType(const char* is,
                                                                       const char* wanted) {
  throw InvalidArgumentError(std::string("the actor is a ") + is +
                             ", but the handle that was used says ActorHandle<" + wanted + ">");
}

template <class T>
T* ActorInstance(void* actor) {
  const auto* box = static_cast<const ActorBox*>(actor);
  if (box == nullptr) ReadArchive::ThrowInvalid("a call of a method without an actor");
  const char* wanted = TypeName<T>::Get();
  if (box->type_name != wanted && std::strcmp(box->type_name, wanted) != 0) {
    ThrowWrongActorType(box->type_name, wanted);
  }
  return static_cast<T*>(box->instance);
}

// A method of an actor. In front of the arguments stands one byte: 0 if the address of the method
// says all, else 1 and its MethodParts.
template <class T, class Method, class Sources, ResultMode mode>
struct MethodBody {
  static void Run(manta_call* call) {
    T* actor = ActorInstance<T>(call->actor);
    ReadArchive in(call->args, call->args_size, call->runtime);
    MethodParts parts = {0, 0};
    if (in.Byte() != 0) in.Bytes(&parts, sizeof(parts));
    if (!parts.IsVirtual()) parts.address = reinterpret_cast<uintptr_t>(call->target);
    const Method method = parts.template Join<Method>();
    CallAndWrite<Sources, mode>(call, in, [actor, method](auto&&... arguments) -> decltype(auto) {
      if constexpr (std::is_invocable_v<Method, T&, decltype(arguments)...>) {
        return (actor->*method)(std::forward<decltype(arguments)>(arguments)...);
      } else {
        return (std::move(*actor).*method)(std::forward<decltype(arguments)>(arguments)...);
      }
    });
  }
};

// ---- Exceptions ---------------------------------------------------------------------------------

inline void Fail(manta_call* call, const char* type_name, const char* message,
                 manta_error_kind kind = MANTA_ERROR_TASK) {
  manta_failure failure = {};
  failure.kind = kind;
  failure.type_name = type_name;
  failure.message = message != nullptr ? message : "";  // an exception may have none
  call->ops->fail(call, &failure);
}

// Takes no exception, but notes the stack of each that looks for a handler here, while it stands.
// Its type_info comes with libmanta.so (src/stacks/throw_stack.h); without run-time type information
// it is an ordinary class, and errors come without frames.
class MANTA_API ThrowProbe {
 public:
  virtual ~ThrowProbe();
};

// Leaves a method whose actor exits, for whom exiting does not return (ray::ExitActor).
struct ActorExit {};

inline bool IsCancelled(manta_runtime* runtime) {
  manta_context context = {};
  context.struct_size = sizeof(context);
  if (manta_error* error = manta_context_get(runtime, &context)) {
    manta_error_free(error);
    return false;
  }
  return context.is_cancelled != 0;
}

// Inside of a catch block: makes the exception the failure of the call.
[[gnu::noinline, gnu::cold]] inline void FailWithCurrentException(manta_call* call) {
  const std::type_info* type = abi::__cxa_current_exception_type();
  const char* type_name = type != nullptr ? type->name() : "";
  try {
    throw;
  } catch (const TaskError& error) {
    // A failure of another task passes through: what it was stays visible.
    const manta_failure failure = {MANTA_ERROR_TASK, error.reported_type_name(), error.message()};
    call->ops->pass_on(call, &failure, error.stack());
  } catch (const TaskCancelledError& error) {
    // Of this task, or of another one whose value it wanted?
    const bool is_own = IsCancelled(call->runtime);
    Fail(call, type_name, error.what(), is_own ? MANTA_ERROR_TASK_CANCELLED : MANTA_ERROR_TASK);
  } catch (const ActorExit&) {
    Fail(call, "", "the actor exited: ExitActor() was called in the method", MANTA_ERROR_ACTOR_DIED);
  } catch (const std::exception& error) {
    Fail(call, type_name, error.what());
  } catch (const std::string& text) {
    Fail(call, type_name, text.c_str());
  } catch (const char* text) {
    Fail(call, type_name, text);
  } catch (...) {
    Fail(call, type_name, "(the exception is not a std::exception and has no text)");
  }
}

template <class Body>
void Invoke(manta_call* call) {
  try {
    Body::Run(call);
  } catch (const ThrowProbe&) {
    throw;  // never happens
  } catch (abi::__forced_unwind&) {
    throw;  // the thread is being cancelled
  } catch (...) {
    FailWithCurrentException(call);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace manta
