// Exceptions: every kind of failure has its class, and all can be caught in the usual ways.
#include "manta/errors.h"

#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/headers/header_test.h"

namespace {

using manta::detail::ThrowTaskError;

// Makes the C interface return an error of this kind, and lets it be thrown.
void ThrowKind(manta_error_kind kind) {
  manta_fake::FailNext("manta_init", kind, "the message");
  manta::Init();
}

template <class E>
void ExpectThrown(manta_error_kind kind) {
  try {
    ThrowKind(kind);
    FAIL() << "nothing was thrown for kind " << kind;
  } catch (const E& error) {
    EXPECT_STREQ(error.what(), "the message");
    EXPECT_EQ(error.kind(), kind);
  }
  try {
    ThrowKind(kind);
  } catch (const manta::Error& error) {
    EXPECT_STREQ(error.what(), "the message");
    EXPECT_EQ(error.kind(), kind);
    const std::exception& as_exception = error;
    EXPECT_STREQ(as_exception.what(), "the message");
  }
  try {
    ThrowKind(kind);
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "the message");
    EXPECT_NE(dynamic_cast<const manta::Error*>(&error), nullptr);
  }
}

TEST(Errors, EveryKindHasItsClass) {
  ExpectThrown<manta::InvalidArgumentError>(MANTA_ERROR_INVALID_ARGUMENT);
  ExpectThrown<manta::NotInitializedError>(MANTA_ERROR_NOT_INITIALIZED);
  ExpectThrown<manta::NotSupportedError>(MANTA_ERROR_NOT_SUPPORTED);
  ExpectThrown<manta::GetTimeoutError>(MANTA_ERROR_TIMEOUT);
  ExpectThrown<manta::WorkerCrashedError>(MANTA_ERROR_WORKER_CRASHED);
  ExpectThrown<manta::ActorDiedError>(MANTA_ERROR_ACTOR_DIED);
  ExpectThrown<manta::ActorUnavailableError>(MANTA_ERROR_ACTOR_UNAVAILABLE);
  ExpectThrown<manta::TaskCancelledError>(MANTA_ERROR_TASK_CANCELLED);
  ExpectThrown<manta::OwnerDiedError>(MANTA_ERROR_OWNER_DIED);
  ExpectThrown<manta::ObjectLostError>(MANTA_ERROR_OBJECT_LOST);
  ExpectThrown<manta::ObjectStoreFullError>(MANTA_ERROR_OBJECT_STORE_FULL);
  ExpectThrown<manta::ObjectTooLargeError>(MANTA_ERROR_OBJECT_TOO_LARGE);
  ExpectThrown<manta::NodeDiedError>(MANTA_ERROR_NODE_DIED);
  ExpectThrown<manta::TaskUnschedulableError>(MANTA_ERROR_TASK_UNSCHEDULABLE);
  ExpectThrown<manta::ActorUnschedulableError>(MANTA_ERROR_ACTOR_UNSCHEDULABLE);
  ExpectThrown<manta::PendingCallsLimitExceededError>(MANTA_ERROR_PENDING_CALLS_LIMIT);
  ExpectThrown<manta::ActorNameTakenError>(MANTA_ERROR_ACTOR_NAME_TAKEN);
  ExpectThrown<manta::ActorNotFoundError>(MANTA_ERROR_ACTOR_NOT_FOUND);
  ExpectThrown<manta::VersionMismatchError>(MANTA_ERROR_VERSION_MISMATCH);
  ExpectThrown<manta::StartFailedError>(MANTA_ERROR_START_FAILED);
  ExpectThrown<manta::AuthenticationError>(MANTA_ERROR_AUTHENTICATION);
  ExpectThrown<manta::SystemError>(MANTA_ERROR_SYSTEM);
  ExpectThrown<manta::EndOfStreamError>(MANTA_ERROR_END_OF_STREAM);
  // A newer library may know more kinds than this header.
  EXPECT_THROW(ThrowKind(static_cast<manta_error_kind>(31)), manta::SystemError);
}

TEST(Errors, Families) {
  EXPECT_THROW(ThrowKind(MANTA_ERROR_INVALID_ARGUMENT), std::invalid_argument);
  EXPECT_THROW(ThrowKind(MANTA_ERROR_TIMEOUT), std::runtime_error);
  EXPECT_THROW(ThrowKind(MANTA_ERROR_ACTOR_DIED), manta::ActorError);
  EXPECT_THROW(ThrowKind(MANTA_ERROR_ACTOR_UNAVAILABLE), manta::ActorError);
  EXPECT_THROW(ThrowKind(MANTA_ERROR_OWNER_DIED), manta::ObjectLostError);
}

