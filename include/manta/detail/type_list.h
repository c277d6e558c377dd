// Lists of types, for the compile-time part of the headers.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace manta {
inline namespace v1 {
namespace detail {

template <class... Ts>
struct TypeList {
  static constexpr size_t kSize = sizeof...(Ts);
};

template <class List>
struct FirstOf;
template <class First, class... Rest>
struct FirstOf<TypeList<First, Rest...>> {
  using Type = First;
};

template <class T>
using RemoveCvRef = std::remove_cv_t<std::remove_reference_t<T>>;

// Returned after a failed static_assert, so that the compiler says no more than that.
struct AfterError {
  template <class... Given>
  AfterError Remote(Given&&...) const {
    return {};
  }
  template <class T>
  operator T() const;
};

// The name of T as the compiler writes it: works without RTTI, equal for equal types.
template <class T>
struct TypeName {
 private:
  static constexpr size_t Length(const char* text) {
    size_t length = 0;
    while (text[length] != 0) ++length;
    return length;
  }
  // "... [with T = int]" (GCC) or "... [T = int]" (Clang): where "int" starts.
  static constexpr size_t Start(const char* text) {
    size_t i = 0;
    while (text[i] != 0 && !(text[i] == 'T' && text[i + 1] == ' ' && text[i + 2] == '=')) ++i;
    return text[i] == 0 ? 0 : i + 4;
  }
  static constexpr const char* Pretty() { return __PRETTY_FUNCTION__; }

  static constexpr size_t kStart = Start(Pretty());
  static constexpr size_t kLength = Length(Pretty()) - kStart;  // the ']' makes room for the 0
  struct Text {
    char characters[kLength];
  };
  static constexpr Text Copy() {
    Text text = {};
    for (size_t i = 0; i + 1 < kLength; ++i) text.characters[i] = Pretty()[kStart + i];
    return text;
  }
  static constexpr Text kText = Copy();

 public:
  // With static storage.
  static constexpr const char* Get() { return kText.characters; }
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
