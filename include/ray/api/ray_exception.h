// Ray's exceptions, as programs catch them: names for those of Manta (errors.h), which say more.
// They are for catching; a program that throws, throws its own.
#pragma once

#include <string>

#include "manta/errors.h"

namespace ray {
namespace internal {

using RayException = manta::Error;
using RayActorException = manta::ActorError;
using RayTaskException = manta::TaskError;
using RayWorkerException = manta::WorkerCrashedError;
using UnreconstructableException = manta::ObjectLostError;
using RayTimeoutException = manta::GetTimeoutError;

// Never thrown: functions need no registration.
class MANTA_API RayFunctionNotFound : public manta::detail::ConcreteError<> {
 public:
  explicit RayFunctionNotFound(const std::string& message)
      : ConcreteError(MANTA_ERROR_INVALID_ARGUMENT, message) {}
};

// A field of a RuntimeEnv is missing or has another type.
class MANTA_API RayRuntimeEnvException : public manta::detail::ConcreteError<> {
 public:
  explicit RayRuntimeEnvException(const std::string& message)
      : ConcreteError(MANTA_ERROR_INVALID_ARGUMENT, message) {}
};

}  // namespace internal
}  // namespace ray
