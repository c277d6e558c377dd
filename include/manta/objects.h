// Storing values, waiting for them and reading them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "manta/object_ref.h"
#include "manta/timeout.h"

namespace manta {
inline namespace v1 {

// Stores a copy of `value` and returns a reference to it. Large values are written straight into
// shared memory. Throws SerializationError, ObjectTooLargeError, ObjectStoreFullError.
template <class T>
ObjectRef<T> Put(const T& value) {
  constexpr bool kIsReference = detail::kIsObjectRef<T>;
  static_assert(!kIsReference,
                "manta: Put of an ObjectRef would be a reference to a reference. Pass it on as it "
                "is, or put it into a container.");
  if constexpr (!kIsReference) {
    detail::CheckTravels<T>();
    if constexpr (detail::kCanTravel<T>) {
      manta_runtime* runtime = detail::CurrentRuntime("Put");
      detail::RefList nested;
      SizeArchive sizes(&nested);
      sizes(value);
      void* data = nullptr;
      manta_ref* handle = nullptr;
      detail::Check(
          manta_put_begin(runtime, sizes.size(), nested.data(), nested.size(), nullptr, &data, &handle));
      ObjectRef<T> reference = ObjectRef<T>::FromHandle(handle);
      WriteArchive archive(data, sizes.size());
      archive(value);
      archive.ExpectEnd();
      manta_put_seal(handle);
      return reference;
    }
  }
  return ObjectRef<T>();
}
inline ObjectRef<std::string> Put(const char* text) { return Put(std::string(text)); }

// Waits for the value and returns a copy of it; see ObjectRef::Get.
template <class T>
auto Get(const ObjectRef<T>& reference, Timeout timeout = Timeout::Never()) {
  return reference.Get(timeout);
}

namespace detail {

// Room for the places of many values, on the stack if they are few.
class ManyBytes {
 public:
  explicit ManyBytes(size_t count) : data_(few_) {
    if (count > kFew) {
      many_.reset(new manta_bytes[count]);
      data_ = many_.get();
    }
  }
  manta_bytes* data() { return data_; }
  const manta_bytes& operator[](size_t index) const { return data_[index]; }

 private:
  static constexpr size_t kFew = 1024;
  manta_bytes* data_;
  manta_bytes few_[kFew];
  std::unique_ptr<manta_bytes[]> many_;
};

template <class T>
void AwaitAll(manta_runtime* runtime, const std::vector<ObjectRef<T>>& references, Timeout timeout,
              manta_bytes* values) {
  for (const ObjectRef<T>& reference : references) {
    if (__builtin_expect(reference.IsNil(), 0)) {
      throw InvalidArgumentError(
          "Get: one of the ObjectRefs is empty (default-constructed or "
          "moved from)");
    }
  }
  Check(
      manta_get(runtime, HandlesOf(references), references.size(), timeout.nanoseconds(), values));
}

}  // namespace detail

// Waits for all values and returns copies of them, in order. Throws the failure of one as soon as
// it is known, without waiting for the others.
template <class T>
std::vector<std::shared_ptr<T>> Get(const std::vector<ObjectRef<T>>& references,
                                    Timeout timeout = Timeout::Never()) {
  std::vector<std::shared_ptr<T>> values;
  detail::CheckTravels<T>();
  if constexpr (detail::kCanTravel<T>) {
    manta_runtime* runtime = detail::CurrentRuntime("Get");
    detail::ManyBytes bytes(references.size());
    detail::AwaitAll(runtime, references, timeout, bytes.data());
    values.reserve(references.size());
    for (size_t i = 0; i < references.size(); ++i) {
      values.push_back(detail::ReadSharedObject<T>(runtime, bytes[i], references[i].handle()));
    }
  }
  return values;
}

// Waits until all are done.
inline void Get(const std::vector<ObjectRef<void>>& references,
                Timeout timeout = Timeout::Never()) {
  manta_runtime* runtime = detail::CurrentRuntime("Get");
  detail::ManyBytes bytes(references.size());
  detail::AwaitAll(runtime, references, timeout, bytes.data());
}

// As Get, into `values`, which is resized. Existing elements are overwritten, so that in a loop no
// memory is allocated. When it throws, elements may be old or new.
template <class T>
void GetInto(const std::vector<ObjectRef<T>>& references, std::vector<T>& values,
             Timeout timeout = Timeout::Never()) {
  detail::CheckTravels<T>();
  if constexpr (detail::kCanTravel<T>) {
    manta_runtime* runtime = detail::CurrentRuntime("Get");
    detail::ManyBytes bytes(references.size());
    detail::AwaitAll(runtime, references, timeout, bytes.data());
    values.resize(references.size());
    for (size_t i = 0; i < references.size(); ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        bool value;
        detail::ReadObject(runtime, bytes[i], references[i].handle(), value);
        values[i] = value;
      } else {
        detail::ReadObject(runtime, bytes[i], references[i].handle(), values[i]);
      }
    }
  }
}

// What Wait returns: the references given to it, each in one of the lists, in their order.
template <class T>
struct WaitResult {
  std::list<ObjectRef<T>> ready;
  std::list<ObjectRef<T>> unready;
};

namespace detail {

// One byte for each of many references, on the stack if they are few.
class ReadyFlags {
 public:
  explicit ReadyFlags(size_t count) : data_(few_) {
    if (count > kFew) {
      many_.reset(new uint8_t[count]);
      data_ = many_.get();
    }
  }
  uint8_t* data() { return data_; }
  bool operator[](size_t index) const { return data_[index] != 0; }

