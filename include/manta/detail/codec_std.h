// Codecs of the classes of the standard library that are not trivially copyable, or whose memory is
// not their value. Included by archive.h.
#pragma once

#include <array>
#include <bitset>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "manta/detail/codec.h"

namespace manta {
inline namespace v1 {
namespace detail {

// What most of the codecs below have in common: a size that varies, and one byte at least.
template <class... PartTypes>
struct VaryingCodec {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = 1;
  using Parts = TypeList<PartTypes...>;
};

template <Problem problem>
struct RefusedCodec : CodecOf<int*, Category::kRefused> {
  static constexpr Problem kProblem = problem;
};

// ---- Strings and vectors ------------------------------------------------------------------------

// Arrays of at least this many bytes start where their elements are aligned.
inline constexpr size_t kAlignedArraySize = 1024;

template <class T, class Out>
void WriteCountedBits(Out& out, const T* data, size_t count) {
  out.Count(count);
  if constexpr (alignof(T) > 1) {
    if (count * sizeof(T) >= kAlignedArraySize) out.Align(alignof(T));
  }
  out.Bytes(data, count * sizeof(T));
}

template <class Container>
void ReadCountedBits(ReadArchive& in, Container& value) {
  using T = typename Container::value_type;
  const size_t count = in.Count(sizeof(T));
  if constexpr (alignof(T) > 1) {
    if (count * sizeof(T) >= kAlignedArraySize) in.Align(alignof(T));
  }
  const void* data = in.Bytes(count * sizeof(T));
  if (reinterpret_cast<uintptr_t>(data) % alignof(T) == 0) {
    const T* first = static_cast<const T*>(data);
    value.assign(first, first + count);
  } else {
    value.resize(count);
    if (count != 0) std::memcpy(static_cast<void*>(value.data()), data, count * sizeof(T));
  }
}

template <class Char, class Traits, class Allocator>
struct Codec<std::basic_string<Char, Traits, Allocator>> : VaryingCodec<Char> {
  using T = std::basic_string<Char, Traits, Allocator>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    WriteCountedBits(out, value.data(), value.size());
  }
  static void Read(ReadArchive& in, T& value) { ReadCountedBits(in, value); }
};

template <class Char, class Traits>
struct Codec<std::basic_string_view<Char, Traits>> : RefusedCodec<Problem::kView> {};

// Reads one more element into the back of a container.
template <class Container>
void ReadAppended(ReadArchive& in, Container& to) {
  using Element = typename Container::value_type;
  if constexpr (std::is_default_constructible_v<Element>) {
    ReadElement(in, to.emplace_back());
  } else {
    ReadElement(in, to.emplace_back(Access::Default<Element>()));
  }
}

template <class Element, class Allocator>
struct Codec<std::vector<Element, Allocator>> : VaryingCodec<Element> {
  using T = std::vector<Element, Allocator>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    if constexpr (std::is_same_v<Element, bool>) {
      out.Count(value.size());
      for (const bool element : value) WriteElement(out, element);
    } else if constexpr (Codec<Element>::kIsBits) {
      WriteCountedBits(out, value.data(), value.size());
    } else {
      Nesting<Out> nesting(out);
      out.Count(value.size());
      for (const Element& element : value) WriteElement(out, element);
    }
  }
  static void Read(ReadArchive& in, T& value) {
    if constexpr (std::is_same_v<Element, bool>) {
      value.resize(in.Count(1));
      for (auto element : value) element = in.Byte() != 0;
    } else if constexpr (Codec<Element>::kIsBits) {
      ReadCountedBits(in, value);
    } else {
      Nesting<ReadArchive> nesting(in);
      const size_t count = in.Count(kElementSize<Element>);
      value.clear();
      // Elements may take more memory than bytes: what the bytes cannot vouch for is not reserved.
      const size_t vouched = 16 + in.remaining() * 4 / sizeof(Element);
      value.reserve(count < vouched ? count : vouched);
      for (size_t i = 0; i < count; ++i) ReadAppended(in, value);
    }
  }
};

// ---- Other containers ---------------------------------------------------------------------------

template <class Container>
struct SequenceCodec : VaryingCodec<typename Container::value_type> {
  using Element = typename Container::value_type;
  template <class Out>
  static void Write(Out& out, const Container& value) {
    Nesting<Out> nesting(out);
    out.Count(value.size());
    for (const Element& element : value) WriteElement(out, element);
  }
  static void Read(ReadArchive& in, Container& value) {
    Nesting<ReadArchive> nesting(in);
    const size_t count = in.Count(kElementSize<Element>);
    value.clear();
    for (size_t i = 0; i < count; ++i) ReadAppended(in, value);
  }
};

template <class Element, class Allocator>
struct Codec<std::deque<Element, Allocator>> : SequenceCodec<std::deque<Element, Allocator>> {};
template <class Element, class Allocator>
struct Codec<std::list<Element, Allocator>> : SequenceCodec<std::list<Element, Allocator>> {};

// Sets and maps. Keys are const inside of them, so each element is read into a Key (and a Value) of
// its own and then moved in.
template <class Container>
struct SetCodec : VaryingCodec<typename Container::key_type> {
  using Key = typename Container::key_type;
  template <class Out>
  static void Write(Out& out, const Container& value) {
    Nesting<Out> nesting(out);
    out.Count(value.size());
    for (const Key& key : value) WriteElement(out, key);
  }
  static void Read(ReadArchive& in, Container& value) {
    Nesting<ReadArchive> nesting(in);
    const size_t count = in.Count(kElementSize<Key>);
    value.clear();
    for (size_t i = 0; i < count; ++i) {
      Access::Slot<Key> key;
      ReadElement(in, key.value);
      value.emplace_hint(value.end(), std::move(key.value));
    }
  }
};

template <class Container>
struct MapCodec : VaryingCodec<typename Container::key_type, typename Container::mapped_type> {
  using Key = typename Container::key_type;
  using Mapped = typename Container::mapped_type;
  template <class Out>
  static void Write(Out& out, const Container& value) {
    Nesting<Out> nesting(out);
    out.Count(value.size());
    for (const auto& [key, mapped] : value) {
      WriteElement(out, key);
      WriteValue(out, mapped);
    }
  }
  static void Read(ReadArchive& in, Container& value) {
    Nesting<ReadArchive> nesting(in);
    const size_t count = in.Count(kElementSize<Key> + Codec<Mapped>::kMinSize);
    value.clear();
    for (size_t i = 0; i < count; ++i) {
      Access::Slot<Key> key;
      ReadElement(in, key.value);
      Access::Slot<Mapped> mapped;
      ReadValue(in, mapped.value);
      value.emplace_hint(value.end(), std::move(key.value), std::move(mapped.value));
    }
  }
};

template <class... Ts>
struct Codec<std::set<Ts...>> : SetCodec<std::set<Ts...>> {};
template <class... Ts>
struct Codec<std::multiset<Ts...>> : SetCodec<std::multiset<Ts...>> {};
template <class... Ts>
struct Codec<std::unordered_set<Ts...>> : SetCodec<std::unordered_set<Ts...>> {};
template <class... Ts>
struct Codec<std::unordered_multiset<Ts...>> : SetCodec<std::unordered_multiset<Ts...>> {};
template <class... Ts>
struct Codec<std::map<Ts...>> : MapCodec<std::map<Ts...>> {};
template <class... Ts>
struct Codec<std::multimap<Ts...>> : MapCodec<std::multimap<Ts...>> {};
template <class... Ts>
struct Codec<std::unordered_map<Ts...>> : MapCodec<std::unordered_map<Ts...>> {};
template <class... Ts>
struct Codec<std::unordered_multimap<Ts...>> : MapCodec<std::unordered_multimap<Ts...>> {};

// ---- Fixed numbers of elements ------------------------------------------------------------------

template <class Element, size_t N>
struct Codec<std::array<Element, N>> : ArrayCodec<Element, N> {
  using T = std::array<Element, N>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    WriteArray(out, value.data(), N);
  }
  static void Read(ReadArchive& in, T& value) { ReadArray(in, value.data(), N); }
};

