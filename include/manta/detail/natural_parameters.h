// What travels where no signature says it: to constructors and generic lambdas.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "manta/detail/type_list.h"
#include "manta/object_ref.h"

namespace manta {
inline namespace v1 {
namespace detail {

// The type in which an argument travels when only the argument counts.
template <class Given>
struct NaturalParameter {
  using Decayed = std::decay_t<Given>;
  using Type =
      std::conditional_t<std::is_same_v<Decayed, const char*> || std::is_same_v<Decayed, char*> ||
                             std::is_same_v<Decayed, std::string_view>,
                         std::string, Decayed>;
};

// Each ObjectRef may stand for its value or for itself. Finds the first choice, values preferred,
// that Accepts<TypeList<...>> likes; if there is none, `Type` is what was tried last.
template <template <class> class Accepts, class Chosen, class... Rest>
struct ParameterChoice;
template <template <class> class Accepts, class... Chosen>
struct ParameterChoice<Accepts, TypeList<Chosen...>> {
  using Type = TypeList<Chosen...>;
  static constexpr bool kFound = Accepts<Type>::value;
};
template <template <class> class Accepts, class... Chosen, class First, class... Rest>
struct ParameterChoice<Accepts, TypeList<Chosen...>, First, Rest...> {
  using Natural = typename NaturalParameter<First>::Type;
  using Referred = typename ReferredType<Natural>::Type;
  using AsItself = ParameterChoice<Accepts, TypeList<Chosen..., Natural>, Rest...>;

  template <class Value>
  static auto Choose() {
    if constexpr (std::is_void_v<Value>) {
      return AsItself();
    } else if constexpr (ParameterChoice<Accepts, TypeList<Chosen..., Value>, Rest...>::kFound) {
      return ParameterChoice<Accepts, TypeList<Chosen..., Value>, Rest...>();
    } else {
      return AsItself();
    }
  }
  using Choice = decltype(Choose<Referred>());
  using Type = typename Choice::Type;
  static constexpr bool kFound = Choice::kFound;
};

template <template <class> class Accepts, class... Given>
using NaturalParameters = ParameterChoice<Accepts, TypeList<>, Given...>;

}  // namespace detail
}  // namespace v1
}  // namespace manta
