// Large numeric data that is read where it lies.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "manta/archive.h"
#include "manta/errors.h"

namespace manta {
inline namespace v1 {

// An immutable sequence of T in one piece. Copies share the data. An Array that comes out of an
// object (by Get, or as an argument of a task) is a view of the object's shared memory: nothing is
// copied, and the object stays readable as long as the Array, or a copy of it, lives.
//
// Thread safety: as for std::shared_ptr<const T[]>.
template <class T>
class Array {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>,
                "manta: an Array holds trivially copyable elements (numbers, or structs of "
                "numbers). Use a std::vector for others.");
  static_assert(alignof(T) <= 64, "manta: an Array aligns its data to 64 bytes only");

 public:
  using value_type = T;
  using const_iterator = const T*;

  Array() = default;

  // Copies the elements. Costs less than it seems for large vectors than to send the vector itself:
  // the receivers do not copy.
  explicit Array(const std::vector<T>& elements)
      : Array(elements.size(), [&elements](T* data, size_t count) {
          if (count != 0) std::memcpy(static_cast<void*>(data), elements.data(), count * sizeof(T));
        }) {}

  // Takes the vector over without a copy.
  explicit Array(std::vector<T>&& elements) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(elements));
    data_ = owner->data();
    size_ = owner->size();
    owner_ = std::move(owner);
  }

  // `fill(T* data, size_t count)` writes the elements, whose memory is not initialised before.
  template <class Fill, class = std::enable_if_t<std::is_invocable_v<Fill&, T*, size_t>>>
  Array(size_t count, Fill&& fill) {
    if (count > static_cast<size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    std::shared_ptr<void> memory(::operator new(count * sizeof(T), std::align_val_t(64)),
                                 [](void* data) { ::operator delete(data, std::align_val_t(64)); });
    fill(static_cast<T*>(memory.get()), count);
    data_ = static_cast<const T*>(memory.get());
    size_ = count;
    owner_ = std::move(memory);
  }

  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T& operator[](size_t index) const { return data_[index]; }
  const T& front() const { return data_[0]; }
  const T& back() const { return data_[size_ - 1]; }

  std::vector<T> ToVector() const { return std::vector<T>(begin(), end()); }

 private:
  friend struct detail::Codec<Array<T>>;

  Array(const T* data, size_t size, std::shared_ptr<const void> owner)
      : data_(data), size_(size), owner_(std::move(owner)) {}

  const T* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

template <class T>
bool operator==(const Array<T>& left, const Array<T>& right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (!(left[i] == right[i])) return false;
  }
  return true;
}
template <class T>
bool operator!=(const Array<T>& left, const Array<T>& right) {
  return !(left == right);
}

namespace detail {

// A count of 8 bytes, then the elements, which start at a multiple of 64 from the start of the
// object.
template <class T>
struct Codec<Array<T>> {
  // An Array needs no codec of its elements, but they must not hide pointers.
  static constexpr Problem kProblem = FieldIsBits<T>() ? Problem::kNone : Codec<T>::kProblem;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = sizeof(uint64_t);
  using Parts = TypeList<T>;

  static constexpr size_t kAlignment = 64;

  template <class Out>
  static void Write(Out& out, const Array<T>& value) {
    const uint64_t count = value.size();
    out.Bytes(&count, sizeof(count));
    out.Align(kAlignment);
    out.Bytes(value.data(), value.size() * sizeof(T));
  }

  static void Read(ReadArchive& in, Array<T>& value) {
    uint64_t count;
    in.Bytes(&count, sizeof(count));
    in.Align(kAlignment);
    if (count > in.remaining() / sizeof(T)) {
      ReadArchive::ThrowInvalid("an Array claims more elements than there are bytes");
    }
    const size_t size = static_cast<size_t>(count) * sizeof(T);
    const void* data = in.Bytes(size);
    if (count != 0) {
      const void* kept = data;
      std::shared_ptr<const void> owner(in.RetainOwner(&kept), Release);
      if (owner != nullptr && reinterpret_cast<uintptr_t>(kept) % alignof(T) == 0) {
        value = Array<T>(static_cast<const T*>(kept), static_cast<size_t>(count), std::move(owner));
        return;
      }
    }
    value = Array<T>(static_cast<size_t>(count), [data, size](T* to, size_t) {
      if (size != 0) std::memcpy(static_cast<void*>(to), data, size);
    });
  }

 private:
  static void Release(const void* reference) {
    if (reference == nullptr) return;
    manta_ref_release(static_cast<manta_ref*>(const_cast<void*>(reference)));
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
