#include "worker/named_functions.h"

#include <algorithm>

namespace manta::worker {
namespace {

bool SameCode(const manta_named_function& a, const manta_named_function& b) { return a.invoker == b.invoker && a.target == b.target; }

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace

NamedFunctions& NamedFunctions::OfThisProcess() {
  // Static constructors of other modules use it before this library's own would have run.
  static NamedFunctions* const functions = new NamedFunctions();
  return *functions;
}

std::vector<std::string> NamedFunctions::Split(std::string_view names) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : names) {
    if (c == ' ' || c == '\t' || c == '\n') continue;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
      continue;
    }
    depth += c == '(' || c == '<' ? 1 : c == ')' || c == '>' ? -1 : 0;
    parts.back() += c;
  }
  return parts;
}

std::string NamedFunctions::Plain(std::string_view name) {
  if (TakePrefix(&name, "RAY_FUNC(")) {
    name = name.substr(0, name.find_first_of(",)"));
  } else if (TakePrefix(&name, "manta::Overload<") || TakePrefix(&name, "Overload<")) {
    const size_t function = name.rfind('(');
    if (function != std::string_view::npos) name = name.substr(function + 1, name.size() - function - 2);
  }
  TakePrefix(&name, "&");
  return std::string(name);
}

void NamedFunctions::Register(std::string_view names, uint32_t index, const manta_named_function& function) {
  const std::vector<std::string> parts = Split(names);
  const std::string name = index < parts.size() ? parts[index] : std::string(names);
  std::lock_guard guard(mutex_);
  entries_.push_back({name, Plain(name), function});
}

Result<manta_named_function> NamedFunctions::Find(std::string_view given) const {
  const std::string name = Split(given).front();
  const std::string wanted = Split(given).size() == 1 ? name : std::string(given);
  std::lock_guard guard(mutex_);
  const Entry* found = nullptr;
  bool exact = false;
  std::string others;
  for (const Entry& entry : entries_) {
    const bool is_exact = entry.name == wanted;
    if (!is_exact && (exact || entry.plain != Plain(wanted))) continue;
    if (found != nullptr && is_exact == exact && !SameCode(found->function, entry.function)) {
      others += (others.empty() ? found->name : "") + ", " + entry.name;
      continue;
    }
    if (is_exact && !exact) others.clear();
    exact = is_exact;
    found = &entry;
  }
  if (!others.empty()) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "several C++ functions are called '" + std::string(given) + "': " + others +
                                                       "; say which, as it stands in MANTA_REMOTE or RAY_REMOTE");
  }
  if (found != nullptr) return found->function;
  std::string all;
  for (const Entry& entry : entries_) all += (all.empty() ? "" : ", ") + entry.name;
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   "no C++ function is registered as '" + std::string(given) + "' here; " +
                       (all.empty() ? "none is at all: is the library that does so, by MANTA_REMOTE or RAY_REMOTE, in the code_search_path?"
                                    : "there are " + all));
}

}  // namespace manta::worker
