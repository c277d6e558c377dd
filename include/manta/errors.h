// The exceptions that Manta throws, one class per kind of failure, named as in Ray.
//
// Every exception is a manta::Error and a std::exception, so each of these works:
//
//   catch (const manta::GetTimeoutError& e)   one kind
//   catch (const manta::Error& e)             whatever Manta reports
//   catch (const std::exception& e)           everything
//
// An exception that user code throws inside a task arrives as a TaskError. If its type was exactly
// one of the standard exceptions, it is that type as well: a task that throws std::out_of_range
// makes Get throw something that both `catch (const manta::TaskError&)` and `catch (const
// std::out_of_range&)` catch.
//
// To make that possible, Error itself has no base class: std::exception comes in once, with the
// concrete classes. An Error& still converts to `const std::exception&` where a function asks for
// one.
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

  manta_error_kind kind() const noexcept { return kind_; }

 protected:
  explicit Error(manta_error_kind kind) noexcept : kind_(kind) {}
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;

 private:
  manta_error_kind kind_;
};

namespace detail {

// Joins what an exception means (Interface, an Error) with the standard class that holds its text.
template <class Interface = Error, class Standard = std::runtime_error>
class MANTA_API ConcreteError : public Interface, public Standard {
 public:
  const char* what() const noexcept override { return Standard::what(); }
  const std::exception& AsException() const noexcept override { return *this; }

 protected:
  ConcreteError(manta_error_kind kind, const std::string& message)
      : Interface(kind), Standard(message) {}
};

}  // namespace detail

// The call itself is wrong: mend the program.
class MANTA_API InvalidArgumentError : public detail::ConcreteError<Error, std::invalid_argument> {
 public:
  explicit InvalidArgumentError(const std::string& message)
      : ConcreteError(MANTA_ERROR_INVALID_ARGUMENT, message) {}
};

// Bytes are not the value that they should be, or a value cannot be written.
class MANTA_API SerializationError : public detail::ConcreteError<> {
 public:
  explicit SerializationError(const std::string& message)
      : ConcreteError(MANTA_ERROR_INVALID_ARGUMENT, message) {}
};

// Init is missing, or Shutdown came before.
class MANTA_API NotInitializedError : public detail::ConcreteError<> {
 public:
  explicit NotInitializedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_NOT_INITIALIZED, message) {}
};

// Part of the documented surface that is not there yet.
class MANTA_API NotSupportedError : public detail::ConcreteError<> {
 public:
  explicit NotSupportedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_NOT_SUPPORTED, message) {}
};

// The time given to Get was up before the value was there. The task goes on.
class MANTA_API GetTimeoutError : public detail::ConcreteError<> {
 public:
  explicit GetTimeoutError(const std::string& message)
      : ConcreteError(MANTA_ERROR_TIMEOUT, message) {}
};

// The process that ran the task ended: killed, out of memory, or by a crash.
class MANTA_API WorkerCrashedError : public detail::ConcreteError<> {
 public:
  explicit WorkerCrashedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_WORKER_CRASHED, message) {}
};

// A call of an actor's method got no answer, for one of the two reasons below.
class MANTA_API ActorError : public Error {
 protected:
  using Error::Error;
};

// The actor has ended and will not be restarted.
class MANTA_API ActorDiedError : public detail::ConcreteError<ActorError> {
 public:
  explicit ActorDiedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_ACTOR_DIED, message) {}
};

// The actor cannot be reached now; it may have run the call. Later calls may succeed.
class MANTA_API ActorUnavailableError : public detail::ConcreteError<ActorError> {
 public:
  explicit ActorUnavailableError(const std::string& message)
      : ConcreteError(MANTA_ERROR_ACTOR_UNAVAILABLE, message) {}
};

class MANTA_API TaskCancelledError : public detail::ConcreteError<> {
 public:
  explicit TaskCancelledError(const std::string& message)
      : ConcreteError(MANTA_ERROR_TASK_CANCELLED, message) {}
};

// The value is gone and cannot be computed again.
class MANTA_API ObjectLostError : public detail::ConcreteError<> {
 public:
  explicit ObjectLostError(const std::string& message)
      : ObjectLostError(MANTA_ERROR_OBJECT_LOST, message) {}

 protected:
  ObjectLostError(manta_error_kind kind, const std::string& message)
      : ConcreteError(kind, message) {}
};

// The value is gone because the process that created its reference is.
class MANTA_API OwnerDiedError : public ObjectLostError {
 public:
  explicit OwnerDiedError(const std::string& message)
      : ObjectLostError(MANTA_ERROR_OWNER_DIED, message) {}
};

class MANTA_API ObjectStoreFullError : public detail::ConcreteError<> {
 public:
  explicit ObjectStoreFullError(const std::string& message)
      : ConcreteError(MANTA_ERROR_OBJECT_STORE_FULL, message) {}
};

class MANTA_API ObjectTooLargeError : public detail::ConcreteError<> {
 public:
  explicit ObjectTooLargeError(const std::string& message)
      : ConcreteError(MANTA_ERROR_OBJECT_TOO_LARGE, message) {}
};

// The node daemon, and so the cluster of a local driver, is gone.
class MANTA_API NodeDiedError : public detail::ConcreteError<> {
 public:
  explicit NodeDiedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_NODE_DIED, message) {}
};

class MANTA_API TaskUnschedulableError : public detail::ConcreteError<> {
 public:
  explicit TaskUnschedulableError(const std::string& message)
      : ConcreteError(MANTA_ERROR_TASK_UNSCHEDULABLE, message) {}
};

