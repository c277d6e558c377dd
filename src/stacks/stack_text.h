// Stacks of errors as text: what a user reads below the message.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "stacks/symbolizer.h"

namespace manta::stacks {

inline constexpr size_t kMaxFrames = 64;
inline constexpr size_t kMaxStackBytes = size_t{16} * 1024;

// `frames` without those of the C++ runtime that throw, and without those of Manta that lead to the user's function or that
// turn an error into an exception. At least one if there is any.
std::span<const Frame> UserFrames(std::span<const Frame> frames);

// One line per frame:  "  #0 Find(int) at /src/find.cc:12 (/bin/prog+0x12af)". At most kMaxFrames, and fewer when they are too
// long; a last line says that there were more, or that the stack `is_cut`.
std::string FramesText(std::span<const Frame> frames, bool is_cut);

// The stack of an error that passes on from a task to the one that waited for it: what it has so far, then where it passed.
// Both parts may end with a line break, the whole does not. Never longer than kMaxStackBytes: when there is no more room, places in between are counted instead of shown.
std::string PassedOn(std::string_view stack, std::string_view section);

}  // namespace manta::stacks
