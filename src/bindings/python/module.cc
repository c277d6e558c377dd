// manta._manta: the functions behind the Python interface. Everything that people meet is in python/manta.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bindings/python/actor_handle.h"
#include "bindings/python/async_calls.h"
#include "bindings/python/callers.h"
#include "bindings/python/cpp_calls.h"
#include "bindings/python/encoding.h"
#include "bindings/python/errors.h"
#include "bindings/python/generators.h"
#include "bindings/python/invoker.h"
#include "bindings/python/labels.h"
#include "bindings/python/object_ref.h"
#include "bindings/python/output.h"
#include "bindings/python/placement_groups.h"
#include "bindings/python/ready_queue.h"
#include "bindings/python/waiting.h"

namespace manta::python {
namespace {

// A list of ObjectRefs. False with an exception.
bool RefsOf(PyObject* list, std::vector<manta_ref*>* refs) {
  const Py_ssize_t count = PyList_GET_SIZE(list);
  refs->reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyList_GET_ITEM(list, i);
    if (!IsRef(item)) {
      PyErr_Format(PyExc_TypeError, "%R is no ObjectRef", item);
      return false;
    }
    refs->push_back(RefOf(item));
  }
  return true;
}

manta_ref* KeepRef(void* ref, manta_bytes*) {
  manta_ref_retain(static_cast<manta_ref*>(ref));
  return static_cast<manta_ref*>(ref);
}

// get(list of refs, timeout) -> list of values
PyObject* Get(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  int64_t limit;
  if (count != 2 || !PyList_Check(arguments[0]) || !TimeLimit(arguments[1], &limit)) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "get(list, timeout)");
    return nullptr;
  }
  manta_runtime* const runtime = RuntimeFor("get");
  std::vector<manta_ref*> refs;
  // Their own list: another thread may change the caller's.
  Owned kept(PyList_GetSlice(arguments[0], 0, PyList_GET_SIZE(arguments[0])));
  if (runtime == nullptr || !kept || !RefsOf(kept.get(), &refs)) return nullptr;
  std::vector<manta_bytes> values(refs.size());
  // One look while the interpreter is ours: most that is waited for in loops is there.
  manta_error* error = manta_get(runtime, refs.data(), refs.size(), 0, values.data());
  if (error != nullptr && manta_error_get_kind(error) == MANTA_ERROR_TIMEOUT && limit != 0) {
    const bool done = InSlices(limit, [&](int64_t slice) {
      manta_error_free(error);
      error = manta_get(runtime, refs.data(), refs.size(), slice, values.data());
      return error == nullptr || manta_error_get_kind(error) != MANTA_ERROR_TIMEOUT;
    });
    if (!done) return manta_error_free(error), nullptr;
  }
  if (error != nullptr && manta_error_get_kind(error) == MANTA_ERROR_TIMEOUT) {
    manta_error_free(error);
    Owned exceptions(PyImport_ImportModule("manta.exceptions"));
    Owned type(exceptions ? PyObject_GetAttrString(exceptions.get(), "GetTimeoutError") : nullptr);
    if (type) PyErr_Format(type.get(), "get: some of the values were not there within %S s", arguments[1]);
    return nullptr;
  }
  if (error != nullptr) return Raise(error);
  Owned list(PyList_New(static_cast<Py_ssize_t>(refs.size())));
  for (size_t i = 0; list && i < refs.size(); ++i) {
    PyObject* value = Decode(values[i], {KeepRef, refs[i]});
    if (value == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), value);
  }
  return list.release();
}

// collect_refs(function) -> (what it returns, a tuple of the references that were pickled meanwhile)
PyObject* CollectRefs(PyObject*, PyObject* function) {
  RefCollector collector;
  Owned result(PyObject_CallNoArgs(function));
  Owned refs(result ? PyList_AsTuple(collector.refs()) : nullptr);
  return refs ? PyTuple_Pack(2, result.get(), refs.get()) : nullptr;
}

