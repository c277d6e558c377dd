// Calling functions in other processes.
#pragma once

#include <array>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "manta/detail/natural_parameters.h"
#include "manta/detail/submit.h"
#include "manta/object_ref.h"
#include "manta/options.h"

namespace manta {
inline namespace v1 {
namespace detail {

// Whether a function returns several values that can become an object each.
template <class T, class = void>
inline constexpr bool kIsTupleLike = false;
template <class T>
inline constexpr bool kIsTupleLike<T, std::void_t<decltype(std::tuple_size<T>::value)>> = true;

template <class T, class Indices = std::make_index_sequence<std::tuple_size<T>::value>>
struct ElementTypes;
template <class T, size_t... Index>
struct ElementTypes<T, std::index_sequence<Index...>> {
  using Type = TypeList<std::decay_t<std::tuple_element_t<Index, T>>...>;
};

template <class T>
inline constexpr bool kIsVector = false;
template <class T, class Allocator>
inline constexpr bool kIsVector<std::vector<T, Allocator>> = true;

inline constexpr uint32_t kMaxResults = 65535;

inline uint32_t CheckResultCount(size_t count) {
  if (count > kMaxResults) {
    throw InvalidArgumentError("RemoteMany: a call has at most 65535 results, not " +
                               std::to_string(count));
  }
  return static_cast<uint32_t>(count);
}

// The references that Remote (kOne), RemoteMulti (kMany) and RemoteMany (kList) return for a
// function's result. Handles is the room for what submitting the call gives.
template <ResultMode mode, class Result>
struct ResultRefs {
  using Type = ObjectRef<Result>;
  using Values = TypeList<Result>;
  using Handles = std::array<manta_ref*, 1>;
  static Handles Room(uint32_t) { return {}; }
  static Type FromHandles(manta_ref** handles, uint32_t) { return Type::FromHandle(handles[0]); }
};
template <class List>
struct RefTuple;
template <class... Ts>
struct RefTuple<TypeList<Ts...>> {
  using Type = std::tuple<ObjectRef<Ts>...>;
  template <size_t... Index>
  static Type FromHandles(manta_ref** handles, std::index_sequence<Index...>) {
    return Type(ObjectRef<Ts>::FromHandle(handles[Index])...);
  }
};
template <class Result>
struct ResultRefs<ResultMode::kMany, Result> {
  using Values = typename ElementTypes<Result>::Type;
  using Type = typename RefTuple<Values>::Type;
  static constexpr uint32_t kCount = Values::kSize;
  static_assert(kCount != 0, "manta: RemoteMulti needs a function that returns something");
  using Handles = std::array<manta_ref*, kCount>;
  static Handles Room(uint32_t) { return {}; }
  static Type FromHandles(manta_ref** handles, uint32_t) {
    return RefTuple<Values>::FromHandles(handles, std::make_index_sequence<kCount>());
  }
};
template <class Result>
struct ResultRefs<ResultMode::kList, Result> {
  using Value = typename Result::value_type;
  using Values = TypeList<Value>;
  using Type = std::vector<ObjectRef<Value>>;
  using Handles = std::vector<manta_ref*>;
  static Handles Room(uint32_t count) { return Handles(count); }
  static Type FromHandles(manta_ref** handles, uint32_t count) {
    Type references;
    references.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      references.push_back(ObjectRef<Value>::FromHandle(handles[i]));
    }
    return references;
  }
};

template <class List>
struct ResultCheck;
template <class... Ts>
struct ResultCheck<TypeList<Ts...>> {
  static constexpr bool Passes() { return (Passes1<Ts>() && ...); }
  static constexpr void Explain() { (Explain1<Ts>(), ...); }

 private:
  template <class T>
  static constexpr bool Passes1() {
    if constexpr (std::is_void_v<T>) {
      return true;
    } else {
      return kCanTravel<T>;
    }
  }
  template <class T>
  static constexpr void Explain1() {
    if constexpr (!std::is_void_v<T>) CheckTravels<T>();
  }
};

// Parameters and result of a call. A callable without one signature takes what it is given.
template <class F, class Given, bool = Signature<F>::kKnown>
struct CallTypes {
  using Parameters = typename Signature<F>::Parameters;
  using Result = std::decay_t<typename Signature<F>::Result>;
  static constexpr bool kCallable = true;  // with its own parameters
};
template <class F, class... Given>
struct CallTypes<F, TypeList<Given...>, false> {
  template <class Chosen>
  struct Accepts;
  template <class... Ts>
  struct Accepts<TypeList<Ts...>> : std::is_invocable<F&, Ts...> {};

  using Parameters = typename NaturalParameters<Accepts, Given...>::Type;

  template <class... Ts>
  static auto ResultFor(TypeList<Ts...>) {
    if constexpr (std::is_invocable_v<F&, Ts...>) {
      return TypeList<std::decay_t<std::invoke_result_t<F&, Ts...>>>();
    } else {
      return TypeList<void>();
    }
  }
  using Result = typename FirstOf<decltype(ResultFor(Parameters()))>::Type;
  static constexpr bool kCallable = Accepts<Parameters>::value;
};

// Everything that the compiler knows about one call.
template <class F, ResultMode mode, class... Given>
struct TaskCall {
  using GivenTypes = TypeList<Given...>;
  using Types = CallTypes<F, GivenTypes>;
  using Refs = ResultRefs<mode, typename Types::Result>;

  static constexpr bool Passes() {
    if constexpr (Types::kCallable && ArgumentsPass<typename Types::Parameters, GivenTypes>()) {
      return ResultCheck<typename Refs::Values>::Passes();
    } else {
      return false;
    }
  }
  // Fails to compile, with one message, unless Passes().
  static constexpr void Explain() {
    static_assert(Types::kCallable,
                  "manta: this function object cannot be called with these arguments (as rvalues)");
    if constexpr (Types::kCallable) {
      ExplainArguments<typename Types::Parameters, GivenTypes>();
      if constexpr (ArgumentsPass<typename Types::Parameters, GivenTypes>()) {
        ResultCheck<typename Refs::Values>::Explain();
      }
    }
  }
};

}  // namespace detail

// A function that is ready to be called remotely. Made by Task(); cheap as long as no option is
// set. To call with the same options many times, keep the caller: they are checked and registered
// once, at its first Remote.
//
// Thread safety: Remote may be called by several threads at once; setters need exclusive access.
template <class F>
class TaskCaller : public detail::TaskSetters<TaskCaller<F>> {
 public:
  explicit TaskCaller(F function) : function_(std::move(function)) {}

