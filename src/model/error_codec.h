// The form in which an Error travels inside a completion, a dependency or a control message.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace manta::model {

// kind u32, then message, type name, stack and payload, each as u32 length and bytes, then the ids of actor and task (little endian).
std::string EncodeError(const Error& error);

// Of those that there are; others arrive damaged.
inline constexpr manta_error_kind kLastErrorKind = MANTA_ERROR_ACTOR_PLACEMENT_GROUP_REMOVED;

// Never fails: of damaged bytes it makes an error that says so.
Error DecodeError(const void* bytes, size_t size);

}  // namespace manta::model