// wait(list of refs, num_returns, timeout) -> (ready, not ready)
PyObject* Wait(PyObject*, PyObject* arguments) {
  PyObject *list, *timeout;
  Py_ssize_t num_returns;
  int64_t limit;
  if (!PyArg_ParseTuple(arguments, "O!nO", &PyList_Type, &list, &num_returns, &timeout) || !TimeLimit(timeout, &limit)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("wait");
  std::vector<manta_ref*> refs;
  Owned kept(PyList_GetSlice(list, 0, PyList_GET_SIZE(list)));
  if (runtime == nullptr || !kept || !RefsOf(kept.get(), &refs)) return nullptr;
  std::vector<uint8_t> ready(refs.size());
  const auto look = [&](int64_t slice) { return manta_wait(runtime, refs.data(), refs.size(), static_cast<size_t>(num_returns), slice, ready.data()); };
  const auto reached = [&] { return std::count(ready.begin(), ready.end(), 1) >= num_returns; };
  manta_error* error = look(0);
  if (error == nullptr && !reached() && limit != 0) {
    const bool done = InSlices(limit, [&](int64_t slice) {
      error = look(slice);
      return error != nullptr || reached();
    });
    if (!done) return nullptr;
  }
  if (error != nullptr) return Raise(error);
  Owned lists[2] = {Owned(PyList_New(0)), Owned(PyList_New(0))};
  for (size_t i = 0; i < refs.size(); ++i) {
    if (PyList_Append(lists[ready[i] == 0].get(), PyList_GET_ITEM(kept.get(), static_cast<Py_ssize_t>(i))) != 0) return nullptr;
  }
  return PyTuple_Pack(2, lists[0].get(), lists[1].get());
}

PyObject* Put(PyObject*, PyObject* value) {
  manta_runtime* const runtime = RuntimeFor("put");
  Encoder encoder;
  if (runtime == nullptr || !encoder.Encode(value)) return nullptr;
  manta_ref* const ref = encoder.Put(runtime);
  return ref == nullptr ? nullptr : NewRef(ref);
}

PyObject* Cancel(PyObject*, PyObject* arguments) {
  PyObject* ref;
  int force, recursive;
  if (!PyArg_ParseTuple(arguments, "O!pp", object_ref_type, &ref, &force, &recursive)) return nullptr;
  if (!Succeeds([&] { return manta_cancel(RefOf(ref), force, recursive); })) return nullptr;
  Py_RETURN_NONE;
}

PyObject* ImportRef(PyObject*, PyObject* arguments) {
  unsigned long long owner;
  manta_object_id id;
  if (!PyArg_ParseTuple(arguments, "KII", &owner, &id.index, &id.generation)) return nullptr;
  id.owner = owner;
  manta_runtime* const runtime = RuntimeFor("a reference");
  return runtime == nullptr ? nullptr : NewRef(manta_ref_import(runtime, &id));
}

// Amounts of a dict; names live as long as it.
bool ResourcesOf(PyObject* dict, std::vector<manta_resource>* out) {
  PyObject *key, *amount;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &amount)) {
    const char* name = PyUnicode_AsUTF8(key);
    const double quantity = PyFloat_AsDouble(amount);
    if (name == nullptr || (quantity == -1 && PyErr_Occurred() != nullptr)) return false;
    out->push_back({name, quantity});
  }
  return true;
}

// Of a dict; texts live as long as it.
bool LabelsOf(PyObject* dict, std::vector<manta_label>* out) {
  PyObject *name, *value;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &name, &value)) {
    out->push_back({PyUnicode_AsUTF8(name), PyUnicode_AsUTF8(value)});
    if (out->back().name == nullptr || out->back().value == nullptr) return false;
  }
  return true;
}

