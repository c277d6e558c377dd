// How values become bytes and back.
//
// What can travel without any help: numbers, enums, std::string and the containers, std::optional,
// variant, pair, tuple, array, unique_ptr, shared_ptr, durations and time points, complex, bitset,
// trivially copyable classes with private members, and aggregates of all these, at any depth; also
// ObjectRef, ActorHandle and Array. Other classes with private members say what to write:
//
//   class Account {
//    public:
//     MANTA_DEFINE(owner_, balance_)
//    ...
//   };
//
// or, with full control (the same function writes and reads; `Archive::kReading` tells which):
//
//   template <class Archive>
//   void Serialize(Archive& archive) { archive(owner_, balance_); }
//
// or, for a class of someone else, beside it in its namespace:
//
//   template <class Archive>
//   void Serialize(Archive& archive, Account& account) { archive(account.owner, account.balance); }
//
// or, for a union or another trivially copyable type without pointers:
//
//   template <>
//   struct manta::TravelsAsBytes<Number> : std::true_type {};
//
// What does not travel (pointers, views, ...) is refused at compile time, with a message that says
// what to do instead. Two things cannot be seen there: pointers inside of trivially copyable
// classes with private members, and what a lambda captured.
//
// The format: little-endian, without gaps except before Array data. A count is one byte below 255,
// else 255 and eight bytes. It is the same for all C++ standards and both string ABIs, but not made
// to be kept: reader and writer are built from the same source.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "manta/detail/ref_list.h"
#include "manta/detail/serializable.h"
#include "manta/errors.h"
#include "manta/manta_c.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "manta runs on little-endian machines");

// Inside of a class: its members, in the order in which they travel. May stand in a private
// section.
#define MANTA_DEFINE(...)                 \
  friend struct ::manta::Access;          \
  template <class MantaArchive>           \
  void Serialize(MantaArchive& archive) { \
    archive(__VA_ARGS__);                 \
  }

// For programs that were written for Ray.
#ifndef MSGPACK_DEFINE
#define MSGPACK_DEFINE MANTA_DEFINE
#endif

