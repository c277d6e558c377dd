// RAY_REMOTE and RAY_FUNC. For C++ nothing has to be registered: RAY_REMOTE checks that its arguments
// are functions and names them for other languages (manta/remote.h), and RAY_FUNC picks one of
// several of a name.
#pragma once

#include <type_traits>

#include "manta/remote.h"

namespace ray {
namespace internal {

template <class F>
constexpr bool kIsRemoteFunction =
    std::is_member_function_pointer_v<F> ||
    (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

template <class... F>
constexpr bool CheckRemoteFunctions(F...) {
  static_assert((kIsRemoteFunction<F> && ...),
                "RAY_REMOTE takes functions, &Class::Method, and RAY_FUNC(function, types...)");
  return true;
}

// The overload that takes these arguments.
template <class... Args>
struct PickOverload {
  template <class R>
  constexpr auto operator()(R (*function)(Args...)) const {
    return function;
  }
  template <class R, class C>
  constexpr auto operator()(R (C::*method)(Args...)) const {
    return method;
  }
  template <class R, class C>
  constexpr auto operator()(R (C::*method)(Args...) const) const {
    return method;
  }
};

}  // namespace internal
}  // namespace ray

// Not by MANTA_REMOTE, which would see what RAY_FUNC stands for.
#define RAY_REMOTE(...)                                                                  \
  [[maybe_unused]] static const bool MANTA_DETAIL_JOIN(ray_remote_checked_, __COUNTER__) = \
      ray::internal::CheckRemoteFunctions(__VA_ARGS__) &&                                 \
      manta::detail::RegisterAllNamed(#__VA_ARGS__, __VA_ARGS__);
#define RAY_FUNC(f, ...) ray::internal::PickOverload<__VA_ARGS__>()(f)