// init(address, namespace, num_cpus, num_gpus, resources, object_store_memory, log_to_driver, program, arguments, labels)
PyObject* Init(PyObject*, PyObject* arguments) {
  PyObject *resources, *worker_arguments, *labels;
  manta_config config;
  config.struct_size = sizeof config;
  manta_config_init(&config);
  unsigned long long store;
  if (!PyArg_ParseTuple(arguments, "zzddO!KpsO!O!", &config.address, &config.ray_namespace, &config.num_cpus, &config.num_gpus, &PyDict_Type,
                        &resources, &store, &config.log_to_driver, &config.worker_program, &PyList_Type, &worker_arguments,
                        &PyDict_Type, &labels)) {
    return nullptr;
  }
  config.object_store_bytes = store;
  std::vector<manta_resource> amounts;
  if (!ResourcesOf(resources, &amounts)) return nullptr;
  config.resources = amounts.data();
  config.num_resources = amounts.size();
  std::vector<manta_label> of_node;
  if (!LabelsOf(labels, &of_node)) return nullptr;
  config.labels = of_node.data();
  config.num_labels = of_node.size();
  std::vector<const char*> texts;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(worker_arguments); ++i) {
    texts.push_back(PyUnicode_AsUTF8(PyList_GET_ITEM(worker_arguments, i)));
    if (texts.back() == nullptr) return nullptr;
  }
  config.worker_arguments = texts.data();
  config.num_worker_arguments = texts.size();
  config.show = ShowInPython();
  if (!Succeeds([&] { return manta_init(&config); })) return nullptr;
  Py_RETURN_NONE;
}