// Caught as TaskError, as Original, as std::exception, as manta::Error, and in the order that a
// program would write.
template <class Original>
void ExpectTaskErrorOf(const char* type_name) {
  const auto make = [type_name] { ThrowTaskError({type_name, "message", "stack"}); };
  EXPECT_THROW(make(), manta::TaskError) << type_name;
  EXPECT_THROW(make(), Original) << type_name;
  EXPECT_THROW(make(), std::exception) << type_name;
  EXPECT_THROW(make(), manta::Error) << type_name;
  try {
    make();
  } catch (const manta::TaskErrorOf<Original>& error) {
    const std::string all = std::string(type_name) + ": message\nstack";
    EXPECT_EQ(error.what(), all);
    EXPECT_EQ(static_cast<const std::exception&>(error).what(), all);
    EXPECT_EQ(static_cast<const Original&>(error).what(), all);
    EXPECT_EQ(static_cast<const manta::TaskError&>(error).what(), all);
    EXPECT_STREQ(error.reported_type_name(), typeid(Original).name());
  }
}

TEST(Errors, TaskErrorsAreAlsoTheErrorThatATaskLetPass) {
  ExpectTaskErrorOf<manta::WorkerCrashedError>("manta::WorkerCrashedError");
  ExpectTaskErrorOf<manta::ActorDiedError>("manta::ActorDiedError");
  EXPECT_THROW(ThrowTaskError({"manta::ActorUnavailableError", "", ""}), manta::ActorError);
  ExpectTaskErrorOf<manta::OwnerDiedError>("manta::OwnerDiedError");
  EXPECT_THROW(ThrowTaskError({"manta::OwnerDiedError", "", ""}), manta::ObjectLostError);
  EXPECT_THROW(ThrowTaskError({"manta::InvalidArgumentError", "", ""}), std::invalid_argument);
  ExpectTaskErrorOf<manta::SerializationError>("manta::SerializationError");
  try {
    ThrowTaskError({"manta::GetTimeoutError", "message", ""});
  } catch (const manta::GetTimeoutError& error) {
    EXPECT_EQ(error.kind(), MANTA_ERROR_TASK) << "not the timeout of the Get that throws it";
  }
}

TEST(Errors, TaskErrorsAreAlsoTheStandardExceptionThatWasThrown) {
  ExpectTaskErrorOf<std::runtime_error>("std::runtime_error");
  ExpectTaskErrorOf<std::logic_error>("std::logic_error");
  ExpectTaskErrorOf<std::invalid_argument>("std::invalid_argument");
  ExpectTaskErrorOf<std::out_of_range>("std::out_of_range");
  ExpectTaskErrorOf<std::domain_error>("std::domain_error");
  ExpectTaskErrorOf<std::length_error>("std::length_error");
  ExpectTaskErrorOf<std::range_error>("std::range_error");
  ExpectTaskErrorOf<std::overflow_error>("std::overflow_error");
  ExpectTaskErrorOf<std::underflow_error>("std::underflow_error");
  ExpectTaskErrorOf<std::bad_alloc>("std::bad_alloc");
  ExpectTaskErrorOf<std::bad_cast>("std::bad_cast");
  ExpectTaskErrorOf<std::bad_typeid>("std::bad_typeid");
  ExpectTaskErrorOf<std::bad_exception>("std::bad_exception");
  ExpectTaskErrorOf<std::bad_optional_access>("std::bad_optional_access");
  ExpectTaskErrorOf<std::bad_variant_access>("std::bad_variant_access");
}

TEST(Errors, OtherTaskErrors) {
  try {
    ThrowTaskError({"my::Error", "message", ""});
  } catch (const std::runtime_error&) {
    FAIL() << "it was none";
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "my::Error: message");
    const auto* task_error = dynamic_cast<const manta::TaskError*>(&error);
    ASSERT_NE(task_error, nullptr);
    EXPECT_STREQ(task_error->reported_type_name(), "my::Error");
    EXPECT_EQ(task_error->kind(), MANTA_ERROR_TASK);
  }
}

TEST(Errors, CopiesOutliveTheOriginal) {
  std::exception_ptr kept;
  try {
    ThrowTaskError({"std::out_of_range", "message", "stack"});
  } catch (...) {
    kept = std::current_exception();
  }
  EXPECT_THROW(std::rethrow_exception(kept), std::out_of_range);
  manta::GetTimeoutError copy("first");
  {
    const manta::GetTimeoutError original("second");
    copy = original;
  }
  EXPECT_STREQ(copy.what(), "second");
  static_assert(std::is_nothrow_copy_constructible_v<manta::GetTimeoutError>);
  static_assert(std::is_nothrow_copy_constructible_v<manta::TaskErrorOf<std::out_of_range>>);
}

}  // namespace
