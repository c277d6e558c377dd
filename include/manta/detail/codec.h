// Codecs of everything that is not a class of the standard library. Included by archive.h.
#pragma once

#include "manta/archive.h"

namespace manta {
inline namespace v1 {
namespace detail {

// Sizes of encodings that stand one after the other.
template <class List>
struct Sequence;
template <class... Ts>
struct Sequence<TypeList<Ts...>> {
  static constexpr size_t PlainSize() {
    if constexpr (((Codec<Ts>::kPlainSize == kVaries) || ...)) {
      return kVaries;
    } else {
      return (size_t{0} + ... + Codec<Ts>::kPlainSize);
    }
  }
  static constexpr size_t MinSize() { return (size_t{0} + ... + Codec<Ts>::kMinSize); }
};

template <class T, Category>
struct CodecOf;

template <class T>
struct CodecOf<T, Category::kRefused> {
  static constexpr Problem kProblem = ProblemOf<T>();
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = 0;
  using Parts = TypeList<>;
};

template <class T>
struct CodecOf<T, Category::kHook> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = 0;
  using Parts = TypeList<>;

  template <class Archive>
  static void Call(Archive& archive, T& value) {
    Nesting<Archive> nesting(archive);
    if constexpr (HasMemberHook<T>::value) {
      Access::Serialize(archive, value);
    } else {
      CallFreeSerialize(archive, value);
    }
  }
  template <class Out>
  static void Write(Out& out, const T& value) {
    Call(out, const_cast<T&>(value));  // one function writes and reads: when writing, it only looks
  }
  static void Read(ReadArchive& in, T& value) { Call(in, value); }
};

template <class T>
struct CodecOf<T, Category::kBool> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = 1;
  static constexpr size_t kMinSize = 1;
  using Parts = TypeList<>;

  template <class Out>
  static void Write(Out& out, const T& value) {
    const unsigned char byte = value ? 1 : 0;
    out.Bytes(&byte, 1);
  }
  static void Read(ReadArchive& in, T& value) { value = in.Byte() != 0; }
};

template <class T>
struct CodecOf<T, Category::kBits> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = true;
  static constexpr size_t kPlainSize = sizeof(T);
  static constexpr size_t kMinSize = sizeof(T);
  using Parts = TypeList<>;

  template <class Out>
  static void Write(Out& out, const T& value) {
    out.Bytes(&value, sizeof(T));
  }
  static void Read(ReadArchive& in, T& value) { in.Bytes(static_cast<void*>(&value), sizeof(T)); }
};

template <class T>
struct CodecOf<T, Category::kEmpty> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = 0;
  static constexpr size_t kMinSize = 0;
  using Parts = TypeList<>;

  template <class Out>
  static void Write(Out&, const T&) {}
  static void Read(ReadArchive&, T&) {}
};

template <class T>
struct CodecOf<T, Category::kFields> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr size_t kFields = CountFields<T>();
  using Parts = FieldTypesOf<T, kFields>;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = Sequence<Parts>::PlainSize();
  static constexpr size_t kMinSize = Sequence<Parts>::MinSize();

  template <class Out>
  static void Write(Out& out, const T& value) {
    VisitFields(
        value, [&out](const auto&... fields) { (WriteValue(out, fields), ...); }, Count<kFields>());
  }
  static void Read(ReadArchive& in, T& value) {
    VisitFields(
        value, [&in](auto&... fields) { (ReadValue(in, fields), ...); }, Count<kFields>());
  }
};

template <class T>
struct Codec : CodecOf<T, CategoryOf<T>()> {};

template <class T>
struct Codec<const T> : CodecOf<int*, Category::kRefused> {
  static constexpr Problem kProblem = Problem::kConstMember;
};

// ---- Elements one after the other ---------------------------------------------------------------

// What stands for one element at least. An element that may be written as nothing gets a byte of
// its own, so that no input can claim more elements than it has bytes.
template <class T>
inline constexpr size_t kElementSize = Codec<T>::kMinSize == 0 ? 1 : Codec<T>::kMinSize;

template <class T, class Out>
void WriteElement(Out& out, const T& value) {
  if constexpr (Codec<T>::kMinSize == 0) {
    const unsigned char filler = 0;
    out.Bytes(&filler, 1);
  }
  Codec<T>::Write(out, value);
}

template <class T>
void ReadElement(ReadArchive& in, T& value) {
  if constexpr (Codec<T>::kMinSize == 0) in.Byte();
  Codec<T>::Read(in, value);
}

// `count` elements at `data`, a number that the reader knows.
template <class T, class Out>
void WriteArray(Out& out, const T* data, size_t count) {
  if constexpr (Codec<T>::kIsBits) {
    out.Bytes(data, count * sizeof(T));
  } else {
    for (size_t i = 0; i < count; ++i) Codec<T>::Write(out, data[i]);
  }
}

template <class T>
void ReadArray(ReadArchive& in, T* data, size_t count) {
  if constexpr (Codec<T>::kIsBits) {
    in.Bytes(static_cast<void*>(data), count * sizeof(T));
  } else {
    for (size_t i = 0; i < count; ++i) Codec<T>::Read(in, data[i]);
  }
}

template <class T, size_t N>
struct ArrayCodec {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = Codec<T>::kIsBits && N != 0;
  static constexpr size_t kPlainSize =
      Codec<T>::kPlainSize == kVaries ? kVaries : N * Codec<T>::kPlainSize;
  static constexpr size_t kMinSize = N * Codec<T>::kMinSize;
  using Parts = TypeList<T>;
};

template <class T, size_t N>
struct Codec<T[N]> : ArrayCodec<T, N> {
  template <class Out>
  static void Write(Out& out, const T (&value)[N]) {
    WriteArray(out, value, N);
  }
  static void Read(ReadArchive& in, T (&value)[N]) { ReadArray(in, value, N); }
};
template <class T, size_t N>
struct Codec<const T[N]> : Codec<const T> {};

}  // namespace detail
}  // namespace v1
}  // namespace manta
