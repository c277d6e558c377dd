#include "bindings/python/placement_groups.h"

#include <memory>
#include <utility>
#include <vector>

#include "bindings/python/encoding.h"
#include "bindings/python/errors.h"
#include "bindings/python/object_ref.h"

namespace manta::python {
namespace {

constexpr char kWhat[] = "placement_group";

// A list of dicts of names and amounts; names live as long as these.
bool BundlesOf(PyObject* list, std::vector<std::vector<manta_resource>>* resources, std::vector<manta_bundle>* bundles) {
  resources->reserve(static_cast<size_t>(PyList_GET_SIZE(list)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* const dict = PyList_GET_ITEM(list, i);
    if (!PyDict_Check(dict)) return PyErr_SetString(PyExc_ValueError, "a bundle has to be a dict"), false;
    auto& amounts = resources->emplace_back();
    PyObject *key, *amount;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &amount)) {
      const char* const name = PyUnicode_AsUTF8(key);
      const double quantity = PyFloat_AsDouble(amount);
      if (name == nullptr || (quantity == -1 && PyErr_Occurred() != nullptr)) return false;
      if (quantity != 0) amounts.push_back({name, quantity});
    }
    bundles->push_back({amounts.data(), amounts.size(), nullptr});
  }
  return true;
}

// create_placement_group(bundles, strategy, name, detached, soft_node_id, nodes of each bundle or None) -> (creator, serial)
PyObject* Create(PyObject*, PyObject* arguments) {
  PyObject *list, *nodes;
  manta_placement_group_options options;
  options.struct_size = sizeof options;
  manta_placement_group_options_init(&options);
  if (!PyArg_ParseTuple(arguments, "O!izpzO", &PyList_Type, &list, &options.strategy, &options.name, &options.detached,
                        &options.soft_node_id, &nodes)) {
    return nullptr;
  }
  std::vector<const char*> texts;
  for (Py_ssize_t i = 0; nodes != Py_None && i < PyList_GET_SIZE(list); ++i) {
    PyObject* const text = PyList_GetItem(nodes, i);
    texts.push_back(text == nullptr ? nullptr : PyUnicode_AsUTF8(text));
    if (texts.back() == nullptr) return nullptr;
  }
  if (!texts.empty()) options.bundle_nodes = texts.data();
  manta_runtime* const runtime = RuntimeFor(kWhat);
  std::vector<std::vector<manta_resource>> resources;
  std::vector<manta_bundle> bundles;
  if (runtime == nullptr || !BundlesOf(list, &resources, &bundles)) return nullptr;
  options.bundles = bundles.data();
  options.num_bundles = bundles.size();
  manta_placement_group_id id;
  if (!Succeeds([&] { return manta_placement_group_create(runtime, &options, &id); })) return nullptr;
  return Py_BuildValue("KK", static_cast<unsigned long long>(id.creator), static_cast<unsigned long long>(id.serial));
}

PyObject* Remove(PyObject*, PyObject* arguments) {
  unsigned long long creator, serial;
  if (!PyArg_ParseTuple(arguments, "KK", &creator, &serial)) return nullptr;
  const manta_placement_group_id id{creator, serial};
  manta_runtime* const runtime = RuntimeFor(kWhat);
  if (runtime == nullptr || !Succeeds([&] { return manta_placement_group_remove(runtime, &id); })) return nullptr;
  Py_RETURN_NONE;
}

// placement_group_ready(creator, serial, value) -> ObjectRef
PyObject* Ready(PyObject*, PyObject* arguments) {
  unsigned long long creator, serial;
  PyObject* value;
  if (!PyArg_ParseTuple(arguments, "KKO", &creator, &serial, &value)) return nullptr;
  const manta_placement_group_id id{creator, serial};
  manta_runtime* const runtime = RuntimeFor(kWhat);
  Encoder encoder;
  if (runtime == nullptr || !encoder.Encode(value)) return nullptr;
  std::vector<char> bytes(encoder.size());
  encoder.WriteTo(bytes.data());
  manta_ref* ref;
  if (!Accepts(manta_placement_group_ready(runtime, &id, {bytes.data(), bytes.size()}, &ref))) return nullptr;
  return NewRef(ref);
}

struct FreeList {
  void operator()(manta_placement_group_list* list) const { manta_placement_group_list_free(list); }
};

PyObject* Facts(const manta_placement_group_info& info) {
  Owned bundles(PyList_New(0)), nodes(PyList_New(0));
  for (size_t i = 0; bundles && nodes && i < info.num_bundles; ++i) {
    Owned dict(PyDict_New());
    for (size_t r = 0; dict && r < info.bundles[i].num_resources; ++r) {
      Owned amount(PyFloat_FromDouble(info.bundles[i].resources[r].quantity));
      if (!amount || PyDict_SetItemString(dict.get(), info.bundles[i].resources[r].name, amount.get()) != 0) return nullptr;
    }
    Owned node(PyUnicode_FromString(info.bundles[i].node_id));
    if (!dict || !node || PyList_Append(bundles.get(), dict.get()) != 0 || PyList_Append(nodes.get(), node.get()) != 0) return nullptr;
  }
  if (!bundles || !nodes) return nullptr;
  return Py_BuildValue("{s(KK)sssssisisNsKsNsNss}", "id", static_cast<unsigned long long>(info.id.creator),
                       static_cast<unsigned long long>(info.id.serial), "name", info.name, "namespace", info.ray_namespace, "strategy",
                       info.strategy, "state", info.state, "detached", PyBool_FromLong(info.detached), "job_id",
                       static_cast<unsigned long long>(info.job_id), "bundles", bundles.release(), "node_ids", nodes.release(), "reason",
                       info.reason);
}

// placement_groups((creator, serial) or None, name or None) -> list of dicts
PyObject* Find(PyObject*, PyObject* arguments) {
  PyObject* pair;
  const char* name;
  unsigned long long creator = 0, serial = 0;
  if (!PyArg_ParseTuple(arguments, "Oz", &pair, &name)) return nullptr;
  if (pair != Py_None && !PyArg_ParseTuple(pair, "KK", &creator, &serial)) return nullptr;
  manta_runtime* const runtime = RuntimeFor(kWhat);
  if (runtime == nullptr) return nullptr;
  const manta_placement_group_id id{creator, serial};
  manta_placement_group_list* found;
  if (!Succeeds([&] { return manta_placement_groups(runtime, pair == Py_None ? nullptr : &id, name, nullptr, &found); })) return nullptr;
  const std::unique_ptr<manta_placement_group_list, FreeList> owned(found);
  Owned list(PyList_New(0));
  for (size_t i = 0; list && i < manta_placement_group_list_size(found); ++i) {
    Owned facts(Facts(*manta_placement_group_list_at(found, i)));
    if (!facts || PyList_Append(list.get(), facts.get()) != 0) return nullptr;
  }
  return list.release();
}

PyMethodDef functions[] = {{"create_placement_group", Create, METH_VARARGS, nullptr},
                           {"remove_placement_group", Remove, METH_VARARGS, nullptr},
                           {"placement_group_ready", Ready, METH_VARARGS, nullptr},
                           {"placement_groups", Find, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool AddPlacementGroups(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace manta::python
