// Python values as the archives of C++ types, by their descriptions (include/manta/detail/schema.h). Interpreter lock.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "bindings/python/py.h"

namespace manta::python {

// Appends `value` to `out`, where the archive begins at `out`'s start, and takes the type's description off the front of `schema`. False
// with an exception that says what does not fit.
bool WriteArchived(std::string_view* schema, PyObject* value, std::string* out);

struct ArchiveReader {
  std::string_view all;
  size_t position = 0;
};

// nullptr with an exception.
PyObject* ReadArchived(std::string_view* schema, ArchiveReader* in);

// A TypeError with the name of the type that stands at the front of `schema`.
void RaiseUnknown(std::string_view schema);
// A RuntimeError.
void RaiseDamagedArchive();

}  // namespace manta::python
