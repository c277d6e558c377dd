#include "bindings/python/archive_schema.h"

#include <algorithm>

namespace manta::python {

size_t TakeNumber(std::string_view* schema) {
  size_t number = 0;
  while (!schema->empty() && schema->front() >= '0' && schema->front() <= '9') {
    number = number * 10 + static_cast<size_t>(schema->front() - '0');
    schema->remove_prefix(1);
  }
  return number;
}

size_t TakeSize(std::string_view* schema) {
  if (schema->empty()) return 0;
  const char digit = schema->front();
  schema->remove_prefix(1);
  return static_cast<size_t>(digit - '0') & 15;
}

bool TakeIf(std::string_view* schema, char c) {
  if (schema->empty() || schema->front() != c) return false;
  schema->remove_prefix(1);
  return true;
}

char TakeKind(std::string_view* schema) {
  if (schema->empty()) return 0;
  const char kind = schema->front();
  schema->remove_prefix(1);
  return kind;
}

void SkipDescription(std::string_view* schema) {
  switch (TakeKind(schema)) {
    case 'i': case 'u': case 'f': TakeSize(schema); return;
    case 'v': case 'a': TakeNumber(schema); TakeIf(schema, ':'); return SkipDescription(schema);
    case 'V': case 'o': return SkipDescription(schema);
    case 'l': TakeIf(schema, '~'); return SkipDescription(schema);
    case 'm': TakeIf(schema, '~'); SkipDescription(schema); return SkipDescription(schema);
    case '(':
      while (!schema->empty() && !TakeIf(schema, ')')) SkipDescription(schema);
      return;
    case 'B':
      TakeNumber(schema);
      TakeIf(schema, '{');
      while (!schema->empty() && !TakeIf(schema, '}')) {
        TakeNumber(schema);
        TakeIf(schema, ':');
        SkipDescription(schema);
      }
      return;
    case '!': {
      const size_t end = schema->find(';');
      schema->remove_prefix(end == std::string_view::npos ? schema->size() : end + 1);
      return;
    }
    default: return;
  }
}

size_t MemorySize(std::string_view schema) {
  switch (TakeKind(&schema)) {
    case '?': return 1;
    case 'i': case 'u': case 'f': return TakeSize(&schema);
    case 'B': return TakeNumber(&schema);
    case 'a': {
      const size_t count = TakeNumber(&schema);
      TakeIf(&schema, ':');
      return count * MemorySize(schema);
    }
    default: return 0;
  }
}

namespace {

constexpr int kDeepest = 64;
constexpr size_t kLargest = size_t{1} << 40;  // bytes in memory

bool Takes(std::string_view* schema, int depth);

// As in memory: then `size` says how many bytes.
bool TakesMemory(std::string_view* schema, int depth, size_t* size) {
  *size = MemorySize(*schema);
  return Takes(schema, depth) && *size > 0;
}

bool TakesUntil(std::string_view* schema, char end, int depth) {
  while (!TakeIf(schema, end)) {
    if (!Takes(schema, depth)) return false;
  }
  return true;
}

bool TakesFields(std::string_view* schema, size_t whole, int depth) {
  while (!TakeIf(schema, '}')) {
    const size_t offset = TakeNumber(schema);
    size_t size;
    if (!TakeIf(schema, ':') || !TakesMemory(schema, depth, &size) || offset > whole || size > whole - offset) return false;
  }
  return true;
}

// Takes one description off the front, if it can be followed.
bool Takes(std::string_view* schema, int depth) {
  size_t size;
  if (depth == 0) return false;
  const char kind = TakeKind(schema);
  switch (kind) {
    case '?': case 's': case 'b': case 'e': return true;
    case 'i': case 'u': size = TakeSize(schema); return size == 1 || size == 2 || size == 4 || size == 8;
    case 'f': size = TakeSize(schema); return size == 4 || size == 8;
    case 'v': return TakeNumber(schema) <= kLargest && TakeIf(schema, ':') && TakesMemory(schema, depth - 1, &size);
    case 'V': return TakesMemory(schema, depth - 1, &size);
    case 'o': return Takes(schema, depth - 1);
    case 'l': TakeIf(schema, '~'); return Takes(schema, depth - 1);
    case 'm': TakeIf(schema, '~'); return Takes(schema, depth - 1) && Takes(schema, depth - 1);
    case 'a': {
      const size_t count = TakeNumber(schema);
      size = TakeIf(schema, ':') ? MemorySize(*schema) : 0;
      return count <= kLargest && (size == 0 || count <= kLargest / size) && Takes(schema, depth - 1);
    }
    case '(': return TakesUntil(schema, ')', depth - 1);
    case 'B': {
      const size_t whole = TakeNumber(schema);
      return whole <= kLargest && TakeIf(schema, '{') && TakesFields(schema, whole, depth - 1);
    }
    case '!': schema->remove_prefix(std::min(schema->find(';'), schema->size() - 1) + 1); return true;
    default: return false;
  }
}

}  // namespace

bool CanBeFollowed(std::string_view schema) {
  while (!schema.empty()) {
    if (!Takes(&schema, kDeepest)) return false;
  }
  return true;
}

}  // namespace manta::python
