#include "bindings/python/archive_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "bindings/python/archive_schema.h"

namespace manta::python {
namespace {

bool Mismatch(const char* expected, PyObject* value) {
  if (PyErr_Occurred() == nullptr) PyErr_Format(PyExc_TypeError, "C++ expects %s, and got %R", expected, value);
  return false;
}

void AppendBytes(std::string* out, const void* data, size_t size) { out->append(static_cast<const char*>(data), size); }

void AppendCount(std::string* out, size_t count) {
  if (count < 255) return out->push_back(static_cast<char>(count));
  out->push_back(static_cast<char>(255));
  const uint64_t wide = count;
  AppendBytes(out, &wide, sizeof wide);
}

void Align(std::string* out, size_t alignment) {
  if (alignment > 1) out->append((alignment - out->size() % alignment) % alignment, '\0');
}

bool WriteInteger(bool is_signed, size_t size, PyObject* value, std::string* out) {
  const Owned number(PyBool_Check(value) != 0 ? nullptr : PyNumber_Index(value));
  if (!number) return PyErr_Clear(), Mismatch("an int", value);
  unsigned char bytes[8];
  if (is_signed) {
    int overflow;
    const long long wide = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    const long long least = size == 8 ? std::numeric_limits<long long>::min() : -(1LL << (size * 8 - 1));
    if (overflow != 0 || wide < least || wide > -(least + 1)) {
      PyErr_Format(PyExc_OverflowError, "C++ expects an int of %zu bits, and got %R", size * 8, value);
      return false;
    }
    std::memcpy(bytes, &wide, sizeof bytes);
  } else {
    const unsigned long long wide = PyLong_AsUnsignedLongLong(number.get());
    if (PyErr_Occurred() != nullptr || (size < 8 && wide >> (size * 8) != 0)) {
      PyErr_Clear();
      PyErr_Format(PyExc_OverflowError, "C++ expects an int of %zu bits without sign, and got %R", size * 8, value);
      return false;
    }
    std::memcpy(bytes, &wide, sizeof bytes);
  }
  AppendBytes(out, bytes, size);
  return true;
}

bool WriteFloat(size_t size, PyObject* value, std::string* out) {
  if (PyBool_Check(value) != 0 || PyNumber_Check(value) == 0) return Mismatch("a float", value);
  const double number = PyFloat_AsDouble(value);
  if (PyErr_Occurred() != nullptr) return PyErr_Clear(), Mismatch("a float", value);
  if (size == 4) {
    const float narrow = static_cast<float>(number);
    AppendBytes(out, &narrow, sizeof narrow);
  } else {
    AppendBytes(out, &number, sizeof number);
  }
  return true;
}

// A list of the elements of what stands for a sequence, for its length and its order.
Owned Elements(PyObject* value, const char* expected) {
  if (PyUnicode_Check(value) != 0 || PyBytes_Check(value) != 0 || PyDict_Check(value) != 0) return Mismatch(expected, value), Owned();
  Owned list(PySequence_List(value));
  if (!list) PyErr_Clear(), Mismatch(expected, value);
  return list;
}

// Numbers that lie in Python as they do in C++. False: they do not, or it is none; no exception.
bool WriteBuffer(std::string_view element, size_t alignment, bool as_array, PyObject* value, std::string* out) {
  if (PyObject_CheckBuffer(value) == 0 || PyBytes_Check(value) != 0) return false;
  Py_buffer buffer;
  if (PyObject_GetBuffer(value, &buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) return PyErr_Clear(), false;
  std::string_view format = buffer.format != nullptr ? buffer.format : "B";
  if (!format.empty() && (format.front() == '@' || format.front() == '=' || format.front() == '<')) format.remove_prefix(1);
  static constexpr std::string_view kSigned = "bhilq", kUnsigned = "BHILQ", kFloat = "fd";
  const char kind = element.empty() ? 0 : element.front();
  const std::string_view fitting = kind == 'i' ? kSigned : kind == 'u' ? kUnsigned : kind == 'f' ? kFloat : kind == '?' ? "?" : "";
  const bool fits = buffer.ndim == 1 && format.size() == 1 && fitting.find(format.front()) != std::string_view::npos &&
                    static_cast<size_t>(buffer.itemsize) == MemorySize(element);
  if (fits) {
    const auto size = static_cast<size_t>(buffer.len);
    const uint64_t count = size / static_cast<size_t>(buffer.itemsize);
    if (as_array) {
      AppendBytes(out, &count, sizeof count);
      Align(out, kArrayAlignment);
    } else {
      AppendCount(out, count);
      if (size >= kAlignedArraySize) Align(out, alignment);
    }
    AppendBytes(out, buffer.buf, size);
  }
  PyBuffer_Release(&buffer);
  return fits;
}

// `schema`: at the element, which is taken.
bool WriteVector(std::string_view* schema, size_t alignment, bool as_array, PyObject* value, std::string* out) {
  const std::string_view element = *schema;
  SkipDescription(schema);
  if (WriteBuffer(element, alignment, as_array, value, out)) return true;
  const Owned list = Elements(value, "a sequence");
  if (!list) return false;
  const uint64_t count = static_cast<uint64_t>(PyList_Size(list.get()));
  if (as_array) {
    AppendBytes(out, &count, sizeof count);
    Align(out, kArrayAlignment);
  } else {
    AppendCount(out, count);
    if (count * MemorySize(element) >= kAlignedArraySize) Align(out, alignment);
  }
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view each = element;
    if (!WriteArchived(&each, PyList_GetItem(list.get(), static_cast<Py_ssize_t>(i)), out)) return false;
  }
  return true;
}

bool WriteList(std::string_view* schema, PyObject* value, std::string* out) {
  const bool filled = TakeIf(schema, '~');
  const std::string_view element = *schema;
  SkipDescription(schema);
  const Owned list = Elements(value, "a sequence");
  if (!list) return false;
  const Py_ssize_t count = PyList_Size(list.get());
  AppendCount(out, static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    std::string_view each = element;
    if (filled) out->push_back('\0');
    if (!WriteArchived(&each, PyList_GetItem(list.get(), i), out)) return false;
  }
  return true;
}

bool WriteMap(std::string_view* schema, PyObject* value, std::string* out) {
  const bool filled = TakeIf(schema, '~');
  const std::string_view pair = *schema;
  SkipDescription(schema);
  SkipDescription(schema);
  if (PyDict_Check(value) == 0) return Mismatch("a dict", value);
  AppendCount(out, static_cast<size_t>(PyDict_Size(value)));
  PyObject *key, *mapped;
  for (Py_ssize_t at = 0; PyDict_Next(value, &at, &key, &mapped) != 0;) {
    std::string_view each = pair;
    if (filled) out->push_back('\0');
    if (!WriteArchived(&each, key, out) || !WriteArchived(&each, mapped, out)) return false;
  }
  return true;
}

// `count` values that the schema describes by one description (an array), or by one each until `end`.
bool WriteParts(std::string_view* schema, PyObject* value, std::string* out) {
  const Owned list = Elements(value, "a tuple");
  if (!list) return false;
  const Py_ssize_t given = PyList_Size(list.get());
  Py_ssize_t count = 0;
  for (; !schema->empty() && !TakeIf(schema, ')'); ++count) {
    if (count >= given) {
      SkipDescription(schema);
    } else if (!WriteArchived(schema, PyList_GetItem(list.get(), count), out)) {
      return false;
    }
  }
  if (count == given) return true;
  PyErr_Format(PyExc_ValueError, "C++ expects %zd values, and got %zd: %R", count, given, value);
  return false;
}

bool WriteArray(std::string_view* schema, PyObject* value, std::string* out) {
  const size_t count = TakeNumber(schema);
  TakeIf(schema, ':');
  const std::string_view element = *schema;
  SkipDescription(schema);
  const Owned list = Elements(value, "a sequence");
  if (!list) return false;
  if (static_cast<size_t>(PyList_Size(list.get())) != count) {
    PyErr_Format(PyExc_ValueError, "C++ expects %zu values, and got %zd: %R", count, PyList_Size(list.get()), value);
    return false;
  }
  for (size_t i = 0; i < count; ++i) {
    std::string_view each = element;
    if (!WriteArchived(&each, PyList_GetItem(list.get(), static_cast<Py_ssize_t>(i)), out)) return false;
  }
  return true;
}

bool WriteMemory(std::string_view* schema, PyObject* value, std::string* out) {
  const size_t size = TakeNumber(schema);
  TakeIf(schema, '{');
  const Owned list = Elements(value, "a tuple");
  if (!list) return false;
  const Py_ssize_t given = PyList_Size(list.get());
  std::string memory(size, '\0');
  Py_ssize_t count = 0;
  for (; !schema->empty() && !TakeIf(schema, '}'); ++count) {
    const size_t offset = TakeNumber(schema);
    TakeIf(schema, ':');
    std::string field;
    if (count >= given) {
      SkipDescription(schema);
    } else if (!WriteArchived(schema, PyList_GetItem(list.get(), count), &field)) {
      return false;
    }
    if (offset <= size && field.size() <= size - offset) std::memcpy(memory.data() + offset, field.data(), field.size());
  }
  if (count != given) {
    PyErr_Format(PyExc_ValueError, "C++ expects %zd values, and got %zd: %R", count, given, value);
    return false;
  }
  out->append(memory);
  return true;
}

bool WriteText(bool bytes, PyObject* value, std::string* out) {
  const char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_Check(value) != 0) {
    char* of_bytes = nullptr;
    if (PyBytes_AsStringAndSize(value, &of_bytes, &size) != 0) return false;
    data = of_bytes;
  } else if (!bytes && PyUnicode_Check(value) != 0) {
    data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == nullptr) return false;
  } else {
    return Mismatch(bytes ? "bytes" : "a str", value);
  }
  AppendCount(out, static_cast<size_t>(size));
  AppendBytes(out, data, static_cast<size_t>(size));
  return true;
}

}  // namespace