PyObject* Shutdown(PyObject*, PyObject*) {
  const auto shut_down = [] {
    manta_error* const error = manta_shutdown();
    AwaitShownText();
    return error;
  };
  if (!Succeeds(shut_down)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* IsInitialized(PyObject*, PyObject*) { return PyBool_FromLong(manta_is_initialized()); }

// intern_options(num_cpus, num_gpus, memory, resources, max_retries, retry_exceptions, concurrency_group, environment, group, nodes)
// -> number; None: the default. nodes: as manta_task_options.nodes. group: (creator, serial, bundle index, whether children are captured), zeros for none.
// retry_exceptions 2: those that are marked by the name below (manta.exceptions).
PyObject* InternOptions(PyObject*, PyObject* arguments) {
  PyObject *cpus, *gpus, *memory, *resources, *retries, *group;
  manta_task_options options;
  options.struct_size = sizeof options;
  manta_task_options_init(&options);
  if (!PyArg_ParseTuple(arguments, "OOOO!OizzOz", &cpus, &gpus, &memory, &PyDict_Type, &resources, &retries, &options.retry_exceptions,
                        &options.concurrency_group, &options.environment, &group, &options.nodes)) {
    return nullptr;
  }
  unsigned long long creator, serial;
  if (group != Py_None && !PyArg_ParseTuple(group, "KKip", &creator, &serial, &options.bundle_index, &options.capture_child_tasks)) {
    return nullptr;
  }
  const manta_placement_group_id group_id = group == Py_None ? manta_placement_group_id{} : manta_placement_group_id{creator, serial};
  if (group != Py_None) options.placement_group = &group_id;
  const auto set = [](PyObject* amount, double* to) {
    if (amount != Py_None) *to = PyFloat_AsDouble(amount);
    return PyErr_Occurred() == nullptr;
  };
  std::vector<manta_resource> amounts;
  if (!set(cpus, &options.num_cpus) || !set(gpus, &options.num_gpus) || !set(memory, &options.memory) || !ResourcesOf(resources, &amounts)) {
    return nullptr;
  }
  if (retries != Py_None) options.max_retries = static_cast<int32_t>(PyLong_AsLong(retries));
  if (PyErr_Occurred() != nullptr) return nullptr;
  static const char* const kRetriable = "manta.retriable";
  if (options.retry_exceptions == 2) {
    options.retry_exception_types = &kRetriable;
    options.num_retry_exception_types = 1;
  }
  options.resources = amounts.data();
  options.num_resources = amounts.size();
  manta_runtime* const runtime = RuntimeFor("options");
  if (runtime == nullptr) return nullptr;
  uint32_t number;
  // May ask the daemon about a group.
  if (!Succeeds([&] { return manta_task_options_intern(runtime, &options, &number); })) return nullptr;
  return PyLong_FromUnsignedLong(number);
}

PyObject* Context(PyObject*, PyObject*) {
  manta_runtime* const runtime = RuntimeFor("get_runtime_context");
  if (runtime == nullptr) return nullptr;
  manta_context context;
  context.struct_size = sizeof context;
  if (!Accepts(manta_context_get(runtime, &context))) return nullptr;
  return Py_BuildValue("{sKsKsy#sy#s(KK)sssssssssNsNsNsisKs(KK)sN}", "process_id",
                       static_cast<unsigned long long>(context.process_id), "job_id", static_cast<unsigned long long>(context.job_id),
                       "node_id", context.node_id, Py_ssize_t{sizeof context.node_id},
                       "task_id", &context.task_id, Py_ssize_t{sizeof context.task_id}, "actor_id",
                       static_cast<unsigned long long>(context.actor_id.creator), static_cast<unsigned long long>(context.actor_id.serial),
                       "namespace", context.ray_namespace, "task_name", context.task_name, "session_directory", context.session_directory,
                       "environment", context.environment,
                       "actor_was_restarted", PyBool_FromLong(context.actor_was_restarted), "is_driver", PyBool_FromLong(context.is_driver),
                       "is_cancelled", PyBool_FromLong(context.is_cancelled), "pid", context.pid, "gpus",
                       static_cast<unsigned long long>(context.gpus), "placement_group",
                       static_cast<unsigned long long>(context.placement_group.creator),
                       static_cast<unsigned long long>(context.placement_group.serial), "captures_child_tasks",
                       PyBool_FromLong(context.captures_child_tasks));
}

// running_task_name() -> str, or None outside of tasks and in an actor
PyObject* RunningTaskName(PyObject*, PyObject*) {
  manta_runtime* const runtime = manta_current();
  if (runtime == nullptr) Py_RETURN_NONE;
  manta_context context;
  context.struct_size = sizeof context;
  if (!Accepts(manta_context_get(runtime, &context))) return nullptr;
  if (context.is_driver || context.actor_id.creator != 0 || *context.task_name == '\0') Py_RETURN_NONE;
  return PyUnicode_FromString(context.task_name);
}

// resources(which): 0 of the cluster, 1 what is available, 2 what the running task has
PyObject* Resources(PyObject*, PyObject* which) {
  const long number = PyLong_AsLong(which);
  manta_runtime* const runtime = RuntimeFor("cluster_resources");
  if (runtime == nullptr || (number == -1 && PyErr_Occurred() != nullptr)) return nullptr;
  std::vector<manta_resource> amounts(16);
  for (;;) {
    size_t count;
    const auto ask = [&] {
      return number == 2 ? manta_assigned_resources(runtime, amounts.data(), amounts.size(), &count)
                         : manta_cluster_resources(runtime, number == 1, amounts.data(), amounts.size(), &count);
    };
    if (!Succeeds(ask)) return nullptr;
    const bool all = count <= amounts.size();
    amounts.resize(count);
    if (all) break;
  }
  Owned dict(PyDict_New());
  for (const manta_resource& amount : amounts) {
    Owned quantity(PyFloat_FromDouble(amount.quantity));
    if (!dict || !quantity || PyDict_SetItemString(dict.get(), amount.name, quantity.get()) != 0) return nullptr;
  }
  return dict.release();
}

PyObject* ExitActor(PyObject*, PyObject*) {
  manta_runtime* const runtime = RuntimeFor("exit_actor");
  if (runtime == nullptr) return nullptr;
  if (!Accepts(manta_actor_exit(runtime))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* RetireWorker(PyObject*, PyObject*) {
  manta_runtime* const runtime = RuntimeFor("max_calls");
  if (runtime == nullptr || !Accepts(manta_worker_retire(runtime))) return nullptr;
  Py_RETURN_NONE;
}

// ---- Key-value tables

manta_bytes BytesOf(const char* data, Py_ssize_t size) { return {data, static_cast<size_t>(size)}; }

PyObject* KvPut(PyObject*, PyObject* arguments) {
  const char *table, *key, *value;
  Py_ssize_t key_size, value_size;
  int overwrite, of_job, added;
  if (!PyArg_ParseTuple(arguments, "sy#y#pp", &table, &key, &key_size, &value, &value_size, &overwrite, &of_job)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("internal_kv");
  if (runtime == nullptr) return nullptr;
  const int flags = (overwrite != 0 ? MANTA_KV_OVERWRITE : 0) | (of_job != 0 ? MANTA_KV_OF_JOB : 0);
  if (!Succeeds([&] { return manta_kv_put(runtime, table, BytesOf(key, key_size), BytesOf(value, value_size), flags, &added); })) return nullptr;
  return PyBool_FromLong(added);
}

PyObject* KvGet(PyObject*, PyObject* arguments) {
  const char *table, *key;
  Py_ssize_t key_size;
  if (!PyArg_ParseTuple(arguments, "sy#", &table, &key, &key_size)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("internal_kv");
  if (runtime == nullptr) return nullptr;
  manta_blob* blob;
  if (!Succeeds([&] { return manta_kv_get(runtime, table, BytesOf(key, key_size), &blob); })) return nullptr;
  return TakeBytes(blob);
}

PyObject* KvDelete(PyObject*, PyObject* arguments) {
  const char *table, *key;
  Py_ssize_t key_size;
  int by_prefix;
  if (!PyArg_ParseTuple(arguments, "sy#p", &table, &key, &key_size, &by_prefix)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("internal_kv");
  if (runtime == nullptr) return nullptr;
  uint64_t count;
  if (!Succeeds([&] { return manta_kv_delete(runtime, table, BytesOf(key, key_size), by_prefix, &count); })) return nullptr;
  return PyLong_FromUnsignedLongLong(count);
}

PyObject* KvKeys(PyObject*, PyObject* arguments) {
  const char *table, *prefix;
  Py_ssize_t prefix_size;
  if (!PyArg_ParseTuple(arguments, "sy#", &table, &prefix, &prefix_size)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("internal_kv");
  if (runtime == nullptr) return nullptr;
  manta_blob* blob;
  if (!Succeeds([&] { return manta_kv_keys(runtime, table, BytesOf(prefix, prefix_size), &blob); })) return nullptr;
  Owned keys(PyList_New(0));
  const char* at = static_cast<const char*>(manta_blob_data(blob));
  for (size_t left = manta_blob_size(blob); keys && left >= sizeof(uint32_t);) {
    uint32_t size;
    std::memcpy(&size, at, sizeof size);
    Owned key(PyBytes_FromStringAndSize(at + sizeof size, size));
    if (!key || PyList_Append(keys.get(), key.get()) != 0) keys = Owned();
    at += sizeof size + size;
    left -= sizeof size + size;
  }
  manta_blob_free(blob);
  return keys.release();
}

// ---- Workers

// zygote_main(children_in_place)
PyObject* ZygoteMain(PyObject*, PyObject* children_in_place) {
  manta_zygote_hooks hooks{};
  hooks.struct_size = sizeof hooks;
  hooks.children_in_place = PyObject_IsTrue(children_in_place) == 1;
  hooks.before_fork = PyOS_BeforeFork;
  hooks.after_fork_in_zygote = PyOS_AfterFork_Parent;
  hooks.after_fork_in_worker = [] {
    PyOS_AfterFork_Child();
    BeginServing();
  };
  hooks.stop_task = StopTask;
  const int status = manta_zygote_main(&hooks);
  // In a worker the lock was given away. What else Python would do at its end (wait for threads, clear modules) is for programs.
  EndServing();
  std::fflush(nullptr);
  _exit(status);
}

PyObject* Connect(PyObject*, PyObject* arguments, PyObject* named) {
  static const char* const names[] = {"dumps", "loads", "make_error", "describe_error", "load_function", "export_caller",
                                      "start_event_loops", "run_stream", "collect_items", "find_named", "prepare_worker",
                                      "actor_made", nullptr};
  Callbacks& callbacks = TheCallbacks();
  if (!PyArg_ParseTupleAndKeywords(arguments, named, "$OOOOOOOOOOOO", const_cast<char**>(names), &callbacks.dumps, &callbacks.loads,
                                   &callbacks.make_error, &callbacks.describe_error, &callbacks.load_function, &callbacks.export_caller,
                                   &callbacks.start_event_loops, &callbacks.run_stream, &callbacks.collect_items,
                                   &callbacks.find_named, &callbacks.prepare_worker, &callbacks.actor_made)) {
    return nullptr;
  }
  for (PyObject* callback : {callbacks.dumps, callbacks.loads, callbacks.make_error, callbacks.describe_error, callbacks.load_function,
                             callbacks.export_caller, callbacks.start_event_loops, callbacks.run_stream, callbacks.collect_items,
                             callbacks.find_named, callbacks.prepare_worker, callbacks.actor_made}) {
    Py_INCREF(callback);
  }
  Py_RETURN_NONE;
}

template <class Function>
PyCFunction AsMethod(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {{"connect", AsMethod(Connect), METH_VARARGS | METH_KEYWORDS, nullptr},
                           {"init", Init, METH_VARARGS, nullptr},
                           {"shutdown", Shutdown, METH_NOARGS, nullptr},
                           {"is_initialized", IsInitialized, METH_NOARGS, nullptr},
                           {"get", AsMethod(Get), METH_FASTCALL, nullptr},
                           {"collect_refs", CollectRefs, METH_O, nullptr},
                           {"wait", Wait, METH_VARARGS, nullptr},
                           {"put", Put, METH_O, nullptr},
                           {"writable_buffer", WritableBuffer, METH_O, nullptr},
                           {"cancel", Cancel, METH_VARARGS, nullptr},
                           {"import_ref", ImportRef, METH_VARARGS, nullptr},
                           {"intern_options", InternOptions, METH_VARARGS, nullptr},
                           {"context", Context, METH_NOARGS, nullptr},
                           {"resources", Resources, METH_O, nullptr},
                           {"running_task_name", RunningTaskName, METH_NOARGS, nullptr},
                           {"exit_actor", ExitActor, METH_NOARGS, nullptr},
                           {"retire_worker", RetireWorker, METH_NOARGS, nullptr},
                           {"kv_put", KvPut, METH_VARARGS, nullptr},
                           {"kv_get", KvGet, METH_VARARGS, nullptr},
                           {"kv_delete", KvDelete, METH_VARARGS, nullptr},
                           {"kv_keys", KvKeys, METH_VARARGS, nullptr},
                           {"zygote_main", ZygoteMain, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_manta", "Manta's runtime.", -1, functions, nullptr, nullptr, nullptr, nullptr};

}  // namespace
}  // namespace manta::python

PyMODINIT_FUNC PyInit__manta() {
  using namespace manta::python;
  Owned module(PyModule_Create(&definition));
  if (!module || !AddObjectRef(module.get()) || !AddEncoding(module.get()) || !AddActorHandle(module.get()) || !AddCallers(module.get()) ||
      !AddReadyQueue(module.get()) || !AddPlacementGroups(module.get()) || !AddLabels(module.get()) || !AddGenerators(module.get()) ||
      !AddAsyncCalls(module.get()) || !AddCppCalls(module.get())) {
    return nullptr;
  }
  return module.release();
}
