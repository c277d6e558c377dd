// What the extension uses of Python's headers beyond the stable ABI, in terms of that (https://docs.python.org/3/c-api/stable.html), under
// the usual names: one wheel then serves Python 3.12 and all that come later. Calls in the place of field accesses, so somewhat slower.
#pragma once

#include <Python.h>

#ifdef Py_LIMITED_API

inline Py_ssize_t PyList_GET_SIZE(PyObject* list) { return PyList_Size(list); }
inline PyObject* PyList_GET_ITEM(PyObject* list, Py_ssize_t i) { return PyList_GetItem(list, i); }
inline void PyList_SET_ITEM(PyObject* list, Py_ssize_t i, PyObject* item) { PyList_SetItem(list, i, item); }
inline Py_ssize_t PyTuple_GET_SIZE(PyObject* tuple) { return PyTuple_Size(tuple); }
inline PyObject* PyTuple_GET_ITEM(PyObject* tuple, Py_ssize_t i) { return PyTuple_GetItem(tuple, i); }
inline void PyTuple_SET_ITEM(PyObject* tuple, Py_ssize_t i, PyObject* item) { PyTuple_SetItem(tuple, i, item); }
inline Py_ssize_t PyBytes_GET_SIZE(PyObject* bytes) { return PyBytes_Size(bytes); }
inline char* PyBytes_AS_STRING(PyObject* bytes) { return PyBytes_AsString(bytes); }
inline double PyFloat_AS_DOUBLE(PyObject* number) { return PyFloat_AsDouble(number); }
inline const char* PyUnicode_AsUTF8(PyObject* text) { return PyUnicode_AsUTF8AndSize(text, nullptr); }
inline PyObject* PyObject_CallOneArg(PyObject* callable, PyObject* argument) { return PyObject_Vectorcall(callable, &argument, 1, nullptr); }

namespace manta::python {

// Borrowed, of the module `types`; nullptr with an exception.
inline PyTypeObject* TypeOfTypes(const char* name) {
  PyObject* const module = PyImport_ImportModule("types");
  PyObject* const type = module == nullptr ? nullptr : PyObject_GetAttrString(module, name);
  Py_XDECREF(module);
  return reinterpret_cast<PyTypeObject*>(type);  // kept for ever
}

}  // namespace manta::python

inline int PyGen_CheckExact(PyObject* object) {
  static PyTypeObject* const type = manta::python::TypeOfTypes("GeneratorType");
  return Py_TYPE(object) == type;
}
inline int PyCoro_CheckExact(PyObject* object) {
  static PyTypeObject* const type = manta::python::TypeOfTypes("CoroutineType");
  return Py_TYPE(object) == type;
}

#endif  // Py_LIMITED_API
