#include "model/error_codec.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace manta::model {
namespace {

template <class Word>
void AppendWord(std::string& out, Word word) {
  out.append(reinterpret_cast<const char*>(&word), sizeof word);
}

void AppendText(std::string& out, const std::string& text) {
  AppendWord(out, static_cast<uint32_t>(text.size()));
  out += text;
}

template <class Word>
bool TakeWord(std::string_view& in, Word* word) {
  if (in.size() < sizeof *word) return false;
  std::memcpy(word, in.data(), sizeof *word);
  in.remove_prefix(sizeof *word);
  return true;
}

bool TakeText(std::string_view& in, std::string* text) {
  uint32_t size;
  if (!TakeWord(in, &size) || size > in.size()) return false;
  *text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

}  // namespace

std::string EncodeError(const Error& error) {
  std::string out;
  AppendWord(out, static_cast<uint32_t>(error.kind));
  AppendText(out, error.message);
  AppendText(out, error.type_name);
  AppendText(out, error.stack);
  AppendText(out, error.payload);
  AppendWord(out, error.actor.creator.value);
  AppendWord(out, error.actor.serial);
  AppendWord(out, error.task.owner.value);
  AppendWord(out, error.task.index);
  AppendWord(out, error.task.generation);
  return out;
}

Error DecodeError(const void* bytes, size_t size) {
  std::string_view in(static_cast<const char*>(bytes), size);
  Error error;
  uint32_t kind;
  if (!TakeWord(in, &kind) || !TakeText(in, &error.message) || !TakeText(in, &error.type_name) ||
      !TakeText(in, &error.stack) || !TakeText(in, &error.payload) ||
      !TakeWord(in, &error.actor.creator.value) || !TakeWord(in, &error.actor.serial) || !TakeWord(in, &error.task.owner.value) ||
      !TakeWord(in, &error.task.index) || !TakeWord(in, &error.task.generation) || kind < MANTA_ERROR_INVALID_ARGUMENT ||
      kind > kLastErrorKind) {
    return MakeError(MANTA_ERROR_SYSTEM, "an error arrived damaged and cannot be shown");
  }
  error.kind = static_cast<manta_error_kind>(kind);
  return error;
}

}  // namespace manta::model
