// Parameters and results of everything that can be called.
#pragma once

#include <type_traits>

#include "manta/detail/type_list.h"

namespace manta {
inline namespace v1 {
namespace detail {

// What a function pointer, a pointer to a member function or a function object takes and returns.
// kKnown is false for what has no one signature: generic lambdas, overloaded operator().
template <class F, class = void>
struct Signature {
  static constexpr bool kKnown = false;
};

template <class R, class... Params>
struct KnownSignature {
  static constexpr bool kKnown = true;
  using Result = R;
  using Parameters = TypeList<Params...>;
};

template <class R, class... Params>
struct Signature<R (*)(Params...), void> : KnownSignature<R, Params...> {};
template <class R, class... Params>
struct Signature<R (*)(Params...) noexcept, void> : KnownSignature<R, Params...> {};

#define MANTA_DETAIL_MEMBER_SIGNATURE(QUALIFIERS)                                         \
  template <class R, class C, class... Params>                                            \
  struct Signature<R (C::*)(Params...) QUALIFIERS, void> : KnownSignature<R, Params...> { \
    using Class = C;                                                                      \
  };
MANTA_DETAIL_MEMBER_SIGNATURE()
MANTA_DETAIL_MEMBER_SIGNATURE(const)
MANTA_DETAIL_MEMBER_SIGNATURE(&)
MANTA_DETAIL_MEMBER_SIGNATURE(const&)
MANTA_DETAIL_MEMBER_SIGNATURE(&&)
MANTA_DETAIL_MEMBER_SIGNATURE(const&&)
MANTA_DETAIL_MEMBER_SIGNATURE(noexcept)
MANTA_DETAIL_MEMBER_SIGNATURE(const noexcept)
MANTA_DETAIL_MEMBER_SIGNATURE(&noexcept)
MANTA_DETAIL_MEMBER_SIGNATURE(const& noexcept)
MANTA_DETAIL_MEMBER_SIGNATURE(&&noexcept)
MANTA_DETAIL_MEMBER_SIGNATURE(const&& noexcept)
#undef MANTA_DETAIL_MEMBER_SIGNATURE

template <class F>
struct Signature<F, std::void_t<decltype(&F::operator())>> : Signature<decltype(&F::operator())> {};

template <class F>
inline constexpr bool kIsFunctionPointer =
    std::is_pointer_v<F>&& std::is_function_v<std::remove_pointer_t<F>>;

// Stands for the name of several functions, of which no type can be deduced: what the compiler then quotes
// is its constructor.
struct PickOneWithMantaOverload {
  PickOneWithMantaOverload(...) = delete;  // one of several functions: Task(manta::Overload<int(int)>(F))
};

}  // namespace detail

// Picks one of several functions of a name: Task(manta::Overload<int(int)>(Add)), or, of several
// methods, handle.Task(manta::Overload<int(int)>(&Counter::Add)) and Overload<int() const>(...).
template <class FunctionType>
constexpr FunctionType* Overload(FunctionType* function) {
  return function;
}
template <class FunctionType, class Class>
constexpr auto Overload(FunctionType Class::*method) {
  return method;
}

}  // namespace v1
}  // namespace manta
