// Errors as values. Functions that can fail for reasons outside of the program return Result<T>; a broken invariant of our own
// is an assertion. Exceptions do not cross folder borders; the public C++ header makes them of errors.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"
#include "manta/manta_c.h"

namespace manta {

// `kind` is the closed list of the C interface: it travels between processes and decides the exception that a user sees.
struct Error {
  manta_error_kind kind = MANTA_ERROR_SYSTEM;
  std::string message;    // what was wrong and what to do
  std::string type_name;  // of the user's exception, demangled
  std::string stack;      // where it happened, remote frames included
  std::string payload;    // for the front-end that made it alone (a pickled exception), else empty
  ActorId actor = {};     // which cannot run the call; nil when that is not known, and of other kinds
  ObjectId task = {};     // the first result of the one that was cancelled; nil when that is not known, and of other kinds

  bool operator==(const Error&) const = default;
};

inline Error MakeError(manta_error_kind kind, std::string message) {
  return Error{kind, std::move(message), {}, {}, {}};
}

// "what: text of errno", kind SYSTEM.
Error ErrnoError(std::string what, int error_number);

template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return value_.has_value(); }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  T& operator*() & { return *value_; }
  const Error& error() const {
    assert(!value_);
    return error_;
  }

 private:
  std::optional<T> value_;
  Error error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  // Written out, so that `return {}` does not clear the room for an error first.
  Result() noexcept {}
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace manta
