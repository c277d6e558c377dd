#include "bindings/python/archived_calls.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bindings/python/archive_schema.h"
#include "bindings/python/archive_values.h"

namespace manta::python {
namespace {

bool Damaged() {
  PyErr_SetString(PyExc_RuntimeError, "the description of a call by another language arrived damaged");
  return false;
}

// The exception that is set, with words in front of its text.
void Explain(const char* words) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const Owned owners[] = {Owned(type), Owned(value), Owned(traceback)};
  PyErr_Format(type, "%s: %S", words, value);
}

// As include/manta/detail/invoker.h reads one.
PyObject* ReadArgument(const manta_call* call, std::string_view* schema, ArchiveReader* in) {
  if (in->position >= in->all.size()) return Damaged(), nullptr;
  const char tag = in->all[in->position++];
  if (tag == 0) return ReadArchived(schema, in);
  uint32_t index;
  if (tag != 1 || in->all.size() - in->position < sizeof index) return Damaged(), nullptr;
  std::memcpy(&index, in->all.data() + in->position, sizeof index);
  in->position += sizeof index;
  if (index >= call->num_dependencies) return Damaged(), nullptr;
  const manta_bytes& bytes = call->dependencies[index];
  ArchiveReader object{{static_cast<const char*>(bytes.data), bytes.size}};
  Owned value(ReadArchived(schema, &object));
  if (value && object.position != object.all.size()) {
    PyErr_SetString(PyExc_TypeError, "an argument is a reference whose value is of another type than C++ says, or of another language");
    return nullptr;
  }
  return value.release();
}

// Up to the next line.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = std::min(text->find('\n'), text->size());
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return line;
}

PyObject* Find(CallKind kind, PyObject* actor, std::string_view module, std::string_view name) {
  const Owned name_text(PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), nullptr));
  if (!name_text) return nullptr;
  if (kind == CallKind::kMethod) return PyObject_GetAttr(actor, name_text.get());
  const Owned module_text(PyUnicode_DecodeUTF8(module.data(), static_cast<Py_ssize_t>(module.size()), nullptr));
  if (!module_text) return nullptr;
  PyObject* arguments[] = {module_text.get(), name_text.get(), kind == CallKind::kConstructor ? Py_True : Py_False};
  return PyObject_Vectorcall(TheCallbacks().find_named, arguments, 3, nullptr);
}

}  // namespace

bool ReadArchivedCall(const manta_call* call, ArchivedCall* out) {
  ArchiveReader in{{static_cast<const char*>(call->args), call->args_size}};
  std::string_view text_schema = "s";
  const Owned described(ReadArgument(call, &text_schema, &in));
  Py_ssize_t size;
  const char* const text = described ? PyUnicode_AsUTF8AndSize(described.get(), &size) : nullptr;
  if (text == nullptr) return false;
  std::string_view rest(text, static_cast<size_t>(size));
  if (rest.size() < 2 || rest[1] != '(') return Damaged();
  out->kind = rest[0] == 'c' ? CallKind::kConstructor : rest[0] == 'm' ? CallKind::kMethod : CallKind::kFunction;
  rest.remove_prefix(1);
  std::string_view schema = TakeLine(&rest);
  if (!CanBeFollowed(schema)) return Damaged();
  schema.remove_prefix(1);
  const std::string_view module = TakeLine(&rest);
  out->callable = Owned(Find(out->kind, static_cast<PyObject*>(call->actor), module, rest));
  if (!out->callable) return false;
  while (!schema.empty() && schema.front() != ')') {
    out->arguments.emplace_back(ReadArgument(call, &schema, &in));
    if (!out->arguments.back()) return false;
  }
  if (schema.empty() || in.position != in.all.size()) return Damaged();
  out->result = schema.substr(1);
  return true;
}

bool WriteArchivedResult(manta_call* call, const std::string& schema, PyObject* result) {
  if (call->num_results == 0) return true;
  std::string bytes;
  std::string_view rest = schema;
  if (rest == "e") result = Py_None;  // the caller does not want it
  if (!WriteArchived(&rest, result, &bytes)) return Explain("the result is not what the caller expects"), false;
  if (call->num_results == 1 && bytes.size() <= call->inline_capacity) {
    std::memcpy(call->inline_result, bytes.data(), bytes.size());
    call->inline_size = bytes.size();
    return true;
  }
  const WithoutInterpreter others;  // it may wait for room
  void* const space = call->ops->allocate_result(call, 0, bytes.size(), nullptr, 0);
  if (space != nullptr) std::memcpy(space, bytes.data(), bytes.size());
  return true;
}

}  // namespace manta::python