  // Submits the task and returns at once with a reference to its future result. Each argument
  // converts to the function's parameter, or is an ObjectRef to a value that does: the task then
  // starts when that value is there.
  //
  // Arguments are copied before Remote returns; large ones (from MANTA_INLINE_ARG_LIMIT on) into an
  // object each. To give one large value to many tasks, Put it once and pass the reference.
  //
  // Throws NotInitializedError, InvalidArgumentError (wrong options, an empty ObjectRef),
  // SerializationError, ObjectStoreFullError. What goes wrong later shows in Get.
  template <class... Given>
  auto Remote(Given&&... given) const {
    return Call<detail::ResultMode::kOne>(1, std::forward<Given>(given)...);
  }

  // For functions that return a std::tuple, std::pair or std::array: one reference for each
  // element, as a std::tuple<ObjectRef<A>, ObjectRef<B>, ...>, so that each can be passed on alone.
  template <class... Given>
  auto RemoteMulti(Given&&... given) const {
    using Types = detail::CallTypes<F, detail::TypeList<Given...>>;
    constexpr bool kHasSeveral = detail::kIsTupleLike<typename Types::Result>;
    static_assert(kHasSeveral,
                  "manta: RemoteMulti is for functions that return a std::tuple, std::pair or "
                  "std::array. Use Remote.");
    if constexpr (kHasSeveral) {
      using Result = typename Types::Result;
      return Call<detail::ResultMode::kMany>(std::tuple_size<Result>::value,
                                             std::forward<Given>(given)...);
    } else {
      return detail::AfterError();
    }
  }

