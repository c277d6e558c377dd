#include "bindings/python/cpp_calls.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "bindings/python/archive_schema.h"
#include "bindings/python/archive_values.h"
#include "bindings/python/errors.h"

namespace manta::python {
namespace {

constexpr char kInstance[] = "manta C++ actor";

std::string Demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return status == 0 && text ? text.get() : name;
}

// One call of an invoker, which takes it for a task's.
struct LocalCall {
  manta_call call{};
  std::string result;
  void* instance = nullptr;
  void (*destroy)(void*) = nullptr;
  bool failed = false;
  std::string type, message, stack;
  char inline_result[256];

  static LocalCall& Of(manta_call* call) { return *reinterpret_cast<LocalCall*>(call); }  // `call` is the first member

  void Fail(const manta_failure& failure, const char* its_stack) {
    failed = true;
    type = Demangled(failure.type_name != nullptr ? failure.type_name : "");
    message = failure.message != nullptr ? failure.message : "";
    stack = its_stack != nullptr ? its_stack : "";
  }
};

void FailForReferences(manta_call* call) {
  LocalCall::Of(call).Fail({MANTA_ERROR_TASK, "", "the result has references in it, which cannot go to another language"}, "");
}

const manta_call_ops kOps = {
    .allocate_result =
        [](manta_call* call, uint32_t, size_t size, manta_ref* const*, size_t num_nested) -> void* {
      if (num_nested > 0) return FailForReferences(call), nullptr;
      LocalCall::Of(call).result.resize(size);
      return LocalCall::Of(call).result.data();
    },
    .fail = [](manta_call* call, const manta_failure* failure) { LocalCall::Of(call).Fail(*failure, ""); },
    .retain_dependency = [](manta_call*, uint32_t) -> manta_ref* { return nullptr; },
    .set_actor =
        [](manta_call* call, void* instance, void (*destroy)(void*)) {
          LocalCall::Of(call).instance = instance;
          LocalCall::Of(call).destroy = destroy;
        },
    .pass_on = [](manta_call* call, const manta_failure* failure, const char* stack) { LocalCall::Of(call).Fail(*failure, stack); },
    .fail_with = [](manta_call* call, const manta_failure* failure, const char* stack,
                    manta_bytes) { LocalCall::Of(call).Fail(*failure, stack); },
    .serve = [](manta_call*, const char*) -> manta_calls* { return nullptr; },
    .defer = [](manta_call*, void*) { return 0; },
    .finish = [](manta_call*) {},
    .resume = [](manta_call*) {},
    .suspend = [](manta_call*) {},
    .emit = [](manta_call*, uint32_t) { return 0; },
    .set_stoppable = [](manta_call*, int) {},
};

void DestroyInstance(PyObject* capsule) {
  auto* const destroy = reinterpret_cast<void (*)(void*)>(PyCapsule_GetContext(capsule));
  void* const instance = PyCapsule_GetPointer(capsule, kInstance);
  if (instance != nullptr && destroy != nullptr) destroy(instance);
}

// The arguments as the invoker reads them. False with an exception that says which one does not fit.
bool EncodeCppArguments(const char* name, const manta_named_function& function, PyObject* arguments, std::string* out,
                        std::string_view* schema) {
  out->assign(reinterpret_cast<const char*>(function.prefix), function.prefix_size);
  const Py_ssize_t given = PyTuple_Size(arguments);
  *schema = function.signature();
  schema->remove_prefix(1);
  std::string_view rest = *schema;
  Py_ssize_t wanted = 0;
  for (; !rest.empty() && rest.front() != ')'; ++wanted) SkipDescription(&rest);
  if (given != wanted) {
    PyErr_Format(PyExc_TypeError, "the C++ function %s takes %zd arguments, and got %zd", name, wanted, given);
    return false;
  }
  for (Py_ssize_t i = 0; i < given; ++i) {
    out->push_back(0);  // the value itself follows
    if (WriteArchived(schema, PyTuple_GetItem(arguments, i), out)) continue;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    const Owned owners[] = {Owned(type), Owned(value), Owned(traceback)};
    PyErr_Format(type, "argument %zd of the C++ function %s: %S", i + 1, name, value);
    return false;
  }
  schema->remove_prefix(1);
  return true;
}

// (name, instance or None, arguments) -> (None, value) or ((type, message, stack), None). The value of a factory is an instance.
PyObject* CallCpp(PyObject*, PyObject* given) {
  const char* name;
  PyObject *instance, *arguments;
  if (!PyArg_ParseTuple(given, "sOO!", &name, &instance, &PyTuple_Type, &arguments)) return nullptr;
  manta_named_function function;
  function.struct_size = sizeof function;
  if (manta_error* const error = manta_named_function_find(name, &function)) return Raise(error);
  const bool is_method = instance != Py_None;
  if (function.invoker == nullptr || is_method != (function.kind == MANTA_NAMED_METHOD)) {
    PyErr_Format(PyExc_TypeError, function.invoker == nullptr ? "the C++ function %s takes or returns what cannot travel to another process"
                                  : is_method                 ? "the C++ function %s is no method"
                                                              : "the C++ function %s is a method: call it on an actor",
                 name);
    return nullptr;
  }
  std::string bytes;
  std::string_view schema;
  if (!EncodeCppArguments(name, function, arguments, &bytes, &schema)) return nullptr;
  LocalCall local;
  local.call.runtime = manta_current();
  local.call.ops = &kOps;
  local.call.target = function.target;
  local.call.args = bytes.data();
  local.call.args_size = bytes.size();
  local.call.num_results = function.kind == MANTA_NAMED_FACTORY ? 0 : 1;
  local.call.actor = is_method ? PyCapsule_GetPointer(instance, kInstance) : nullptr;
  local.call.inline_result = local.inline_result;
  local.call.inline_capacity = sizeof local.inline_result;
  if (is_method && local.call.actor == nullptr) return nullptr;
  {
    const WithoutInterpreter others;
    function.invoker(&local.call);
  }
  if (local.failed) return Py_BuildValue("((sss)O)", local.type.c_str(), local.message.c_str(), local.stack.c_str(), Py_None);
  if (function.kind == MANTA_NAMED_FACTORY) {
    Owned made(PyCapsule_New(local.instance, kInstance, DestroyInstance));
    if (!made || PyCapsule_SetContext(made.get(), reinterpret_cast<void*>(local.destroy)) != 0) return nullptr;
    return Py_BuildValue("(ON)", Py_None, made.release());
  }
  ArchiveReader in{{local.result.data(), local.result.size()}};
  if (local.result.empty()) in.all = {local.inline_result, local.call.inline_size};
  Owned value(ReadArchived(&schema, &in));
  if (value && in.position != in.all.size()) return RaiseDamagedArchive(), nullptr;
  return value ? Py_BuildValue("(ON)", Py_None, value.release()) : nullptr;
}

// (path): loads a library, whose functions are known by name from then on. OSError that says why it cannot be.
PyObject* LoadLibrary(PyObject*, PyObject* path) {
  const char* const text = PyUnicode_AsUTF8AndSize(path, nullptr);
  if (text == nullptr) return nullptr;
  if (dlopen(text, RTLD_NOW | RTLD_LOCAL) == nullptr) {
    PyErr_Format(PyExc_OSError, "%s", dlerror());
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"call_cpp", CallCpp, METH_VARARGS, nullptr},
                           {"load_library", LoadLibrary, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool AddCppCalls(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace manta::python
