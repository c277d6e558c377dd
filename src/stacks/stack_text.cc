#include "stacks/stack_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace manta::stacks {
namespace {

constexpr size_t kMaxFunction = 400;  // characters of a name; templates can have thousands
constexpr std::string_view kLeftOut = "... and passed on ";
constexpr std::string_view kMoreTimes = " more times";

// Functions of the C++ runtime that lead from `throw` to the search for a handler.
bool Throws(const Frame& frame) {
  const std::string_view name = frame.symbol;
  return name == "__cxa_throw" || name == "__cxa_rethrow" || name == "_Unwind_RaiseException" ||
         name == "_Unwind_Resume_or_Rethrow" || name.starts_with("__interceptor__") ||
         name.starts_with("___interceptor_") || name.starts_with("_ZSt17rethrow_exception");
}

// A symbol of a namespace, or local to a function of it, begins with _Z, qualifiers and the namespace.
bool IsIn(std::string_view symbol, std::string_view space) {
  if (!symbol.starts_with("_Z")) return false;
  symbol.remove_prefix(std::min(symbol.find_first_not_of("ZNKRO", 2), symbol.size()));
  return symbol.starts_with(space);
}

bool IsInvoker(const Frame& frame) {
  return IsIn(frame.symbol, "5manta2v16detail") || IsIn(frame.symbol, "St8__invoke") ||
         IsIn(frame.symbol, "St13__invoke_impl") || IsIn(frame.symbol, "St12__apply_impl") ||
         IsIn(frame.symbol, "St5apply");
}

bool MakesException(const Frame& frame) {
  return IsIn(frame.symbol, "5manta2v16detail") || IsIn(frame.symbol, "5manta2v110ThrowError");
}

}  // namespace

std::span<const Frame> UserFrames(std::span<const Frame> frames) {
  constexpr size_t kRuntimeFrames = 16;
  size_t begin = 0;
  for (size_t i = 0; i < std::min(frames.size(), kRuntimeFrames); ++i) {
    if (Throws(frames[i])) begin = i + 1;
  }
  std::span<const Frame> left = frames.subspan(begin);
  while (left.size() > 1 && MakesException(left.front())) left = left.subspan(1);
  while (left.size() > 1 && IsInvoker(left.back())) left = left.first(left.size() - 1);
  return left;
}

std::string FramesText(std::span<const Frame> frames, bool is_cut) {
  constexpr size_t kMaxLine = 1000;
  constexpr size_t kRoom = kMaxStackBytes - 2 * kMaxLine;  // the heading and the last line have room, too
  std::string text;
  for (size_t i = 0; i < frames.size(); ++i) {
    if (i == kMaxFrames || text.size() > kRoom) {
      is_cut = true;
      break;
    }
    const Frame& frame = frames[i];
    std::string line = "  #" + std::to_string(i) + " ";
    line += frame.function.empty() ? "??" : frame.function.substr(0, kMaxFunction);
    if (frame.function.size() > kMaxFunction) line += "...";
    if (!frame.source.file.empty()) line += " at " + frame.source.file + ":" + std::to_string(frame.source.line);
    char offset[24];
    std::snprintf(offset, sizeof offset, "+0x%llx)", static_cast<unsigned long long>(frame.offset));
    line += " (" + frame.module + offset;
    text += line.substr(0, kMaxLine - 1) + "\n";
  }
  if (is_cut) text += "  ... more frames\n";
  return text;
}

std::string PassedOn(std::string_view stack, std::string_view section) {
  const auto without_break = [](std::string_view text) {
    return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
  };
  stack = without_break(stack);
  section = without_break(section);
  // The note of places that found no room is the last line.
  unsigned long left_out = 0;
  const size_t note = stack.rfind('\n') + 1;
  if (stack.substr(note).starts_with(kLeftOut)) {
    const std::string_view number = stack.substr(note + kLeftOut.size());
    std::from_chars(number.data(), number.data() + number.size(), left_out);
    stack = stack.substr(0, note - 1);
  }
  constexpr size_t kNoteRoom = 64;
  std::string whole(stack.substr(0, kMaxStackBytes - kNoteRoom));
  if (!whole.empty()) whole += '\n';
  if (left_out == 0 && whole.size() + section.size() + kNoteRoom <= kMaxStackBytes) return whole.append(section);
  return whole.append(kLeftOut).append(std::to_string(left_out + 1)).append(kMoreTimes);
}

}  // namespace manta::stacks