  // For functions that return a std::vector<T>, when the caller knows how many elements that will
  // have: `count` references, at most 65535, as a std::vector<ObjectRef<T>>, so that each can be
  // passed on alone. When the function returns another number of elements, all of them fail.
  template <class... Given>
  auto RemoteMany(size_t count, Given&&... given) const {
    using Types = detail::CallTypes<F, detail::TypeList<Given...>>;
    constexpr bool kHasList = detail::kIsVector<typename Types::Result>;
    static_assert(kHasList,
                  "manta: RemoteMany is for functions that return a std::vector. Use Remote.");
    if constexpr (kHasList) {
      return Call<detail::ResultMode::kList>(detail::CheckResultCount(count),
                                             std::forward<Given>(given)...);
    } else {
      return detail::AfterError();
    }
  }

 private:
  template <detail::ResultMode mode, class... Given>
  auto Call(uint32_t count, Given&&... given) const {
    using Call = detail::TaskCall<F, mode, Given...>;
    using Refs = typename Call::Refs;
    Call::Explain();
    if constexpr (Call::Passes()) {
      using Parameters = typename Call::Types::Parameters;
      using Sources = typename detail::SourceTypes<Parameters, typename Call::GivenTypes>::Type;
      using Body = detail::TaskBody<F, Sources, mode>;
      manta_runtime* runtime = detail::CurrentRuntime("Remote");
      const char* name = detail::TypeName<F>::Get();
      const void* target = nullptr;
      if constexpr (detail::kIsFunctionPointer<F>) target = reinterpret_cast<void*>(function_);
      manta_task_spec spec;
      spec.function = detail::FunctionIdOf<Body>(target, name);
      spec.function_name = name;
      spec.num_results = count;
      spec.options = this->options_.Number(runtime);
      spec.name = this->options_.Name();
      spec.stream = nullptr;
      typename Refs::Handles results = Refs::Room(count);
      detail::ArgumentWriter<Parameters, typename Call::GivenTypes>::SubmitCallOf(
          function_, runtime, spec,
          [runtime, &results](const manta_task_spec& filled) {
            detail::Check(manta_submit(runtime, &filled, results.data()));
          },
          given...);
      return Refs::FromHandles(results.data(), count);
    } else {
      return typename Refs::Type();
    }
  }

  F function_;
};

// Prepares to call `function` in another process:
//
//   manta::ObjectRef<int> sum = manta::Task(Add).Remote(1, 2);
//
// A function, a lambda without captures, or a function object whose members can travel (a lambda
// with captures only if all of them are trivially copyable; pointers and references among them
// cannot be seen by the compiler and will not work). Of overloaded functions, manta::Overload picks
// one. Nothing has to be registered.
template <class F>
auto Task(F&& function) {
  using Function = std::decay_t<F>;
  constexpr bool kIsMethod = std::is_member_pointer_v<Function>;
  constexpr bool kCanBeCalled = std::is_class_v<Function> || detail::kIsFunctionPointer<Function>;
  static_assert(!kIsMethod,
                "manta: Task takes a function. Methods are called on an actor: "
                "handle.Task(&Counter::Add).Remote(1).");
  static_assert(kIsMethod || kCanBeCalled, "manta: Task takes something that can be called");
  if constexpr (kCanBeCalled && !kIsMethod) {
    constexpr bool kTravels = detail::CallableKindOf<Function>() != detail::CallableKind::kRefused;
    static_assert(
        kTravels,
        "manta: this function object cannot be sent, because of what it holds or captured "
        "(a std::string, a std::vector, a std::function, ...), or because it has constructors "
        "and hides its members. Pass that as arguments, or write a struct with operator() whose "
        "members can travel: public ones, or those in its MANTA_DEFINE(member, ...).");
    if constexpr (kTravels) {
      return TaskCaller<Function>(std::forward<F>(function));
    } else {
      return detail::AfterError();
    }
  } else {
    return detail::AfterError();
  }
}
detail::AfterError Task(detail::PickOneWithMantaOverload);

}  // namespace v1
}  // namespace manta