template <class... Ts>
struct TupleCodec {
  using Parts = TypeList<Ts...>;
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = Sequence<Parts>::PlainSize();
  static constexpr size_t kMinSize = Sequence<Parts>::MinSize();
};

template <class First, class Second>
struct Codec<std::pair<First, Second>> : TupleCodec<First, Second> {
  using T = std::pair<First, Second>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    WriteValue(out, value.first);
    WriteValue(out, value.second);
  }
  static void Read(ReadArchive& in, T& value) {
    ReadValue(in, value.first);
    ReadValue(in, value.second);
  }
};

template <class... Ts>
struct Codec<std::tuple<Ts...>> : TupleCodec<Ts...> {
  using T = std::tuple<Ts...>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    std::apply([&out](const auto&... parts) { (WriteValue(out, parts), ...); }, value);
  }
  static void Read(ReadArchive& in, T& value) {
    std::apply([&in](auto&... parts) { (ReadValue(in, parts), ...); }, value);
  }
};

template <size_t N>
struct Codec<std::bitset<N>> : CodecOf<std::bitset<N>, Category::kBits> {
  static constexpr bool kIsBits = false;
  static void Read(ReadArchive& in, std::bitset<N>& value) {
    in.Bytes(static_cast<void*>(&value), sizeof(value));
    value &= ~std::bitset<N>();  // clears what stands behind the last bit
  }
};

