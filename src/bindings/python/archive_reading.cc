#include "bindings/python/archive_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "bindings/python/archive_schema.h"

namespace manta::python {
namespace {

// Elements that take no bytes: nothing else bounds their number.
constexpr size_t kMostOfNothing = 65536;

PyObject* Damaged() {
  RaiseDamagedArchive();
  return nullptr;
}

const char* TakeBytes(ArchiveReader* in, size_t size) {
  if (size > in->all.size() - in->position) return Damaged(), nullptr;
  const char* const taken = in->all.data() + in->position;
  in->position += size;
  return taken;
}

bool ReadCount(ArchiveReader* in, size_t* count) {
  const char* const byte = TakeBytes(in, 1);
  if (byte == nullptr) return false;
  *count = static_cast<unsigned char>(*byte);
  if (*count < 255) return true;
  uint64_t wide;
  const char* const bytes = TakeBytes(in, sizeof wide);
  if (bytes == nullptr) return false;
  std::memcpy(&wide, bytes, sizeof wide);
  *count = wide;
  return true;
}

bool AlignReader(ArchiveReader* in, size_t alignment) {
  return alignment <= 1 || TakeBytes(in, (alignment - in->position % alignment) % alignment) != nullptr;
}

PyObject* ReadNumber(char kind, size_t size, ArchiveReader* in) {
  const char* const bytes = TakeBytes(in, size);
  if (bytes == nullptr) return nullptr;
  if (kind == 'f') {
    float narrow = 0;
    double wide = 0;
    std::memcpy(size == 4 ? static_cast<void*>(&narrow) : &wide, bytes, size == 4 ? 4 : 8);
    return PyFloat_FromDouble(size == 4 ? static_cast<double>(narrow) : wide);
  }
  uint64_t number = 0;
  std::memcpy(&number, bytes, std::min<size_t>(size, sizeof number));
  if (kind == 'u') return PyLong_FromUnsignedLongLong(number);
  const unsigned shift = static_cast<unsigned>(64 - 8 * size);
  return PyLong_FromLongLong(static_cast<int64_t>(number << shift) >> shift);
}

// `count` elements of one description, which stays.
PyObject* ReadElements(std::string_view element, bool filled, size_t count, ArchiveReader* in) {
  if (count > std::max(in->all.size() - in->position, kMostOfNothing)) return Damaged();
  Owned list(PyList_New(0));
  for (size_t i = 0; list && i < count; ++i) {
    std::string_view each = element;
    if (filled && TakeBytes(in, 1) == nullptr) return nullptr;
    const Owned value(ReadArchived(&each, in));
    if (!value || PyList_Append(list.get(), value.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject* ReadVector(std::string_view* schema, size_t alignment, bool as_array, ArchiveReader* in) {
  const std::string_view element = *schema;
  SkipDescription(schema);
  size_t count = 0;
  if (as_array) {
    const char* const bytes = TakeBytes(in, sizeof(uint64_t));
    if (bytes == nullptr) return nullptr;
    std::memcpy(&count, bytes, sizeof count);
    if (!AlignReader(in, kArrayAlignment)) return nullptr;
  } else if (!ReadCount(in, &count) || (count * MemorySize(element) >= kAlignedArraySize && !AlignReader(in, alignment))) {
    return nullptr;
  }
  return ReadElements(element, false, count, in);
}

PyObject* ReadMap(std::string_view* schema, ArchiveReader* in) {
  const bool filled = TakeIf(schema, '~');
  const std::string_view pair = *schema;
  SkipDescription(schema);
  SkipDescription(schema);
  size_t count;
  if (!ReadCount(in, &count)) return nullptr;
  if (count > std::max(in->all.size() - in->position, kMostOfNothing)) return Damaged();
  Owned dict(PyDict_New());
  for (size_t i = 0; dict && i < count; ++i) {
    std::string_view each = pair;
    if (filled && TakeBytes(in, 1) == nullptr) return nullptr;
    const Owned key(ReadArchived(&each, in));
    const Owned value(key ? ReadArchived(&each, in) : nullptr);
    if (!value || PyDict_SetItem(dict.get(), key.get(), value.get()) != 0) return nullptr;
  }
  return dict.release();
}

PyObject* ReadParts(std::string_view* schema, ArchiveReader* in) {
  Owned list(PyList_New(0));
  while (list && !schema->empty() && !TakeIf(schema, ')')) {
    const Owned value(ReadArchived(schema, in));
    if (!value || PyList_Append(list.get(), value.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject* ReadMemory(std::string_view* schema, ArchiveReader* in) {
  const size_t size = TakeNumber(schema);
  TakeIf(schema, '{');
  const char* const memory = TakeBytes(in, size);
  Owned list(memory != nullptr ? PyList_New(0) : nullptr);
  while (list && !schema->empty() && !TakeIf(schema, '}')) {
    ArchiveReader field{{memory, size}, TakeNumber(schema)};
    TakeIf(schema, ':');
    const Owned value(ReadArchived(schema, &field));
    if (!value || PyList_Append(list.get(), value.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject* ReadText(bool bytes, ArchiveReader* in) {
  size_t size;
  if (!ReadCount(in, &size)) return nullptr;
  const char* const data = TakeBytes(in, size);
  if (data == nullptr) return nullptr;
  return bytes ? PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(size))
               : PyUnicode_DecodeUTF8(data, static_cast<Py_ssize_t>(size), nullptr);
}

}  // namespace

PyObject* ReadArchived(std::string_view* schema, ArchiveReader* in) {
  const char kind = TakeKind(schema);
  switch (kind) {
    case '?': {
      const char* const byte = TakeBytes(in, 1);
      return byte == nullptr ? nullptr : PyBool_FromLong(*byte);
    }
    case 'i': case 'u': case 'f': return ReadNumber(kind, TakeSize(schema), in);
    case 's': case 'b': return ReadText(kind == 'b', in);
    case 'v': {
      const size_t alignment = TakeNumber(schema);
      TakeIf(schema, ':');
      return ReadVector(schema, alignment, false, in);
    }
    case 'V': return ReadVector(schema, 0, true, in);
    case 'l': {
      const bool filled = TakeIf(schema, '~');
      const std::string_view element = *schema;
      SkipDescription(schema);
      size_t count;
      return ReadCount(in, &count) ? ReadElements(element, filled, count, in) : nullptr;
    }
    case 'm': return ReadMap(schema, in);
    case 'o': {
      const char* const there = TakeBytes(in, 1);
      if (there == nullptr) return nullptr;
      if (*there != 0) return ReadArchived(schema, in);
      SkipDescription(schema);
      Py_RETURN_NONE;
    }
    case 'a': {
      const size_t count = TakeNumber(schema);
      TakeIf(schema, ':');
      const std::string_view element = *schema;
      SkipDescription(schema);
      return ReadElements(element, false, count, in);
    }
    case '(': return ReadParts(schema, in);
    case 'B': return ReadMemory(schema, in);
    case 'e': Py_RETURN_NONE;
    case '!': return RaiseUnknown(*schema), nullptr;
    default: return Damaged();
  }
}

void RaiseUnknown(std::string_view schema) {
  const std::string name(schema.substr(0, std::min(schema.find(';'), schema.size())));
  PyErr_Format(PyExc_TypeError, "C++ has %.200s here, for which Python has no value", name.c_str());
}

void RaiseDamagedArchive() { PyErr_SetString(PyExc_RuntimeError, "a value arrived damaged: it is not of the type that C++ says"); }

}  // namespace manta::python
