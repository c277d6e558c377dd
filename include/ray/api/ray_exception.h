// Ray's exceptions, as programs catch them: names for those of Manta (errors.h), which say more.
// They are for catching: RayException, RayActorException and RayTaskException are what several classes
// have in common, and cannot be thrown by themselves. A program that throws, throws its own.
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
class MANTA_API RayFunctionNotFound
    : public manta::detail::ConcreteError<MANTA_ERROR_INVALID_ARGUMENT> {
 public:
  using ConcreteError::ConcreteError;
};

// A field of a RuntimeEnv is missing or has another type.
class MANTA_API RayRuntimeEnvException
    : public manta::detail::ConcreteError<MANTA_ERROR_INVALID_ARGUMENT> {
 public:
  using ConcreteError::ConcreteError;
};

}  // namespace internal
}  // namespace ray