bool WriteArchived(std::string_view* schema, PyObject* value, std::string* out) {
  const char kind = TakeKind(schema);
  switch (kind) {
    case '?':
      if (PyBool_Check(value) == 0) return Mismatch("a bool", value);
      out->push_back(value == Py_True ? 1 : 0);
      return true;
    case 'i': case 'u': return WriteInteger(kind == 'i', TakeSize(schema), value, out);
    case 'f': return WriteFloat(TakeSize(schema), value, out);
    case 's': case 'b': return WriteText(kind == 'b', value, out);
    case 'v': {
      const size_t alignment = TakeNumber(schema);
      TakeIf(schema, ':');
      return WriteVector(schema, alignment, false, value, out);
    }
    case 'V': return WriteVector(schema, 0, true, value, out);
    case 'l': return WriteList(schema, value, out);
    case 'm': return WriteMap(schema, value, out);
    case 'o':
      out->push_back(value == Py_None ? 0 : 1);
      if (value != Py_None) return WriteArchived(schema, value, out);
      SkipDescription(schema);
      return true;
    case 'a': return WriteArray(schema, value, out);
    case '(': return WriteParts(schema, value, out);
    case 'B': return WriteMemory(schema, value, out);
    case 'e': return value == Py_None || Mismatch("None", value);
    case '!': return RaiseUnknown(*schema), false;
    default: return RaiseDamagedArchive(), false;
  }
}

}  // namespace manta::python