 private:
  static constexpr size_t kFew = 512;
  uint8_t* data_;
  uint8_t few_[kFew];
  std::unique_ptr<uint8_t[]> many_;
};

template <class T>
void AwaitSome(const std::vector<ObjectRef<T>>& references, size_t count, Timeout timeout,
               uint8_t* ready, const char* what) {
  manta_runtime* runtime = CurrentRuntime(what);
  for (const ObjectRef<T>& reference : references) {
    if (__builtin_expect(reference.IsNil(), 0)) {
      throw InvalidArgumentError(std::string(what) +
                                 ": one of the ObjectRefs is empty "
                                 "(default-constructed or moved from)");
    }
  }
  Check(manta_wait(runtime, HandlesOf(references), references.size(), count, timeout.nanoseconds(),
                   ready));
}

}  // namespace detail

// Waits until `num_objects` of the references have a value or have failed, or the time is up. At
// most `num_objects` are in `ready`. Throws InvalidArgumentError if there are fewer references than
// that.
template <class T>
WaitResult<T> Wait(const std::vector<ObjectRef<T>>& references, int num_objects,
                   Timeout timeout = Timeout::Never()) {
  if (num_objects < 0) throw InvalidArgumentError("Wait: num_objects is negative");
  detail::ReadyFlags ready(references.size());
  detail::AwaitSome(references, static_cast<size_t>(num_objects), timeout, ready.data(), "Wait");
  WaitResult<T> result;
  for (size_t i = 0; i < references.size(); ++i) {
    (ready[i] ? result.ready : result.unready).push_back(references[i]);
  }
  return result;
}

// As Wait, and returns the indices of those that are ready, in ascending order: cheaper, for it
// copies no references.
template <class T>
std::vector<size_t> WaitReady(const std::vector<ObjectRef<T>>& references, size_t num_objects,
                              Timeout timeout = Timeout::Never()) {
  detail::ReadyFlags ready(references.size());
  detail::AwaitSome(references, num_objects, timeout, ready.data(), "WaitReady");
  std::vector<size_t> indices;
  indices.reserve(num_objects);
  for (size_t i = 0; i < references.size(); ++i) {
    if (ready[i]) indices.push_back(i);
  }
  return indices;
}

// Waits for one of the references; its index, or nothing if the time is up. Allocates nothing for
// up to 512 references.
template <class T>
std::optional<size_t> WaitAny(const std::vector<ObjectRef<T>>& references,
                              Timeout timeout = Timeout::Never()) {
  detail::ReadyFlags ready(references.size());
  detail::AwaitSome(references, 1, timeout, ready.data(), "WaitAny");
  for (size_t i = 0; i < references.size(); ++i) {
    if (ready[i]) return i;
  }
  return std::nullopt;
}

struct CancelOptions {
  bool force = false;     // kill the process that runs the task
  bool recursive = true;  // the tasks that it has submitted, too
};

// Asks for the task that computes this value not to run, or to end: a task that waits in Get or
// Wait, or in Put for room, is interrupted there by a TaskCancelledError (once a child ends that
// it runs in place meanwhile), one that computes may ask
// GetRuntimeContext().IsCancelled(). Get of its result then throws TaskCancelledError; a task that
// returns a value all the same keeps it.
// Nothing happens when it is done already. Throws InvalidArgumentError for `force` on the call of
// an actor.
template <class T>
void Cancel(const ObjectRef<T>& reference, const CancelOptions& options = CancelOptions()) {
  detail::CurrentRuntime("Cancel");
  if (reference.IsNil()) throw InvalidArgumentError("Cancel: the ObjectRef is empty");
  detail::Check(manta_cancel(reference.handle(), options.force ? 1 : 0, options.recursive ? 1 : 0));
}

}  // namespace v1
}  // namespace manta