class MANTA_API ActorUnschedulableError : public detail::ConcreteError<> {
 public:
  explicit ActorUnschedulableError(const std::string& message)
      : ConcreteError(MANTA_ERROR_ACTOR_UNSCHEDULABLE, message) {}
};

// More calls of the actor are under way than SetMaxPendingCalls allows.
class MANTA_API PendingCallsLimitExceededError : public detail::ConcreteError<> {
 public:
  explicit PendingCallsLimitExceededError(const std::string& message)
      : ConcreteError(MANTA_ERROR_PENDING_CALLS_LIMIT, message) {}
};

class MANTA_API ActorNameTakenError : public detail::ConcreteError<> {
 public:
  explicit ActorNameTakenError(const std::string& message)
      : ConcreteError(MANTA_ERROR_ACTOR_NAME_TAKEN, message) {}
};

class MANTA_API ActorNotFoundError : public detail::ConcreteError<> {
 public:
  explicit ActorNotFoundError(const std::string& message)
      : ConcreteError(MANTA_ERROR_ACTOR_NOT_FOUND, message) {}
};

class MANTA_API VersionMismatchError : public detail::ConcreteError<> {
 public:
  explicit VersionMismatchError(const std::string& message)
      : ConcreteError(MANTA_ERROR_VERSION_MISMATCH, message) {}
};

// A cluster or a worker could not be started.
class MANTA_API StartFailedError : public detail::ConcreteError<> {
 public:
  explicit StartFailedError(const std::string& message)
      : ConcreteError(MANTA_ERROR_START_FAILED, message) {}
};

class MANTA_API AuthenticationError : public detail::ConcreteError<> {
 public:
  explicit AuthenticationError(const std::string& message)
      : ConcreteError(MANTA_ERROR_AUTHENTICATION, message) {}
};

// A call of the operating system failed; the message names it. Also every kind of error that this
// version of the header does not know.
class MANTA_API SystemError : public detail::ConcreteError<> {
 public:
  explicit SystemError(const std::string& message) : ConcreteError(MANTA_ERROR_SYSTEM, message) {}
};

// User code in a task or an actor threw. What is thrown is always a TaskErrorOf<...>, see below.
class MANTA_API TaskError : public Error {
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

 protected:
  TaskError(std::string type_name, std::string message, std::string stack)
      : Error(MANTA_ERROR_TASK) {
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

// A TaskError that is also the standard exception that the task threw. Original is std::exception
// when the task threw anything else.
template <class Original>
class MANTA_API TaskErrorOf : public TaskError, public Original {
 public:
  TaskErrorOf(const std::string& type_name, const std::string& message, const std::string& stack)
      : TaskErrorOf(std::is_constructible<Original, const std::string&>(), type_name, message,
                    stack) {}

  // Type, message and stack.
  const char* what() const noexcept override { return all(); }
  const std::exception& AsException() const noexcept override { return *this; }
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
    case MANTA_ERROR_INVALID_ARGUMENT:
      throw InvalidArgumentError(message);
    case MANTA_ERROR_NOT_INITIALIZED:
      throw NotInitializedError(message);
    case MANTA_ERROR_NOT_SUPPORTED:
      throw NotSupportedError(message);
    case MANTA_ERROR_TIMEOUT:
      throw GetTimeoutError(message);
    case MANTA_ERROR_TASK:
      detail::ThrowTaskError({manta_error_type_name(error), message, manta_error_stack(error)});
    case MANTA_ERROR_WORKER_CRASHED:
      throw WorkerCrashedError(message);
    case MANTA_ERROR_ACTOR_DIED:
      throw ActorDiedError(message);
    case MANTA_ERROR_ACTOR_UNAVAILABLE:
      throw ActorUnavailableError(message);
    case MANTA_ERROR_TASK_CANCELLED:
      throw TaskCancelledError(message);
    case MANTA_ERROR_OWNER_DIED:
      throw OwnerDiedError(message);
    case MANTA_ERROR_OBJECT_LOST:
      throw ObjectLostError(message);
    case MANTA_ERROR_OBJECT_STORE_FULL:
      throw ObjectStoreFullError(message);
    case MANTA_ERROR_OBJECT_TOO_LARGE:
      throw ObjectTooLargeError(message);
    case MANTA_ERROR_NODE_DIED:
      throw NodeDiedError(message);
    case MANTA_ERROR_TASK_UNSCHEDULABLE:
      throw TaskUnschedulableError(message);
    case MANTA_ERROR_ACTOR_UNSCHEDULABLE:
      throw ActorUnschedulableError(message);
    case MANTA_ERROR_PENDING_CALLS_LIMIT:
      throw PendingCallsLimitExceededError(message);
    case MANTA_ERROR_ACTOR_NAME_TAKEN:
      throw ActorNameTakenError(message);
    case MANTA_ERROR_ACTOR_NOT_FOUND:
      throw ActorNotFoundError(message);
    case MANTA_ERROR_VERSION_MISMATCH:
      throw VersionMismatchError(message);
    case MANTA_ERROR_START_FAILED:
      throw StartFailedError(message);
    case MANTA_ERROR_AUTHENTICATION:
      throw AuthenticationError(message);
    case MANTA_ERROR_SYSTEM:
      throw SystemError(message);
  }
  throw SystemError(message);
}

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

}  // namespace detail
}  // namespace v1
}  // namespace manta
