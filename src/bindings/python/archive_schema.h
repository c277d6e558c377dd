// Descriptions of archives (include/manta/detail/schema.h), as they are taken apart.
#pragma once

#include <cstddef>
#include <string_view>

namespace manta::python {

inline constexpr size_t kAlignedArraySize = 1024;  // as codec_std.h
inline constexpr size_t kArrayAlignment = 64;      // as array.h

// Each takes something off the front.
size_t TakeNumber(std::string_view* schema);
size_t TakeSize(std::string_view* schema);  // of a number: one digit
bool TakeIf(std::string_view* schema, char c);
char TakeKind(std::string_view* schema);  // 0 at the end
void SkipDescription(std::string_view* schema);

// Of what is as in memory, else 0.
size_t MemorySize(std::string_view schema);

// Whether descriptions that another process has written can be followed: nothing is very deep, nor outside of its memory.
bool CanBeFollowed(std::string_view schema);

}  // namespace manta::python
