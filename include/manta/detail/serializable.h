// Which types can travel to another process, how each is written, and what is said about one that
// cannot.
#pragma once

#include <array>
#include <chrono>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

#include "manta/detail/aggregate.h"
#include "manta/detail/type_list.h"

namespace manta {
inline namespace v1 {

class SizeArchive;
class WriteArchive;
class ReadArchive;

// The one who may call private hooks. MANTA_DEFINE befriends it; a class that writes its own
// private Serialize or has a private default constructor does so with `friend struct
// manta::Access;`.
struct Access {
  template <class Archive, class T>
  static auto Serialize(Archive& archive, T& value) -> decltype(value.Serialize(archive)) {
    return value.Serialize(archive);
  }
  template <class T>
  static auto Default() -> decltype(T()) {
    return T();
  }
  // A value that starts default-constructed, in place.
  template <class T>
  struct Slot {
    T value = T();
  };
  template <class T, class Archive>
  static auto SerializePointer() -> decltype(&T::template Serialize<Archive>) {
    return &T::template Serialize<Archive>;
  }
};

// Says of a trivially copyable class or union whose members cannot be looked at that its memory is all there is to its value: no
// pointers. It travels as it stands then:
//
//   template <>
//   struct manta::TravelsAsBytes<Header> : std::true_type {};
template <class T>
struct TravelsAsBytes : std::false_type {};

namespace detail {

// Writes and reads values of T. What each specialisation has:
//   kProblem      why T itself cannot travel, or kNone
//   Parts         the types inside that have to travel too
//   kIsBits       whether the encoding is the memory of the value, so that many are copied at once
//   kPlainSize    the size of every encoding, if it has one size and holds no references, or
//   kVaries kMinSize      no encoding is smaller Write(out, const T&)        for SizeArchive,
//   WriteArchive and RawWriter Read(ReadArchive&, T&)      into a default-constructed or used value
template <class T>
struct Codec;

inline constexpr size_t kVaries = static_cast<size_t>(-1);

enum class Problem {
  kNone,
  kPointer,
  kPolymorphicPointer,
  kArrayPointer,
  kReference,
  kView,
  kIterator,
  kCoroutine,
  kUnknownClass,
  kUnion,
  kBaseClass,
  kTooManyFields,
  kInheritedHook,
  kConstMember,
  kNoDefaultConstructor,
};

// ---- Hooks --------------------------------------------------------------------------------------

// Not in Access: a member named Serialize would hide the free functions that this is to find.
template <class Archive, class T>
auto CallFreeSerialize(Archive& archive, T& value) -> decltype(Serialize(archive, value)) {
  return Serialize(archive, value);
}

template <class T, class = void>
struct HasMemberHook : std::false_type {};
template <class T>
struct HasMemberHook<
    T, std::void_t<decltype(Access::Serialize(std::declval<SizeArchive&>(), std::declval<T&>()))>>
    : std::is_class<T> {};

template <class T, class = void>
struct HasFreeHook : std::false_type {};
template <class T>
struct HasFreeHook<
    T, std::void_t<decltype(CallFreeSerialize(std::declval<SizeArchive&>(), std::declval<T&>()))>>
    : std::true_type {};

template <class Pointer>
struct ClassOfMember;
template <class Member, class Class>
struct ClassOfMember<Member Class::*> {
  using Type = Class;
};

// The bytes of T that its members fill: without the padding at its end, where a derived class may
// put members of its own.
template <class T, size_t N>
struct Tail : T {
  char bytes[N];
};
template <class T, size_t padding = 0>
constexpr size_t DataSize() {
  if constexpr (std::is_final_v<T>) {
    return sizeof(T);
  } else if constexpr (sizeof(Tail<T, padding + 1>) > sizeof(T)) {
    return sizeof(T) - padding;
  } else {
    return DataSize<T, padding + 1>();
  }
}

// Whether the hook of T is one of a base class, which does not know the members that T adds.
template <class T, class = void>
struct HookMissesMembers : std::false_type {};
template <class T>
struct HookMissesMembers<T, std::void_t<decltype(Access::SerializePointer<T, SizeArchive>())>> {
  using Declared =
      typename ClassOfMember<decltype(Access::SerializePointer<T, SizeArchive>())>::Type;
  static constexpr bool Misses() {
    if constexpr (std::is_same_v<Declared, T>) {
      return false;
    } else {
      return DataSize<T>() > DataSize<Declared>();
    }
  }
  static constexpr bool value = Misses();
};

template <class T, class = void>
struct IsDefaultConstructible : std::is_default_constructible<T> {};
template <class T>
struct IsDefaultConstructible<
    T, std::enable_if_t<std::is_class_v<T>, std::void_t<decltype(Access::Default<T>())>>>
    : std::true_type {};

// ---- Trivially copyable classes that only look at what others own -------------------------------

template <class T, class = void>
struct HasRemovePrefix : std::false_type {};
template <class T>
struct HasRemovePrefix<T, std::void_t<decltype(std::declval<T&>().remove_prefix(1))>>
    : std::true_type {};

template <class T, class = void>
struct HasSubspan : std::false_type {};
template <class T>
struct HasSubspan<T, std::void_t<decltype(std::declval<const T&>().subspan(0, 0))>>
    : std::true_type {};

// A const object that hands out its elements for writing does not own them.
template <class T, class = void>
struct HasShallowData : std::false_type {};
template <class T>
struct HasShallowData<T, std::void_t<decltype(std::declval<const T&>().data())>> {
  using Data = decltype(std::declval<const T&>().data());
  static constexpr bool value =
      std::is_pointer_v<Data> && !std::is_const_v<std::remove_pointer_t<Data>>;
};

template <class T, class = void>
struct IsReferenceWrapper : std::false_type {};
template <class T>
struct IsReferenceWrapper<
    T,
    std::enable_if_t<std::is_same_v<decltype(std::declval<const T&>().get()), typename T::type&> &&
                     std::is_convertible_v<const T&, typename T::type&>>> : std::true_type {};

template <class T, class = void>
struct IsIterator : std::false_type {};
template <class T>
struct IsIterator<T, std::void_t<typename std::iterator_traits<T>::iterator_category>>
    : std::true_type {};

template <class T>
constexpr bool IsView() {
  return HasRemovePrefix<T>::value || HasSubspan<T>::value || HasShallowData<T>::value;
}

// ---- Classes of the standard library that hide nothing but numbers -------------------------------

// std::complex has no declaration that costs little to include: known by what it has.
template <class T, class = void>
struct IsNumbersOfStandard : std::false_type {};
template <class T>
struct IsNumbersOfStandard<T, std::void_t<decltype(std::declval<T&>().imag(
                                  std::declval<typename T::value_type>()))>>
    : std::bool_constant<std::is_arithmetic_v<typename T::value_type> &&
                         std::is_trivially_copyable_v<T> &&
                         sizeof(T) == 2 * sizeof(typename T::value_type)> {};
template <class Rep, class Period>
struct IsNumbersOfStandard<std::chrono::duration<Rep, Period>> : std::is_arithmetic<Rep> {};
template <class Clock, class Duration>
struct IsNumbersOfStandard<std::chrono::time_point<Clock, Duration>>
    : IsNumbersOfStandard<Duration> {};

// ---- Categories ---------------------------------------------------------------------------------

enum class Category {
  kHook,     // its author says what to write
  kBool,     // one byte
  kBits,     // its memory
  kEmpty,    // nothing
  kFields,   // an aggregate, field by field
  kRefused,  // see ProblemOf
};

template <class T>
constexpr bool IsTriviallyCopyable() {
  return std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T>;
}

// Whether the memory of a T that cannot be looked into may stand for its value. A class that cannot
// be assigned probably holds a reference or is a closure that may hold one.
template <class T>
constexpr bool IsTrustedAsBits() {
  return IsTriviallyCopyable<T>() && std::is_copy_assignable_v<T>;
}

// Whether a field of this type may be copied as memory, together with its neighbours.
template <class T>
constexpr bool FieldIsBits();

template <class T>
struct AllFieldsAreBits;
template <class... Fields>
struct AllFieldsAreBits<TypeList<Fields...>> {
  static constexpr bool value = (FieldIsBits<Fields>() && ...);
};

// Converts to what may be copied as memory.
template <class T>
struct AnyBits {
  template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && FieldIsBits<U>()>>
  operator U() const noexcept;
};
template <class T, size_t>
using AnyBitsAt = AnyBits<T>;
template <class T, class Before, class = void>
struct TakesBits : std::false_type {};
template <class T, size_t... Before>
struct TakesBits<T, std::index_sequence<Before...>,
                 std::void_t<decltype(T{AnyBitsAt<T, Before>{}...})>> : std::true_type {};

// Fields that cannot be named can still be tried: whether each may be something that is no pointer.
// Of a union among them the first member speaks for all.
template <class T>
constexpr bool InitializersAreBits() {
  constexpr size_t count = CountInitializers<T>();
  if constexpr (count == kNotCountable) {
    return false;
  } else {
    return TakesBits<T, std::make_index_sequence<count>>::value;
  }
}

template <class T>
constexpr bool CanBeTakenApart() {
  return !HasBaseClass<T>() && CountFields<T>() <= kMaxFields;
}

template <class T>
constexpr Category CategoryOfAggregate() {
  if constexpr (CanBeTakenApart<T>()) {
    if constexpr (IsTriviallyCopyable<T>()) {
      return AllFieldsAreBits<FieldTypesOf<T, CountFields<T>()>>::value ? Category::kBits
                                                                        : Category::kFields;
    } else {
      return Category::kFields;
    }
  } else if constexpr (IsTrustedAsBits<T>()) {
    return InitializersAreBits<T>() ? Category::kBits : Category::kRefused;
  } else {
    return Category::kRefused;
  }
}

template <class T>
constexpr Category CategoryOf() {
  if constexpr (HasMemberHook<T>::value) {
    return HookMissesMembers<T>::value ? Category::kRefused : Category::kHook;
  } else if constexpr (HasFreeHook<T>::value) {
    return Category::kHook;
  } else if constexpr (TravelsAsBytes<T>::value) {
    static_assert(IsTriviallyCopyable<T>(), "manta: TravelsAsBytes is for trivially copyable types");
    return Category::kBits;
  } else if constexpr (std::is_same_v<T, bool>) {
    return Category::kBool;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return Category::kBits;
  } else if constexpr (std::is_union_v<T>) {
    return Category::kRefused;
  } else if constexpr (!std::is_class_v<T> || std::is_polymorphic_v<T>) {
    return Category::kRefused;
  } else if constexpr (std::is_empty_v<T> && IsTriviallyCopyable<T>()) {
    return Category::kEmpty;
  } else if constexpr (std::is_aggregate_v<T>) {
    return CategoryOfAggregate<T>();
  } else {
    // A class with constructors hides its members: among them may be a pointer.
    return IsNumbersOfStandard<T>::value ? Category::kBits : Category::kRefused;
  }
}

// Why CategoryOf<T>() is kRefused.
template <class T>
constexpr Problem ProblemOf() {
  if constexpr (HasMemberHook<T>::value) {
    return Problem::kInheritedHook;
  } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                       std::is_null_pointer_v<T>) {
    return Problem::kPointer;
  } else if constexpr (std::is_reference_v<T>) {
    return Problem::kReference;
  } else if constexpr (std::is_union_v<T>) {
    return Problem::kUnion;
  } else if constexpr (!std::is_class_v<T> || std::is_polymorphic_v<T>) {
    return Problem::kUnknownClass;
  } else if constexpr (IsView<T>()) {
    return Problem::kView;
  } else if constexpr (IsReferenceWrapper<T>::value) {
    return Problem::kReference;
  } else if constexpr (IsIterator<T>::value) {
    return Problem::kIterator;
  } else if constexpr (std::is_aggregate_v<T>) {
    return HasBaseClass<T>() ? Problem::kBaseClass : Problem::kTooManyFields;
  } else {
    return Problem::kUnknownClass;
  }
}

template <class T>
constexpr bool FieldIsBits() {
  using Element = std::remove_cv_t<std::remove_all_extents_t<T>>;
  if constexpr (std::is_pointer_v<Element> || std::is_reference_v<Element>) {
    return false;
  } else if constexpr (std::is_same_v<Element, bool>) {
    return true;
  } else if constexpr (Codec<Element>::kProblem != Problem::kNone) {
    return false;
  } else if constexpr (Codec<Element>::kIsBits || !std::is_empty_v<Element>) {
    return Codec<Element>::kIsBits;  // of arrays and the like only their codecs know
  } else {
    return CategoryOf<Element>() == Category::kEmpty;
  }
}

// ---- Verdict ------------------------------------------------------------------------------------

// The first problem found in a type, and the type inside it that has it.
template <Problem problem, class CulpritType>
struct Diagnosis {
  static constexpr Problem kProblem = problem;
  using Culprit = CulpritType;
};
using Healthy = Diagnosis<Problem::kNone, void>;

template <class T, class... Seen>
constexpr auto Diagnose();

template <class... Seen>
constexpr auto DiagnoseParts(TypeList<>) {
  return Healthy{};
}
template <class... Seen, class First, class... Rest>
constexpr auto DiagnoseParts(TypeList<First, Rest...>) {
  using Found = decltype(Diagnose<First, Seen...>());
  if constexpr (Found::kProblem != Problem::kNone) {
    return Found{};
  } else {
    return DiagnoseParts<Seen...>(TypeList<Rest...>{});
  }
}

// `Seen` are the types that this one was found in: a tree holds a vector of trees.
template <class T, class... Seen>
constexpr auto Diagnose() {
  if constexpr ((std::is_same_v<T, Seen> || ...)) {
    return Healthy{};
  } else if constexpr (Codec<T>::kProblem != Problem::kNone) {
    return Diagnosis<Codec<T>::kProblem, T>{};
  } else {
    using Found = decltype(DiagnoseParts<T, Seen...>(typename Codec<T>::Parts{}));
    if constexpr (Found::kProblem != Problem::kNone) {
      return Found{};
    } else if constexpr (!IsDefaultConstructible<T>::value) {
      return Diagnosis<Problem::kNoDefaultConstructor, T>{};
    } else {
      return Healthy{};
    }
  }
}

template <class T>
using DiagnosisOf = decltype(Diagnose<T>());

template <class T>
inline constexpr bool kCanTravel = DiagnosisOf<T>::kProblem == Problem::kNone;

// Fails to compile, with one message. The compiler's note names the culprit and the type that it is
// part of.
template <Problem problem, class Culprit, class PartOf>
constexpr void Refuse() {
  static_assert(problem != Problem::kPointer,
                "manta: a pointer means nothing in another process. Send the value itself (or a "
                "std::unique_ptr or std::shared_ptr, which are copied with what they point at), a "
                "std::string instead of a char*, or an ObjectRef.");
  static_assert(
      problem != Problem::kPolymorphicPointer,
      "manta: a smart pointer to a class with virtual functions would lose what derived "
      "classes add. Send a std::variant of the derived classes, or mark the class final.");
  static_assert(
      problem != Problem::kArrayPointer,
      "manta: a smart pointer to an array does not know its size. Send a std::vector or a "
      "manta::Array.");
  static_assert(problem != Problem::kReference,
                "manta: a reference means nothing in another process. Hold the value itself, or an "
                "ObjectRef.");
  static_assert(problem != Problem::kView,
                "manta: a view (string_view, span, ...) only looks at what others own, which does "
                "not travel with it. Send a std::string, a std::vector or a manta::Array.");
  static_assert(problem != Problem::kIterator,
                "manta: an iterator means nothing in another process. Send the elements, or an "
                "index.");
  static_assert(problem != Problem::kCoroutine,
                "manta: a coroutine cannot travel, so tasks and methods cannot be coroutines. Write "
                "a function that returns manta::RunCoroutine(...) of it.");
  static_assert(problem != Problem::kUnknownClass,
                "manta: this type cannot be sent to another process, for Manta does not know its "
                "members. Make it an aggregate (public members, no constructors), or write "
                "MANTA_DEFINE(member, ...) inside of the class, or give it a function template "
                "Serialize(Archive&); or, if it is trivially copyable without pointers, specialize "
                "manta::TravelsAsBytes for it.");
  static_assert(problem != Problem::kUnion,
                "manta: which member of a union counts cannot be seen. Send a std::variant, or, if "
                "no member is a pointer, specialize manta::TravelsAsBytes for it.");
  static_assert(problem != Problem::kBaseClass,
                "manta: an aggregate with a base class cannot be taken apart. Write "
                "MANTA_DEFINE(member, ...) inside of it, with the members of the base, or make the "
                "base a member; or, if it is trivially copyable without pointers, specialize "
                "manta::TravelsAsBytes for it.");
  static_assert(problem != Problem::kTooManyFields,
                "manta: this aggregate has more than 24 fields, or fields that cannot be counted or "
                "looked at (references, pointers in arrays, ...). Write MANTA_DEFINE(member, ...) "
                "inside of it; or, if it is trivially copyable without pointers, specialize manta::TravelsAsBytes "
                "for it.");
  static_assert(problem != Problem::kInheritedHook,
                "manta: this class inherits Serialize from a base class and adds members that it "
                "does not know. Write MANTA_DEFINE(member, ...) in the derived class, with the "
                "members of the base.");
  static_assert(problem != Problem::kConstMember,
                "manta: a const member cannot be read back. Remove the const, or give the class a "
                "function template Serialize(Archive&).");
  static_assert(problem != Problem::kNoDefaultConstructor,
                "manta: reading a value starts from a default-constructed one. Give this class a "
                "default constructor (it may be private, with `friend struct manta::Access;`).");
}

// Fails to compile if T cannot travel, with one message that says why and what to do.
template <class T>
constexpr void CheckTravels() {
  using Found = DiagnosisOf<T>;
  Refuse<Found::kProblem, typename Found::Culprit, T>();
}

}  // namespace detail
}  // namespace v1
}  // namespace manta
