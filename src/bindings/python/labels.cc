#include "bindings/python/labels.h"

#include <vector>

#include "bindings/python/errors.h"

namespace manta::python {
namespace {

// check_label(name, value): ValueError if no node can be given such a label.
PyObject* CheckLabel(PyObject*, PyObject* arguments) {
  const char *name, *value;
  if (!PyArg_ParseTuple(arguments, "ss", &name, &value) || !Accepts(manta_label_check(name, value))) return nullptr;
  Py_RETURN_NONE;
}

// check_label_condition(name, condition): ValueError if a selector cannot ask so.
PyObject* CheckCondition(PyObject*, PyObject* arguments) {
  const char *name, *condition;
  if (!PyArg_ParseTuple(arguments, "ss", &name, &condition) || !Accepts(manta_label_condition_check(name, condition))) return nullptr;
  Py_RETURN_NONE;
}

// node_labels() -> dict: of this process's node.
PyObject* NodeLabels(PyObject*, PyObject*) {
  manta_runtime* const runtime = RuntimeFor("get_node_labels");
  size_t count = 0;
  if (runtime == nullptr || !Accepts(manta_node_labels(runtime, nullptr, 0, &count))) return nullptr;
  std::vector<manta_label> labels(count);
  if (!Accepts(manta_node_labels(runtime, labels.data(), labels.size(), &count))) return nullptr;
  Owned dict(PyDict_New());
  for (const manta_label& label : labels) {
    Owned value(PyUnicode_FromString(label.value));
    if (!dict || !value || PyDict_SetItemString(dict.get(), label.name, value.get()) != 0) return nullptr;
  }
  return dict.release();
}

PyMethodDef functions[] = {{"check_label", CheckLabel, METH_VARARGS, nullptr},
                           {"check_label_condition", CheckCondition, METH_VARARGS, nullptr},
                           {"node_labels", NodeLabels, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool AddLabels(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace manta::python
