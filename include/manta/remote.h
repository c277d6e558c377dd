// Functions that programs in other languages call by name.
#pragma once

#include <string>
#include <type_traits>

#include "manta/actor.h"
#include "manta/detail/schema.h"
#include "manta/task.h"

namespace manta {
inline namespace v1 {
namespace detail {

template <class List>
struct SchemasOf;
template <class... Ts>
struct SchemasOf<TypeList<Ts...>> {
  static void Append(std::string& out) { (AppendSchema<RemoveCvRef<Ts>>(out, 0), ...); }
  static constexpr bool kTravel = (kCanTravel<RemoveCvRef<Ts>> && ...);
};
template <class List>
struct ValuesOf;
template <class... Ts>
struct ValuesOf<TypeList<Ts...>> {
  using Type = TypeList<RemoveCvRef<Ts>...>;
};

// What a caller by name has to know. A function is called by its body for exactly its own types.
template <class F>
struct NamedCall {
  using Parameters = typename Signature<F>::Parameters;
  using Values = typename ValuesOf<Parameters>::Type;
  using Result = std::decay_t<typename Signature<F>::Result>;
  static constexpr bool kIsMethod = std::is_member_function_pointer_v<F>;
  static constexpr bool kIsFactory = !kIsMethod && kIsActorPointer<Result>;
  static constexpr bool kTravels =
      SchemasOf<Parameters>::kTravel && (kIsFactory || ResultCheck<TypeList<Result>>::Passes());

  // "(parameters)result".
  static const char* Signature() {
    static const std::string text = [] {
      std::string made = "(";
      SchemasOf<Parameters>::Append(made);
      made += ')';
      if constexpr (kIsFactory) {
        made += 'e';
      } else {
        AppendSchema<Result>(made, 0);
      }
      return made;
    }();
    return text.c_str();
  }
};

template <class T, class Method, class Values>
struct MethodOf {
  using Body = MethodBody<T, Method, Values, ResultMode::kOne>;
};

template <class F>
void RegisterNamed(const char* names, uint32_t index, F function) {
  using Call = NamedCall<F>;
  manta_named_function named = {};
  named.struct_size = sizeof(named);
  named.signature = &Call::Signature;
  if constexpr (!Call::kTravels) {
    named.invoker = nullptr;  // found, but not to be called
  } else if constexpr (Call::kIsMethod) {
    using Body = MethodBody<typename Signature<F>::Class, F, typename Call::Values, ResultMode::kOne>;
    named.kind = MANTA_NAMED_METHOD;
    named.invoker = &Invoke<Body>;
    const MethodParts parts = MethodParts::Of(function);
    named.target = parts.IsVirtual() ? nullptr : reinterpret_cast<const void*>(parts.address);
    named.prefix[0] = 1;
    std::memcpy(named.prefix + 1, &parts, sizeof(parts));
    named.prefix_size = 1 + sizeof(parts);
  } else if constexpr (Call::kIsFactory) {
    named.kind = MANTA_NAMED_FACTORY;
    named.invoker = &Invoke<FactoryBody<F, typename Call::Values>>;
    named.target = reinterpret_cast<const void*>(function);
  } else {
    named.kind = MANTA_NAMED_FUNCTION;
    named.invoker = &Invoke<TaskBody<F, typename Call::Values, ResultMode::kOne>>;
    named.target = reinterpret_cast<const void*>(function);
  }
  manta_named_function_register(names, index, &named);
}

// `names`: the arguments of the macro, as they stand in the source.
template <class... F>
bool RegisterAllNamed(const char* names, F... functions) {
  static_assert(((std::is_member_function_pointer_v<F> || kIsFunctionPointer<F>)&&...),
                "MANTA_REMOTE takes functions, factories of actors and &Class::Method; of overloaded "
                "ones, manta::Overload picks one");
  uint32_t index = 0;
  (RegisterNamed(names, index++, functions), ...);
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace manta

#define MANTA_DETAIL_JOIN_(a, b) a##b
#define MANTA_DETAIL_JOIN(a, b) MANTA_DETAIL_JOIN_(a, b)

// Makes functions known by the names that stand here, to programs in other languages: in Python,
// ray.cross_language.cpp_function("Add") finds what MANTA_REMOTE(Add) has named, in a library of the
// job's code_search_path. Factories of actors and their methods are named in the same way:
//
//   MANTA_REMOTE(Add, Counter::Create, &Counter::Increment);
//
// At namespace scope. C++ programs call functions without it. Arguments and results are numbers,
// text, containers, tuples and aggregates of them; a function with others is refused when it is
// called by name.
#define MANTA_REMOTE(...)                                                                    \
  [[maybe_unused]] static const bool MANTA_DETAIL_JOIN(manta_remote_registered_, __COUNTER__) = \
      manta::detail::RegisterAllNamed(#__VA_ARGS__, __VA_ARGS__)
