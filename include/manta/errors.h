// The exceptions that Manta throws, one class per kind of failure, named as in Ray.
//
// Every exception is a manta::Error and a std::exception, so each of these works:
//
//   catch (const manta::GetTimeoutError& e)   one kind
//   catch (const manta::Error& e)             whatever Manta reports
//   catch (const std::exception& e)           everything
//
// An exception that user code throws inside a task, or lets pass, arrives as a TaskError. If its
// type was exactly one of the standard exceptions or of those below, it is that type as well: a task
// that throws std::out_of_range makes Get throw something that both `catch (const
// manta::TaskError&)` and `catch (const std::out_of_range&)` catch; a task that waits for another
// one whose worker crashes, something that is a WorkerCrashedError, too. kind() tells whether it is
// a task's error (MANTA_ERROR_TASK) or that of the call itself.
//
// To make that possible, Error is a virtual base without members and has no base class itself:
// std::exception comes in once, with the concrete classes. An Error& still converts to `const
// std::exception&` where a function asks for one.
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>
#include <variant>

#include "manta/manta_c.h"

namespace manta {
inline namespace v1 {

// What all exceptions of Manta have in common. Copying one does not throw.
class MANTA_API Error {
 public:
  virtual ~Error() = default;

  // What was wrong and what to do about it. Lives as long as the exception.
  virtual const char* what() const noexcept = 0;
  virtual const std::exception& AsException() const noexcept = 0;
  operator const std::exception&() const noexcept { return AsException(); }

  virtual manta_error_kind kind() const noexcept = 0;

 protected:
  Error() = default;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;
};

namespace detail {

// Joins what an exception means (its kind and Interface, an Error) with the standard class that holds
// its text.
template <manta_error_kind Kind, class Interface = Error, class Standard = std::runtime_error>
class MANTA_API ConcreteError : public virtual Interface, public Standard {
 public:
  explicit ConcreteError(const std::string& message) : Standard(message) {}

  const char* what() const noexcept override { return Standard::what(); }
  const std::exception& AsException() const noexcept override { return *this; }
  manta_error_kind kind() const noexcept override { return Kind; }
};

}  // namespace detail

// The call itself is wrong: mend the program.
class MANTA_API InvalidArgumentError
    : public detail::ConcreteError<MANTA_ERROR_INVALID_ARGUMENT, Error, std::invalid_argument> {
 public:
  using ConcreteError::ConcreteError;
};

// Bytes are not the value that they should be, or a value cannot be written.
class MANTA_API SerializationError : public detail::ConcreteError<MANTA_ERROR_INVALID_ARGUMENT> {
 public:
  using ConcreteError::ConcreteError;
};

// Init is missing, or Shutdown came before.
class MANTA_API NotInitializedError : public detail::ConcreteError<MANTA_ERROR_NOT_INITIALIZED> {
 public:
  using ConcreteError::ConcreteError;
};

// Part of the documented surface that is not there yet.
class MANTA_API NotSupportedError : public detail::ConcreteError<MANTA_ERROR_NOT_SUPPORTED> {
 public:
  using ConcreteError::ConcreteError;
};

// The time given to Get was up before the value was there. The task goes on.
class MANTA_API GetTimeoutError : public detail::ConcreteError<MANTA_ERROR_TIMEOUT> {
 public:
  using ConcreteError::ConcreteError;
};

// The process that ran the task ended: killed, out of memory, or by a crash.
class MANTA_API WorkerCrashedError : public detail::ConcreteError<MANTA_ERROR_WORKER_CRASHED> {
 public:
  using ConcreteError::ConcreteError;
};

// A call of an actor's method got no answer, for one of the two reasons below.
class MANTA_API ActorError : public virtual Error {};

// The actor has ended and will not be restarted.
class MANTA_API ActorDiedError : public detail::ConcreteError<MANTA_ERROR_ACTOR_DIED, ActorError> {
 public:
  using ConcreteError::ConcreteError;
};

// The actor cannot be reached now; it may have run the call. Later calls may succeed.
class MANTA_API ActorUnavailableError
    : public detail::ConcreteError<MANTA_ERROR_ACTOR_UNAVAILABLE, ActorError> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API TaskCancelledError : public detail::ConcreteError<MANTA_ERROR_TASK_CANCELLED> {
 public:
  using ConcreteError::ConcreteError;
};

// The value is gone and cannot be computed again.
class MANTA_API ObjectLostError : public detail::ConcreteError<MANTA_ERROR_OBJECT_LOST> {
 public:
  using ConcreteError::ConcreteError;
};

// The value is gone because the process that created its reference is.
class MANTA_API OwnerDiedError : public ObjectLostError {
 public:
  using ObjectLostError::ObjectLostError;

  manta_error_kind kind() const noexcept override { return MANTA_ERROR_OWNER_DIED; }
};

class MANTA_API ObjectStoreFullError : public detail::ConcreteError<MANTA_ERROR_OBJECT_STORE_FULL> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API ObjectTooLargeError : public detail::ConcreteError<MANTA_ERROR_OBJECT_TOO_LARGE> {
 public:
  using ConcreteError::ConcreteError;
};

// The node daemon, and so the cluster of a local driver, is gone.
class MANTA_API NodeDiedError : public detail::ConcreteError<MANTA_ERROR_NODE_DIED> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API TaskUnschedulableError
    : public detail::ConcreteError<MANTA_ERROR_TASK_UNSCHEDULABLE> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API ActorUnschedulableError
    : public detail::ConcreteError<MANTA_ERROR_ACTOR_UNSCHEDULABLE> {
 public:
  using ConcreteError::ConcreteError;
};

// The placement group that the task ran in, or was to run in, was removed.
class MANTA_API TaskPlacementGroupRemovedError
    : public detail::ConcreteError<MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED> {
 public:
  using ConcreteError::ConcreteError;
};

// The placement group that the actor was to be placed in was removed before it was. (One that ran
// there has died: ActorDiedError.)
class MANTA_API ActorPlacementGroupRemovedError
    : public detail::ConcreteError<MANTA_ERROR_ACTOR_PLACEMENT_GROUP_REMOVED> {
 public:
  using ConcreteError::ConcreteError;
};

// More calls of the actor are under way than SetMaxPendingCalls allows.
class MANTA_API PendingCallsLimitExceededError
    : public detail::ConcreteError<MANTA_ERROR_PENDING_CALLS_LIMIT> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API ActorNameTakenError : public detail::ConcreteError<MANTA_ERROR_ACTOR_NAME_TAKEN> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API ActorNotFoundError : public detail::ConcreteError<MANTA_ERROR_ACTOR_NOT_FOUND> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API VersionMismatchError : public detail::ConcreteError<MANTA_ERROR_VERSION_MISMATCH> {
 public:
  using ConcreteError::ConcreteError;
};

// A cluster or a worker could not be started.
class MANTA_API StartFailedError : public detail::ConcreteError<MANTA_ERROR_START_FAILED> {
 public:
  using ConcreteError::ConcreteError;
};

class MANTA_API AuthenticationError : public detail::ConcreteError<MANTA_ERROR_AUTHENTICATION> {
 public:
  using ConcreteError::ConcreteError;
};

// A call of the operating system failed; the message names it. Also every kind of error that this
// version of the header does not know.
class MANTA_API SystemError : public detail::ConcreteError<MANTA_ERROR_SYSTEM> {
 public:
  using ConcreteError::ConcreteError;
};

// In the place of what comes behind the last result of a task that gives them one by one.
class MANTA_API EndOfStreamError : public detail::ConcreteError<MANTA_ERROR_END_OF_STREAM> {
 public:
  using ConcreteError::ConcreteError;
};

// User code in a task or an actor threw. What is thrown is always a TaskErrorOf<...>, see below.
class MANTA_API TaskError : public virtual Error {
 public:
  // The type of the original exception, demangled.
  const char* type_name() const noexcept { return text_->type_name.c_str(); }
  // The what() of the original exception.
  const char* message() const noexcept { return text_->message.c_str(); }
  // Where it was thrown, in lines: process and frames (function, file and line if the program has
  // debug information, module and offset for addr2line), then the same for each task that let it
  // pass, outermost last. At most 64 frames each and 16 KiB in all. What was caught and thrown again
  // (with `throw;`, or by a coroutine or a future) shows where it was thrown again. No frames from
  // code that was compiled without run-time type information.
  const char* stack() const noexcept { return text_->stack.c_str(); }
  // The name by which a task that lets this error pass reports it: type_name(), mangled if known.
  virtual const char* reported_type_name() const noexcept { return type_name(); }
  manta_error_kind kind() const noexcept override { return MANTA_ERROR_TASK; }

 protected:
  TaskError(std::string type_name, std::string message, std::string stack) {
    std::string whole = type_name + ": " + message;
    if (!stack.empty()) whole += '\n' + stack;
    text_ = std::make_shared<const Text>(
        Text{std::move(type_name), std::move(message), std::move(stack), std::move(whole)});
  }

  const char* all() const noexcept { return text_->all.c_str(); }

 private:
  struct Text {
    std::string type_name;
    std::string message;
    std::string stack;
    std::string all;
  };
  std::shared_ptr<const Text> text_;  // shared, so that copies are cheap and cannot fail
};

// A TaskError that is also the exception that the task threw: a standard one, or one of the above.
// Original is std::exception when the task threw anything else.
template <class Original>
class MANTA_API TaskErrorOf : public TaskError, public Original {
 public:
  TaskErrorOf(const std::string& type_name, const std::string& message, const std::string& stack)
      : TaskErrorOf(std::is_constructible<Original, const std::string&>(), type_name, message,
                    stack) {}

  // Type, message and stack.
  const char* what() const noexcept override { return all(); }
  const std::exception& AsException() const noexcept override { return *this; }
  manta_error_kind kind() const noexcept override { return MANTA_ERROR_TASK; }
  const char* reported_type_name() const noexcept override {
#ifdef __cpp_rtti
    if (!std::is_same<Original, std::exception>::value) return typeid(Original).name();
#endif
    return type_name();
  }

 private:
  TaskErrorOf(std::true_type, const std::string& type_name, const std::string& message,
              const std::string& stack)
      : TaskError(type_name, message, stack), Original(message) {}
  TaskErrorOf(std::false_type, const std::string& type_name, const std::string& message,
              const std::string& stack)
      : TaskError(type_name, message, stack) {}
};

// The classes by their kinds, but for MANTA_ERROR_TASK.
#define MANTA_DETAIL_ERRORS(X)                                       \
  X(MANTA_ERROR_INVALID_ARGUMENT, InvalidArgumentError)              \
  X(MANTA_ERROR_NOT_INITIALIZED, NotInitializedError)                \
  X(MANTA_ERROR_NOT_SUPPORTED, NotSupportedError)                    \
  X(MANTA_ERROR_TIMEOUT, GetTimeoutError)                            \
  X(MANTA_ERROR_WORKER_CRASHED, WorkerCrashedError)                  \
  X(MANTA_ERROR_ACTOR_DIED, ActorDiedError)                          \
  X(MANTA_ERROR_ACTOR_UNAVAILABLE, ActorUnavailableError)            \
  X(MANTA_ERROR_TASK_CANCELLED, TaskCancelledError)                  \
  X(MANTA_ERROR_OWNER_DIED, OwnerDiedError)                          \
  X(MANTA_ERROR_OBJECT_LOST, ObjectLostError)                        \
  X(MANTA_ERROR_OBJECT_STORE_FULL, ObjectStoreFullError)             \
  X(MANTA_ERROR_OBJECT_TOO_LARGE, ObjectTooLargeError)               \
  X(MANTA_ERROR_NODE_DIED, NodeDiedError)                            \
  X(MANTA_ERROR_TASK_UNSCHEDULABLE, TaskUnschedulableError)          \
  X(MANTA_ERROR_ACTOR_UNSCHEDULABLE, ActorUnschedulableError)        \
  X(MANTA_ERROR_PENDING_CALLS_LIMIT, PendingCallsLimitExceededError) \
  X(MANTA_ERROR_ACTOR_NAME_TAKEN, ActorNameTakenError)               \
  X(MANTA_ERROR_ACTOR_NOT_FOUND, ActorNotFoundError)                 \
  X(MANTA_ERROR_VERSION_MISMATCH, VersionMismatchError)              \
  X(MANTA_ERROR_START_FAILED, StartFailedError)                      \
  X(MANTA_ERROR_AUTHENTICATION, AuthenticationError)                 \
  X(MANTA_ERROR_SYSTEM, SystemError)                                 \
  X(MANTA_ERROR_END_OF_STREAM, EndOfStreamError)                     \
  X(MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED, TaskPlacementGroupRemovedError) \
  X(MANTA_ERROR_ACTOR_PLACEMENT_GROUP_REMOVED, ActorPlacementGroupRemovedError)

namespace detail {

struct TaskErrorText {
  std::string type_name;
  std::string message;
  std::string stack;
};

template <class Original>
void ThrowIfNamed(const char* name, const TaskErrorText& text) {
  if (text.type_name == name) {
    throw TaskErrorOf<Original>(text.type_name, text.message, text.stack);
  }
}

[[noreturn]] inline void ThrowTaskError(const TaskErrorText& text) {
  ThrowIfNamed<std::runtime_error>("std::runtime_error", text);
  ThrowIfNamed<std::logic_error>("std::logic_error", text);
  ThrowIfNamed<std::invalid_argument>("std::invalid_argument", text);
  ThrowIfNamed<std::out_of_range>("std::out_of_range", text);
  ThrowIfNamed<std::domain_error>("std::domain_error", text);
  ThrowIfNamed<std::length_error>("std::length_error", text);
  ThrowIfNamed<std::range_error>("std::range_error", text);
  ThrowIfNamed<std::overflow_error>("std::overflow_error", text);
  ThrowIfNamed<std::underflow_error>("std::underflow_error", text);
  ThrowIfNamed<std::bad_alloc>("std::bad_alloc", text);
  ThrowIfNamed<std::bad_cast>("std::bad_cast", text);
  ThrowIfNamed<std::bad_typeid>("std::bad_typeid", text);
  ThrowIfNamed<std::bad_exception>("std::bad_exception", text);
  ThrowIfNamed<std::bad_optional_access>("std::bad_optional_access", text);
  ThrowIfNamed<std::bad_variant_access>("std::bad_variant_access", text);
#define MANTA_DETAIL_THROW_IF_NAMED(kind, type) ThrowIfNamed<type>("manta::" #type, text);
  MANTA_DETAIL_ERRORS(MANTA_DETAIL_THROW_IF_NAMED)
#undef MANTA_DETAIL_THROW_IF_NAMED
  ThrowIfNamed<SerializationError>("manta::SerializationError", text);
  throw TaskErrorOf<std::exception>(text.type_name, text.message, text.stack);
}

struct ErrorDeleter {
  void operator()(manta_error* error) const noexcept { manta_error_free(error); }
};
using OwnedError = std::unique_ptr<manta_error, ErrorDeleter>;

}  // namespace detail

// Throws what `error` says and frees it. `error` must not be NULL.
[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowError(manta_error* error) {
  const detail::OwnedError owned(error);
  const manta_error_kind kind = manta_error_get_kind(error);
  const std::string message = manta_error_message(error);
  switch (kind) {
#define MANTA_DETAIL_CASE(kind, type) \
  case kind:                          \
    throw type(message);
    MANTA_DETAIL_ERRORS(MANTA_DETAIL_CASE)
#undef MANTA_DETAIL_CASE
    case MANTA_ERROR_TASK:
      detail::ThrowTaskError({manta_error_type_name(error), message, manta_error_stack(error)});
  }
  throw SystemError(message);
}
#undef MANTA_DETAIL_ERRORS

namespace detail {

inline void Check(manta_error* error) {
  if (__builtin_expect(error != nullptr, 0)) ThrowError(error);
}

// The runtime of this process, or NotInitializedError. `what` is the function that the user called.
inline manta_runtime* CurrentRuntime(const char* what) {
  manta_runtime* runtime = manta_current();
  if (__builtin_expect(runtime == nullptr, 0)) ThrowError(manta_not_initialized_error(what));
  return runtime;
}

// Texts travel to where their first zero byte ends them: "a\0b" would become "a".
inline const std::string& CheckText(const char* where, const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw InvalidArgumentError(std::string(where) + ": the text '" + text.c_str() +
                               "...' contains a zero byte");
  }
  return text;
}

}  // namespace detail
}  // namespace v1
}  // namespace manta
