// What the fields of an aggregate are, found without help from its author: C++17 has no reflection,
// but an aggregate tells how many initialisers it takes, and structured bindings then name that
// many fields.
//
// Limits: at most kMaxFields fields, no base classes, no reference members. With more than
// kMaxInitializers initialisers (the elements of a C array are one field, but count as
// initialisers) a field whose default constructor is explicit cannot be counted.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "manta/detail/type_list.h"

namespace manta {
inline namespace v1 {
namespace detail {

inline constexpr size_t kMaxFields = 24;
inline constexpr size_t kMaxInitializers = 1024;
inline constexpr size_t kNotCountable = static_cast<size_t>(-1);

// Converts to whatever a field of T may be. Never to T itself, else every class would look like an
// aggregate that holds itself (by its copy constructor).
template <class T>
struct AnyField {
  template <class U, class = std::enable_if_t<!std::is_same_v<U, T>>>
  operator U() const noexcept;
};

// Converts to base classes of T only.
template <class T>
struct AnyBase {
  template <class U, class = std::enable_if_t<std::is_base_of_v<U, T> && !std::is_same_v<U, T>>>
  operator U() const noexcept;
};
// Converts to nothing; what takes it takes everything.
struct NoField {};

template <class T, size_t>
using AnyFieldAt = AnyField<T>;

// Whether T can be initialised with as many fields as Before has numbers.
template <class T, class Before, class = void>
struct TakesFields : std::false_type {};
template <class T, size_t... Before>
struct TakesFields<T, std::index_sequence<Before...>,
                   std::void_t<decltype(T{AnyFieldAt<T, Before>{}...})>> : std::true_type {};

// The same with a {} in between, which takes one field whole, even an array.
template <class T, class Before, class After, class = void>
struct TakesBraces : std::false_type {};
template <class T, size_t... Before, size_t... After>
struct TakesBraces<
    T, std::index_sequence<Before...>, std::index_sequence<After...>,
    std::void_t<decltype(T{AnyFieldAt<T, Before>{}..., {}, AnyFieldAt<T, After>{}...})>>
    : std::true_type {};

template <class T, class First, class = void>
struct TakesFirst : std::false_type {};
template <class T, class First>
struct TakesFirst<T, First, std::void_t<decltype(T{First{}})>> : std::true_type {};

template <class T, size_t N>
constexpr bool Takes() {
  return TakesFields<T, std::make_index_sequence<N>>::value;
}

// The largest N in [low, high) that T takes, given that it takes `low` and not `high`.
template <class T, size_t low, size_t high>
constexpr size_t LargestTaken() {
  if constexpr (high - low == 1) {
    return low;
  } else if constexpr (constexpr size_t middle = low + (high - low) / 2; Takes<T, middle>()) {
    return LargestTaken<T, middle, high>();
  } else {
    return LargestTaken<T, low, middle>();
  }
}

// How many initialisers T takes when the elements of C arrays count one each, or kNotCountable.
template <class T, size_t guess = 1>
constexpr size_t CountInitializers() {
  if constexpr (guess > kMaxInitializers) {
    return kNotCountable;
  } else if constexpr (Takes<T, guess>()) {
    return CountInitializers<T, guess * 2>();
  } else if constexpr (guess == 1) {
    return Takes<T, 0>() ? 0 : kNotCountable;
  } else {
    return LargestTaken<T, guess / 2, guess>();
  }
}

template <class T, size_t Index, size_t N>
constexpr bool TakesAfterBraces() {
  return TakesBraces<T, std::make_index_sequence<Index>, std::make_index_sequence<N>>::value;
}

// The largest N in [low, high) that T takes after `Index` fields and a {}, given that it takes
// `low` and not `high`.
template <class T, size_t Index, size_t low, size_t high>
constexpr size_t LargestAfterBraces() {
  if constexpr (high - low == 1) {
    return low;
  } else if constexpr (constexpr size_t middle = low + (high - low) / 2;
                       TakesAfterBraces<T, Index, middle>()) {
    return LargestAfterBraces<T, Index, middle, high>();
  } else {
    return LargestAfterBraces<T, Index, low, middle>();
  }
}

// How many of `Total` initialisers the field at initialiser `Index` takes: more than one for a C
// array.
template <class T, size_t Index, size_t Total>
constexpr size_t InitializersOfField() {
  constexpr size_t after = Total - Index - 1;
  if constexpr (!TakesAfterBraces<T, Index, 0>()) {
    return 1;  // a class whose default constructor is explicit
  } else if constexpr (TakesAfterBraces<T, Index, after>()) {
    return 1;
  } else {
    return 1 + after - LargestAfterBraces<T, Index, 0, after>();
  }
}

template <class T, size_t Index, size_t Total>
constexpr size_t CountFieldsFrom() {
  if constexpr (Index >= Total) {
    return 0;
  } else {
    return 1 + CountFieldsFrom<T, Index + InitializersOfField<T, Index, Total>(), Total>();
  }
}

// Whether T can be initialised with a {} for each of its first N fields; and with one thing more.
template <class T, size_t N, class = void>
struct TakesWhole : std::false_type {};
template <class T, size_t N, class = void>
struct TakesMoreThan : std::false_type {};

#define MANTA_DETAIL_B1 {}
#define MANTA_DETAIL_B2 MANTA_DETAIL_B1, {}
#define MANTA_DETAIL_B3 MANTA_DETAIL_B2, {}
#define MANTA_DETAIL_B4 MANTA_DETAIL_B3, {}
#define MANTA_DETAIL_B5 MANTA_DETAIL_B4, {}
#define MANTA_DETAIL_B6 MANTA_DETAIL_B5, {}
#define MANTA_DETAIL_B7 MANTA_DETAIL_B6, {}
#define MANTA_DETAIL_B8 MANTA_DETAIL_B7, {}
#define MANTA_DETAIL_B9 MANTA_DETAIL_B8, {}
#define MANTA_DETAIL_B10 MANTA_DETAIL_B9, {}
#define MANTA_DETAIL_B11 MANTA_DETAIL_B10, {}
#define MANTA_DETAIL_B12 MANTA_DETAIL_B11, {}
#define MANTA_DETAIL_B13 MANTA_DETAIL_B12, {}
#define MANTA_DETAIL_B14 MANTA_DETAIL_B13, {}
#define MANTA_DETAIL_B15 MANTA_DETAIL_B14, {}
#define MANTA_DETAIL_B16 MANTA_DETAIL_B15, {}
#define MANTA_DETAIL_B17 MANTA_DETAIL_B16, {}
#define MANTA_DETAIL_B18 MANTA_DETAIL_B17, {}
#define MANTA_DETAIL_B19 MANTA_DETAIL_B18, {}
#define MANTA_DETAIL_B20 MANTA_DETAIL_B19, {}
#define MANTA_DETAIL_B21 MANTA_DETAIL_B20, {}
#define MANTA_DETAIL_B22 MANTA_DETAIL_B21, {}
#define MANTA_DETAIL_B23 MANTA_DETAIL_B22, {}
#define MANTA_DETAIL_B24 MANTA_DETAIL_B23, {}
#define MANTA_DETAIL_TAKES(N)                                                               \
  template <class T>                                                                        \
  struct TakesWhole<T, N, std::void_t<decltype(T{MANTA_DETAIL_B##N})>> : std::true_type {}; \
  template <class T>                                                                        \
  struct TakesMoreThan<T, N, std::void_t<decltype(T{MANTA_DETAIL_B##N, AnyField<T>{}})>>    \
      : std::true_type {};

MANTA_DETAIL_TAKES(1)
MANTA_DETAIL_TAKES(2)
MANTA_DETAIL_TAKES(3)
MANTA_DETAIL_TAKES(4)
MANTA_DETAIL_TAKES(5)
MANTA_DETAIL_TAKES(6)
MANTA_DETAIL_TAKES(7)
MANTA_DETAIL_TAKES(8)
MANTA_DETAIL_TAKES(9)
MANTA_DETAIL_TAKES(10)
MANTA_DETAIL_TAKES(11)
MANTA_DETAIL_TAKES(12)
MANTA_DETAIL_TAKES(13)
MANTA_DETAIL_TAKES(14)
MANTA_DETAIL_TAKES(15)
MANTA_DETAIL_TAKES(16)
MANTA_DETAIL_TAKES(17)
MANTA_DETAIL_TAKES(18)
MANTA_DETAIL_TAKES(19)
MANTA_DETAIL_TAKES(20)
MANTA_DETAIL_TAKES(21)
MANTA_DETAIL_TAKES(22)
MANTA_DETAIL_TAKES(23)
MANTA_DETAIL_TAKES(24)

#undef MANTA_DETAIL_TAKES
#undef MANTA_DETAIL_B1
#undef MANTA_DETAIL_B2
#undef MANTA_DETAIL_B3
#undef MANTA_DETAIL_B4
#undef MANTA_DETAIL_B5
#undef MANTA_DETAIL_B6
#undef MANTA_DETAIL_B7
#undef MANTA_DETAIL_B8
#undef MANTA_DETAIL_B9
#undef MANTA_DETAIL_B10
#undef MANTA_DETAIL_B11
#undef MANTA_DETAIL_B12
#undef MANTA_DETAIL_B13
#undef MANTA_DETAIL_B14
#undef MANTA_DETAIL_B15
#undef MANTA_DETAIL_B16
#undef MANTA_DETAIL_B17
#undef MANTA_DETAIL_B18
#undef MANTA_DETAIL_B19
#undef MANTA_DETAIL_B20
#undef MANTA_DETAIL_B21
#undef MANTA_DETAIL_B22
#undef MANTA_DETAIL_B23
#undef MANTA_DETAIL_B24

// The same as CountFields for an aggregate with large arrays, whose elements cannot be counted.
template <class T, size_t N = 0>
constexpr size_t CountWholeFields() {
  if constexpr (TakesWhole<T, N + 1>::value) {
    return CountWholeFields<T, N + 1>();
  } else {
    return N == 0 || TakesMoreThan<T, N>::value ? kNotCountable : N;
  }
}

// The number of fields of the aggregate T, or kNotCountable.
template <class T>
constexpr size_t CountFields() {
  constexpr size_t initializers = CountInitializers<T>();
  if constexpr (initializers == kNotCountable) {
    return CountWholeFields<T>();
  } else {
    return CountFieldsFrom<T, 0, initializers>();
  }
}

template <class T>
constexpr bool HasBaseClass() {
  return TakesFirst<T, AnyBase<T>>::value && !TakesFirst<T, NoField>::value;
}

template <size_t N>
using Count = std::integral_constant<size_t, N>;

// VisitFields(value, visitor, Count<N>) calls the visitor once, with all N fields as arguments.
// FieldTypes(value, Count<N>) returns the TypeList of their declared types; it is never run.
template <class T, class Visitor>
constexpr void VisitFields(T&, Visitor&& visitor, Count<0>) {
  visitor();
}
template <class T>
TypeList<> FieldTypes(T&, Count<0>);

#define MANTA_DETAIL_F1 f0
#define MANTA_DETAIL_F2 MANTA_DETAIL_F1, f1
#define MANTA_DETAIL_F3 MANTA_DETAIL_F2, f2
#define MANTA_DETAIL_F4 MANTA_DETAIL_F3, f3
#define MANTA_DETAIL_F5 MANTA_DETAIL_F4, f4
#define MANTA_DETAIL_F6 MANTA_DETAIL_F5, f5
#define MANTA_DETAIL_F7 MANTA_DETAIL_F6, f6
#define MANTA_DETAIL_F8 MANTA_DETAIL_F7, f7
#define MANTA_DETAIL_F9 MANTA_DETAIL_F8, f8
#define MANTA_DETAIL_F10 MANTA_DETAIL_F9, f9
#define MANTA_DETAIL_F11 MANTA_DETAIL_F10, f10
#define MANTA_DETAIL_F12 MANTA_DETAIL_F11, f11
#define MANTA_DETAIL_F13 MANTA_DETAIL_F12, f12
#define MANTA_DETAIL_F14 MANTA_DETAIL_F13, f13
#define MANTA_DETAIL_F15 MANTA_DETAIL_F14, f14
#define MANTA_DETAIL_F16 MANTA_DETAIL_F15, f15
#define MANTA_DETAIL_F17 MANTA_DETAIL_F16, f16
#define MANTA_DETAIL_F18 MANTA_DETAIL_F17, f17
#define MANTA_DETAIL_F19 MANTA_DETAIL_F18, f18
#define MANTA_DETAIL_F20 MANTA_DETAIL_F19, f19
#define MANTA_DETAIL_F21 MANTA_DETAIL_F20, f20
#define MANTA_DETAIL_F22 MANTA_DETAIL_F21, f21
#define MANTA_DETAIL_F23 MANTA_DETAIL_F22, f22
#define MANTA_DETAIL_F24 MANTA_DETAIL_F23, f23
#define MANTA_DETAIL_T1 decltype(f0)
#define MANTA_DETAIL_T2 MANTA_DETAIL_T1, decltype(f1)
#define MANTA_DETAIL_T3 MANTA_DETAIL_T2, decltype(f2)
#define MANTA_DETAIL_T4 MANTA_DETAIL_T3, decltype(f3)
#define MANTA_DETAIL_T5 MANTA_DETAIL_T4, decltype(f4)
#define MANTA_DETAIL_T6 MANTA_DETAIL_T5, decltype(f5)
#define MANTA_DETAIL_T7 MANTA_DETAIL_T6, decltype(f6)
#define MANTA_DETAIL_T8 MANTA_DETAIL_T7, decltype(f7)
#define MANTA_DETAIL_T9 MANTA_DETAIL_T8, decltype(f8)
#define MANTA_DETAIL_T10 MANTA_DETAIL_T9, decltype(f9)
#define MANTA_DETAIL_T11 MANTA_DETAIL_T10, decltype(f10)
#define MANTA_DETAIL_T12 MANTA_DETAIL_T11, decltype(f11)
#define MANTA_DETAIL_T13 MANTA_DETAIL_T12, decltype(f12)
#define MANTA_DETAIL_T14 MANTA_DETAIL_T13, decltype(f13)
#define MANTA_DETAIL_T15 MANTA_DETAIL_T14, decltype(f14)
#define MANTA_DETAIL_T16 MANTA_DETAIL_T15, decltype(f15)
#define MANTA_DETAIL_T17 MANTA_DETAIL_T16, decltype(f16)
#define MANTA_DETAIL_T18 MANTA_DETAIL_T17, decltype(f17)
#define MANTA_DETAIL_T19 MANTA_DETAIL_T18, decltype(f18)
#define MANTA_DETAIL_T20 MANTA_DETAIL_T19, decltype(f19)
#define MANTA_DETAIL_T21 MANTA_DETAIL_T20, decltype(f20)
#define MANTA_DETAIL_T22 MANTA_DETAIL_T21, decltype(f21)
#define MANTA_DETAIL_T23 MANTA_DETAIL_T22, decltype(f22)
#define MANTA_DETAIL_T24 MANTA_DETAIL_T23, decltype(f23)
#define MANTA_DETAIL_BIND(N)                                          \
  template <class T, class Visitor>                                   \
  constexpr void VisitFields(T& value, Visitor&& visitor, Count<N>) { \
    auto& [MANTA_DETAIL_F##N] = value;                                \
    visitor(MANTA_DETAIL_F##N);                                       \
  }                                                                   \
  template <class T>                                                  \
  auto FieldTypes(T& value, Count<N>) {                               \
    auto& [MANTA_DETAIL_F##N] = value;                                \
    return TypeList<MANTA_DETAIL_T##N>{};                             \
  }

MANTA_DETAIL_BIND(1)
MANTA_DETAIL_BIND(2)
MANTA_DETAIL_BIND(3)
MANTA_DETAIL_BIND(4)
MANTA_DETAIL_BIND(5)
MANTA_DETAIL_BIND(6)
MANTA_DETAIL_BIND(7)
MANTA_DETAIL_BIND(8)
MANTA_DETAIL_BIND(9)
MANTA_DETAIL_BIND(10)
MANTA_DETAIL_BIND(11)
MANTA_DETAIL_BIND(12)
MANTA_DETAIL_BIND(13)
MANTA_DETAIL_BIND(14)
MANTA_DETAIL_BIND(15)
MANTA_DETAIL_BIND(16)
MANTA_DETAIL_BIND(17)
MANTA_DETAIL_BIND(18)
MANTA_DETAIL_BIND(19)
MANTA_DETAIL_BIND(20)
MANTA_DETAIL_BIND(21)
MANTA_DETAIL_BIND(22)
MANTA_DETAIL_BIND(23)
MANTA_DETAIL_BIND(24)

#undef MANTA_DETAIL_BIND
#undef MANTA_DETAIL_F1
#undef MANTA_DETAIL_F2
#undef MANTA_DETAIL_F3
#undef MANTA_DETAIL_F4
#undef MANTA_DETAIL_F5
#undef MANTA_DETAIL_F6
#undef MANTA_DETAIL_F7
#undef MANTA_DETAIL_F8
#undef MANTA_DETAIL_F9
#undef MANTA_DETAIL_F10
#undef MANTA_DETAIL_F11
#undef MANTA_DETAIL_F12
#undef MANTA_DETAIL_F13
#undef MANTA_DETAIL_F14
#undef MANTA_DETAIL_F15
#undef MANTA_DETAIL_F16
#undef MANTA_DETAIL_F17
#undef MANTA_DETAIL_F18
#undef MANTA_DETAIL_F19
#undef MANTA_DETAIL_F20
#undef MANTA_DETAIL_F21
#undef MANTA_DETAIL_F22
#undef MANTA_DETAIL_F23
#undef MANTA_DETAIL_F24
#undef MANTA_DETAIL_T1
#undef MANTA_DETAIL_T2
#undef MANTA_DETAIL_T3
#undef MANTA_DETAIL_T4
#undef MANTA_DETAIL_T5
#undef MANTA_DETAIL_T6
#undef MANTA_DETAIL_T7
#undef MANTA_DETAIL_T8
#undef MANTA_DETAIL_T9
#undef MANTA_DETAIL_T10
#undef MANTA_DETAIL_T11
#undef MANTA_DETAIL_T12
#undef MANTA_DETAIL_T13
#undef MANTA_DETAIL_T14
#undef MANTA_DETAIL_T15
#undef MANTA_DETAIL_T16
#undef MANTA_DETAIL_T17
#undef MANTA_DETAIL_T18
#undef MANTA_DETAIL_T19
#undef MANTA_DETAIL_T20
#undef MANTA_DETAIL_T21
#undef MANTA_DETAIL_T22
#undef MANTA_DETAIL_T23
#undef MANTA_DETAIL_T24

template <class T, size_t N>
using FieldTypesOf = decltype(FieldTypes(std::declval<T&>(), Count<N>{}));

}  // namespace detail
}  // namespace v1
}  // namespace manta