namespace manta {
inline namespace v1 {

// Values nested deeper are refused, when written and when read: they would overrun the stack.
inline constexpr int kMaxNesting = 1000;

namespace detail {

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowTooDeep() {
  throw SerializationError(
      "the value is nested deeper than 1000 levels (a long linked list, or a cycle of shared "
      "pointers): send its elements in a std::vector");
}

template <class Archive>
class Nesting {
 public:
  explicit Nesting(Archive& archive) : depth_(archive.depth_) {
    if (++depth_ > kMaxNesting) ThrowTooDeep();
  }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  int& depth_;
};

}  // namespace detail

// The first pass: counts the bytes and collects the references inside of a value. What it collects
// stays valid as long as the value.
class SizeArchive {
 public:
  static constexpr bool kReading = false;

  // `position`: how many bytes stand in front of what is counted.
  explicit SizeArchive(detail::RefList* references = nullptr, size_t position = 0)
      : size_(position), references_(references) {}

  template <class... Ts>
  void operator()(const Ts&... values) {
    (detail::Codec<Ts>::Write(*this, values), ...);
  }

  // Including `position`.
  size_t size() const { return size_; }

  // For codecs.
  void Bytes(const void*, size_t size) { size_ += size; }
  void Count(size_t count) { size_ += count < 255 ? 1 : 9; }
  void Align(size_t alignment) { size_ = (size_ + alignment - 1) & ~(alignment - 1); }
  void Reference(manta_ref* reference) {
    size_ += sizeof(manta_object_id);
    if (references_ != nullptr && reference != nullptr) references_->Add(reference);
  }
  void Actor(manta_actor* actor) {
    size_ += sizeof(manta_actor_id);
    if (references_ == nullptr || actor == nullptr) return;
    if (manta_ref* life = manta_actor_lifetime(actor)) references_->Add(life);
  }

 private:
  friend class detail::Nesting<SizeArchive>;
  size_t size_;
  detail::RefList* references_;
  int depth_ = 0;
};

// The second pass: writes into memory of the size that the first found. Throws SerializationError
// when a value has grown in between.
class WriteArchive {
 public:
  static constexpr bool kReading = false;

  WriteArchive(void* data, size_t size)
      : start_(static_cast<unsigned char*>(data)), next_(start_), end_(start_ + size) {}

  template <class... Ts>
  void operator()(const Ts&... values) {
    (detail::Codec<Ts>::Write(*this, values), ...);
  }

  size_t position() const { return static_cast<size_t>(next_ - start_); }

  // Throws unless all of the memory has been written.
  void ExpectEnd() const {
    if (next_ != end_) ThrowChanged();
  }

  // For codecs.
  void Bytes(const void* data, size_t size) {
    unsigned char* to = Take(size);
    if (size != 0) std::memcpy(to, data, size);
  }
  void Count(size_t count) {
    if (count < 255) {
      *Take(1) = static_cast<unsigned char>(count);
    } else {
      *Take(1) = 255;
      const uint64_t wide = count;
      Bytes(&wide, sizeof(wide));
    }
  }
  void Align(size_t alignment) {
    const size_t padding = (alignment - position() % alignment) % alignment;
    unsigned char* to = Take(padding);
    if (padding != 0) std::memset(to, 0, padding);
  }
  void Reference(manta_ref* reference) {
    manta_object_id id = {};
    if (reference != nullptr) manta_ref_id(reference, &id);
    Bytes(&id, sizeof(id));
  }
  void Actor(manta_actor* actor) {
    manta_actor_id id = {};
    if (actor != nullptr) manta_actor_get_id(actor, &id);
    Bytes(&id, sizeof(id));
  }

 private:
  friend class detail::Nesting<WriteArchive>;

  unsigned char* Take(size_t size) {
    if (__builtin_expect(size > static_cast<size_t>(end_ - next_), 0)) ThrowChanged();
    unsigned char* taken = next_;
    next_ += size;
    return taken;
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void ThrowChanged() {
    throw SerializationError(
        "a value changed while it was written: another thread touches it, or its Serialize does "
        "not write the same each time");
  }

  unsigned char* start_;
  unsigned char* next_;
  unsigned char* end_;
  int depth_ = 0;
};

// Reads what the two others wrote. Bytes that are not such a value make it throw
// SerializationError; it never reads beyond the end, and allocates in proportion to the bytes that
// are there.
class ReadArchive {
 public:
  static constexpr bool kReading = true;

  // Who keeps the bytes alive, for values that are read in place (Array): an object that the reader
  // holds, or a dependency of a running call, or nobody.
  struct Owner {
    manta_ref* reference = nullptr;
    manta_call* call = nullptr;
    uint32_t dependency = 0;  // its number, with `call`
  };

  // `runtime` is needed for references inside of the value only.
  ReadArchive(const void* data, size_t size, manta_runtime* runtime = nullptr)
      : ReadArchive(data, size, runtime, Owner()) {}
  ReadArchive(const void* data, size_t size, manta_runtime* runtime, const Owner& owner)
      : start_(static_cast<const unsigned char*>(data)),
        next_(start_),
        end_(start_ + size),
        runtime_(runtime),
        owner_(owner) {}

  template <class... Ts>
  void operator()(Ts&... values) {
    (detail::Codec<Ts>::Read(*this, values), ...);
  }

  size_t remaining() const { return static_cast<size_t>(end_ - next_); }

  // Throws when bytes are left: then the object is of another type.
  void ExpectEnd() const {
    if (next_ != end_) ThrowLeftOver();
  }

  // For codecs.
  const void* Bytes(size_t size) {
    if (__builtin_expect(size > remaining(), 0)) ThrowTruncated(size);
    const unsigned char* taken = next_;
    next_ += size;
    return taken;
  }
  void Bytes(void* to, size_t size) {
    const void* from = Bytes(size);
    if (size != 0) std::memcpy(to, from, size);
  }
  uint8_t Byte() { return *static_cast<const uint8_t*>(Bytes(1)); }
  // The number of elements that follow, each of at least `element_size` bytes.
  size_t Count(size_t element_size) {
    uint64_t count = Byte();
    if (count == 255) Bytes(&count, sizeof(count));
    if (__builtin_expect(count > remaining() / (element_size == 0 ? 1 : element_size), 0)) {
      ThrowCount(count);
    }
    return static_cast<size_t>(count);
  }
  void Align(size_t alignment) {
    const size_t position = static_cast<size_t>(next_ - start_);
    Bytes((alignment - position % alignment) % alignment);
  }
  manta_ref* Reference() {
    manta_object_id id;
    Bytes(&id, sizeof(id));
    return id.owner == 0 ? nullptr : manta_ref_import(Runtime(), &id);
  }
  manta_actor* Actor() {
    manta_actor_id id;
    Bytes(&id, sizeof(id));
    return id.creator == 0 && id.serial == 0 ? nullptr : manta_actor_import(Runtime(), &id);
  }
  // A reference, which the caller releases, to the object that is read, or null if it is none. Sets
  // `data`, which points into the bytes, to the place that stays readable as long as the reference
  // is held.
  manta_ref* RetainOwner(const void** data) {
    if (owner_.reference != nullptr) {
      manta_ref_retain(owner_.reference);
      return owner_.reference;
    }
    if (owner_.call == nullptr) return nullptr;
    manta_ref* reference = owner_.call->ops->retain_dependency(owner_.call, owner_.dependency);
    if (reference == nullptr) return nullptr;
    // What the call sees of a small object may be a copy that ends with the call.
    manta_bytes kept;
    manta_error* error = manta_get(Runtime(), &reference, 1, 0, &kept);
    if (error != nullptr || kept.size != static_cast<size_t>(end_ - start_)) {
      manta_error_free(error);
      manta_ref_release(reference);
      return nullptr;
    }
    const auto offset = static_cast<const unsigned char*>(*data) - start_;
    *data = static_cast<const unsigned char*>(kept.data) + offset;
    return reference;
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void ThrowInvalid(const char* what) {
    throw SerializationError(std::string("not a valid value: ") + what);
  }

 private:
  friend class detail::Nesting<ReadArchive>;

  manta_runtime* Runtime() const {
    if (runtime_ == nullptr) ThrowInvalid("a reference, read where there is no runtime");
    return runtime_;
  }
  [[noreturn, gnu::noinline, gnu::cold]] void ThrowTruncated(size_t wanted) const {
    throw SerializationError("not a valid value: needs " + std::to_string(wanted) +
                             " more bytes where " + std::to_string(remaining()) +
                             " are left; was it written as another type?");
  }
  [[noreturn, gnu::noinline, gnu::cold]] void ThrowCount(uint64_t count) const {
    throw SerializationError("not a valid value: claims " + std::to_string(count) +
                             " elements where " + std::to_string(remaining()) +
                             " bytes are left; was it written as another type?");
  }
  [[noreturn, gnu::noinline, gnu::cold]] void ThrowLeftOver() const {
    throw SerializationError("not a valid value: " + std::to_string(remaining()) +
                             " bytes are left over; was it written as another type?");
  }

  const unsigned char* start_;
  const unsigned char* next_;
  const unsigned char* end_;
  manta_runtime* runtime_;
  Owner owner_;
  int depth_ = 0;
};

namespace detail {

// Writes values of a size known at compile time, into memory that is large enough.
class RawWriter {
 public:
  explicit RawWriter(void* data) : next_(static_cast<unsigned char*>(data)) {}
  void Bytes(const void* data, size_t size) {
    std::memcpy(next_, data, size);
    next_ += size;
  }

 private:
  unsigned char* next_;
};

template <class Out, class T>
void WriteValue(Out& out, const T& value) {
  Codec<T>::Write(out, value);
}

template <class T>
void ReadValue(ReadArchive& in, T& value) {
  Codec<T>::Read(in, value);
}

}  // namespace detail
}  // namespace v1
}  // namespace manta

#include "manta/detail/codec.h"
#include "manta/detail/codec_std.h"

namespace manta {
inline namespace v1 {

// The number of bytes that Encode writes.
template <class T>
size_t EncodedSize(const T& value) {
  detail::CheckTravels<T>();
  if constexpr (detail::kCanTravel<T>) {
    SizeArchive archive;
    archive(value);
    return archive.size();
  } else {
    return 0;
  }
}

// Writes `value` to `data`, where `size` bytes are free: exactly EncodedSize(value).
template <class T>
void Encode(const T& value, void* data, size_t size) {
  detail::CheckTravels<T>();
  if constexpr (detail::kCanTravel<T>) {
    WriteArchive archive(data, size);
    archive(value);
    archive.ExpectEnd();
  }
}

// Reads a value that fills `size` bytes exactly. Throws SerializationError if the bytes are no T.
// `runtime` is needed only if there may be references inside.
template <class T>
T Decode(const void* data, size_t size, manta_runtime* runtime = nullptr) {
  detail::CheckTravels<T>();
  if constexpr (detail::kCanTravel<T>) {
    Access::Slot<T> slot;
    ReadArchive archive(data, size, runtime);
    archive(slot.value);
    archive.ExpectEnd();
    return std::move(slot.value);
  } else {
    return *static_cast<T*>(nullptr);
  }
}

}  // namespace v1
}  // namespace manta