// ---- Values that may be absent ------------------------------------------------------------------

template <class Value>
struct Codec<std::optional<Value>> : VaryingCodec<Value> {
  using T = std::optional<Value>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    Nesting<Out> nesting(out);
    WriteValue(out, value.has_value());
    if (value) WriteValue(out, *value);
  }
  static void Read(ReadArchive& in, T& value) {
    Nesting<ReadArchive> nesting(in);
    if (in.Byte() == 0) {
      value.reset();
    } else {
      if constexpr (std::is_default_constructible_v<Value>) {
        value.emplace();
      } else {
        value.emplace(Access::Default<Value>());
      }
      ReadValue(in, *value);
    }
  }
};

template <class... Ts>
struct Codec<std::variant<Ts...>> : VaryingCodec<Ts...> {
  static_assert(sizeof...(Ts) < 255, "manta: a variant of more than 254 types");
  using T = std::variant<Ts...>;
  template <class Out>
  static void Write(Out& out, const T& value) {
    if (value.valueless_by_exception()) {
      throw SerializationError("a std::variant without a value cannot be written");
    }
    Nesting<Out> nesting(out);
    WriteValue(out, static_cast<uint8_t>(value.index()));
    std::visit([&out](const auto& held) { WriteValue(out, held); }, value);
  }
  static void Read(ReadArchive& in, T& value) {
    Nesting<ReadArchive> nesting(in);
    ReadAlternative(in, value, in.Byte(), std::index_sequence_for<Ts...>());
  }

 private:
  template <size_t... Index>
  static void ReadAlternative(ReadArchive& in, T& value, uint8_t index,
                              std::index_sequence<Index...>) {
    const bool found = ((index == Index && ReadAs<Index>(in, value)) || ...);
    if (!found) ReadArchive::ThrowInvalid("a std::variant has no alternative of that number");
  }
  template <size_t Index>
  static bool ReadAs(ReadArchive& in, T& value) {
    using Held = std::variant_alternative_t<Index, T>;
    if constexpr (std::is_default_constructible_v<Held>) {
      ReadValue(in, value.template emplace<Index>());
    } else {
      ReadValue(in, value.template emplace<Index>(Access::Default<Held>()));
    }
    return true;
  }
};

// What an object owns by pointer: copied with it, or absent. Two shared pointers to one value
// become two values.
template <class Pointer, class Value>
struct PointerCodec : VaryingCodec<std::remove_const_t<Value>> {
  static constexpr Problem kProblem = std::is_array_v<Value>  ? Problem::kArrayPointer
                                      : std::is_void_v<Value> ? Problem::kPointer
                                      : std::is_polymorphic_v<Value> && !std::is_final_v<Value>
                                          ? Problem::kPolymorphicPointer
                                          : Problem::kNone;
  using Stored = std::remove_const_t<Value>;
  template <class Out>
  static void Write(Out& out, const Pointer& value) {
    Nesting<Out> nesting(out);
    WriteValue(out, value != nullptr);
    if (value != nullptr) Codec<Stored>::Write(out, *value);
  }
  static void Read(ReadArchive& in, Pointer& value) {
    Nesting<ReadArchive> nesting(in);
    value.reset();
    if (in.Byte() == 0) return;
    std::unique_ptr<Stored> stored(new Stored(Access::Default<Stored>()));
    ReadValue(in, *stored);
    value = std::move(stored);
  }
};

template <class Value>
struct Codec<std::unique_ptr<Value>> : PointerCodec<std::unique_ptr<Value>, Value> {};
template <class Value>
struct Codec<std::shared_ptr<Value>> : PointerCodec<std::shared_ptr<Value>, Value> {};

}  // namespace detail
}  // namespace v1
}  // namespace manta
