// A future value: what Put and Remote return.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "manta/archive.h"
#include "manta/detail/free_list.h"
#include "manta/errors.h"
#include "manta/manta_c.h"
#include "manta/timeout.h"

namespace manta {
inline namespace v1 {
namespace detail {

// The counted pointer inside of every ObjectRef.
class RefPointer {
 public:
  RefPointer() noexcept = default;
  explicit RefPointer(manta_ref* owned) noexcept : pointer_(owned) {}
  RefPointer(const RefPointer& other) noexcept : pointer_(other.pointer_) {
    if (pointer_ != nullptr) manta_ref_retain(pointer_);
  }
  RefPointer(RefPointer&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  RefPointer& operator=(RefPointer other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~RefPointer() {
    if (pointer_ != nullptr) manta_ref_release(pointer_);
  }

  manta_ref* get() const noexcept { return pointer_; }
  manta_ref* Release() noexcept { return std::exchange(pointer_, nullptr); }

 private:
  manta_ref* pointer_ = nullptr;
};

inline manta_object_id ObjectIdOf(manta_ref* reference) noexcept {
  manta_object_id id = {};
  if (reference != nullptr) manta_ref_id(reference, &id);
  return id;
}

inline void AppendHex(std::string& to, uint64_t value, int digits) {
  while (digits-- > 0) to += "0123456789abcdef"[value >> (digits * 4) & 15];
}

inline std::string IdText(manta_ref* reference) {
  const manta_object_id id = ObjectIdOf(reference);
  std::string text;
  text.reserve(32);
  AppendHex(text, id.owner, 16);
  AppendHex(text, id.index, 8);
  AppendHex(text, id.generation, 8);
  return text;
}

// Waits for one value. Its bytes stay readable as long as the reference is held.
inline manta_bytes AwaitValue(manta_runtime* runtime, manta_ref* reference, Timeout timeout,
                              const char* what) {
  if (__builtin_expect(reference == nullptr, 0)) {
    throw InvalidArgumentError(std::string(what) +
                               ": the ObjectRef is empty (default-constructed or moved from)");
  }
  manta_bytes value;
  Check(manta_get(runtime, &reference, 1, timeout.nanoseconds(), &value));
  return value;
}

// Reads the value of the object that `reference` holds.
template <class T>
void ReadObject(manta_runtime* runtime, const manta_bytes& bytes, manta_ref* reference, T& value) {
  ReadArchive::Owner owner;
  owner.reference = reference;
  ReadArchive archive(bytes.data, bytes.size, runtime, owner);
  archive(value);
  archive.ExpectEnd();
}

template <class T>
std::shared_ptr<T> ReadSharedObject(manta_runtime* runtime, const manta_bytes& bytes,
                                    manta_ref* reference) {
  std::shared_ptr<T> value;
  if constexpr (std::is_default_constructible_v<T>) {
    value = std::allocate_shared<T>(FreeListAllocator<T>());
  } else {
    value.reset(new T(Access::Default<T>()));
  }
  ReadObject(runtime, bytes, reference, *value);
  return value;
}

}  // namespace detail

// A reference to a value of type T that a task computes or that Put stored. The object lives as
// long as there are references to it, anywhere in the cluster. Copying one costs an atomic
// increment.
//
// An ObjectRef may be given to a task where a T is expected: the task starts when the value is
// there, and receives the value. Inside of other values, and where the parameter is itself an
// ObjectRef, it travels as a reference.
//
// Thread safety: as for std::shared_ptr. A default-constructed ObjectRef refers to nothing.
template <class T>
class ObjectRef {
  static_assert(std::is_same_v<T, std::decay_t<T>>,
                "manta: an ObjectRef refers to a value, not to a const value or a reference");

 public:
  using value_type = T;

  ObjectRef() noexcept = default;

  // Waits for the value and returns a copy of it; Array data is not copied. Throws what the task
  // threw (TaskError), the reason why there is no value (WorkerCrashedError, ...), or
  // GetTimeoutError.
  std::shared_ptr<T> Get() const { return Get(Timeout::Never()); }
  std::shared_ptr<T> Get(Timeout timeout) const {
    detail::CheckTravels<T>();
    if constexpr (detail::kCanTravel<T>) {
      manta_runtime* runtime = detail::CurrentRuntime("ObjectRef::Get");
      const manta_bytes bytes =
          detail::AwaitValue(runtime, pointer_.get(), timeout, "ObjectRef::Get");
      return detail::ReadSharedObject<T>(runtime, bytes, pointer_.get());
    } else {
      return nullptr;
    }
  }

  // The id in hexadecimal, as `manta list objects` shows it. All zeros if it refers to nothing.
  std::string ID() const { return detail::IdText(pointer_.get()); }

  bool IsNil() const noexcept { return pointer_.get() == nullptr; }
  explicit operator bool() const noexcept { return !IsNil(); }

  // A reference of any type may stand where only completion matters.
  operator ObjectRef<void>() const&;
  operator ObjectRef<void>() &&;

  // For use with the C interface: the reference, borrowed, and one made of a reference that it owns
  // from then on.
  manta_ref* handle() const noexcept { return pointer_.get(); }
  static ObjectRef FromHandle(manta_ref* owned) noexcept {
    ObjectRef reference;
    reference.pointer_ = detail::RefPointer(owned);
    return reference;
  }

 private:
  detail::RefPointer pointer_;
};

// The result of a task that returns nothing, or any object of which only completion matters.
template <>
class ObjectRef<void> {
 public:
  using value_type = void;

  ObjectRef() noexcept = default;

  // Waits until the task is done. Throws as the Get of other references does.
  void Get() const { Get(Timeout::Never()); }
  void Get(Timeout timeout) const {
    detail::AwaitValue(detail::CurrentRuntime("ObjectRef::Get"), pointer_.get(), timeout,
                       "ObjectRef::Get");
  }

  std::string ID() const { return detail::IdText(pointer_.get()); }

  bool IsNil() const noexcept { return pointer_.get() == nullptr; }
  explicit operator bool() const noexcept { return !IsNil(); }

  manta_ref* handle() const noexcept { return pointer_.get(); }
  static ObjectRef FromHandle(manta_ref* owned) noexcept {
    ObjectRef reference;
    reference.pointer_ = detail::RefPointer(owned);
    return reference;
  }

 private:
  detail::RefPointer pointer_;
};

template <class T>
ObjectRef<T>::operator ObjectRef<void>() const& {
  return ObjectRef<void>::FromHandle(detail::RefPointer(pointer_).Release());
}
template <class T>
ObjectRef<T>::operator ObjectRef<void>() && {
  return ObjectRef<void>::FromHandle(pointer_.Release());
}

template <class T, class U>
bool operator==(const ObjectRef<T>& left, const ObjectRef<U>& right) noexcept {
  if (left.handle() == right.handle()) return true;
  const manta_object_id a = detail::ObjectIdOf(left.handle());
  const manta_object_id b = detail::ObjectIdOf(right.handle());
  return a.owner == b.owner && a.index == b.index && a.generation == b.generation;
}
template <class T, class U>
bool operator!=(const ObjectRef<T>& left, const ObjectRef<U>& right) noexcept {
  return !(left == right);
}
// Some order, for use as a key.
template <class T>
bool operator<(const ObjectRef<T>& left, const ObjectRef<T>& right) noexcept {
  const manta_object_id a = detail::ObjectIdOf(left.handle());
  const manta_object_id b = detail::ObjectIdOf(right.handle());
  if (a.owner != b.owner) return a.owner < b.owner;
  if (a.index != b.index) return a.index < b.index;
  return a.generation < b.generation;
}

namespace detail {

template <class T>
inline constexpr bool kIsObjectRef = false;
template <class T>
inline constexpr bool kIsObjectRef<ObjectRef<T>> = true;

// T for ObjectRef<T>, void for everything else.
template <class T>
struct ReferredType {
  using Type = void;
};
template <class T>
struct ReferredType<ObjectRef<T>> {
  using Type = T;
};

// Many references are given to the C interface as they lie in a vector.
template <class T>
manta_ref* const* HandlesOf(const std::vector<ObjectRef<T>>& references) {
  static_assert(sizeof(ObjectRef<T>) == sizeof(manta_ref*) &&
                    alignof(ObjectRef<T>) == alignof(manta_ref*) &&
                    std::is_standard_layout_v<ObjectRef<T>>,
                "an ObjectRef is a manta_ref* in memory");
  return reinterpret_cast<manta_ref* const*>(references.data());
}

template <class T>
struct Codec<ObjectRef<T>> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = sizeof(manta_object_id);
  using Parts = TypeList<>;

  template <class Out>
  static void Write(Out& out, const ObjectRef<T>& value) {
    out.Reference(value.handle());
  }
  static void Read(ReadArchive& in, ObjectRef<T>& value) {
    value = ObjectRef<T>::FromHandle(in.Reference());
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace manta

template <class T>
struct std::hash<manta::ObjectRef<T>> {
  size_t operator()(const manta::ObjectRef<T>& reference) const noexcept {
    const manta_object_id id = manta::detail::ObjectIdOf(reference.handle());
    const uint64_t low = uint64_t{id.index} << 32 | id.generation;
    return static_cast<size_t>(((id.owner ^ low) * 0x9e3779b97f4a7c15u) >> 7);
  }
};
