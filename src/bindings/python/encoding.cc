#include "bindings/python/encoding.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "bindings/python/errors.h"
#include "bindings/python/invoker.h"

namespace manta::python {
namespace {

constexpr size_t kAlignment = 64;       // of buffers: a cache line, and what SIMD wants
constexpr size_t kBufferEntry = 16;
constexpr size_t kTableHead = 16;
constexpr size_t kWaitsForNothing = 4096;  // bytes of an object: never in shared memory
constexpr size_t kMuch = 1 << 20;       // to copy while others wait for the interpreter
constexpr Py_ssize_t kMostSimpleBytes = 4096;

enum Tag : char {
  kNone = 'N', kTrue = 'T', kFalse = 'F', kInteger = 'I', kFloat = 'D', kBytes = 'B', kText = 'S', kPickle = 'P', kBuffers = 'O',
  kSimpleArguments = 'A', kDependency = 'R',
};

PyTypeObject* dependency_type = nullptr;

// In a pickle of arguments, for the place of a dependency.
struct Dependency {
  PyObject_HEAD
  uint32_t index;
};

size_t Aligned(size_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

template <class T>
void Append(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
bool Take(std::string_view* in, T* value) {
  if (in->size() < sizeof *value) return false;
  std::memcpy(value, in->data(), sizeof *value);
  in->remove_prefix(sizeof *value);
  return true;
}

PyObject* Damaged() {
  PyErr_SetString(PyExc_RuntimeError, "a value arrived damaged: it is no Python value that Manta has encoded");
  return nullptr;
}

// Exact types only: what is derived from them may be more. False: it does not stand for itself.
bool AppendSimple(std::string* out, PyObject* value) {
  if (value == Py_None) return out->push_back(kNone), true;
  if (value == Py_True) return out->push_back(kTrue), true;
  if (value == Py_False) return out->push_back(kFalse), true;
  if (PyLong_CheckExact(value)) {
    int overflow;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0) return false;
    out->push_back(kInteger);
    Append(out, number);
    return true;
  }
  if (PyFloat_CheckExact(value)) {
    out->push_back(kFloat);
    Append(out, PyFloat_AS_DOUBLE(value));
    return true;
  }
  const char* bytes = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_CheckExact(value)) {
    bytes = PyBytes_AS_STRING(value);
    size = PyBytes_GET_SIZE(value);
    if (size > kMostSimpleBytes) return false;
    out->push_back(kBytes);
  } else if (PyUnicode_CheckExact(value)) {
    bytes = PyUnicode_AsUTF8AndSize(value, &size);
    if (bytes == nullptr) return PyErr_Clear(), false;  // lone surrogates: pickle knows them
    if (size > kMostSimpleBytes) return false;
    out->push_back(kText);
  } else {
    return false;
  }
  Append(out, static_cast<uint32_t>(size));
  out->append(bytes, static_cast<size_t>(size));
  return true;
}

PyObject* TakeSimple(std::string_view* in) {
  char tag;
  if (!Take(in, &tag)) return Damaged();
  switch (tag) {
    case kNone: Py_RETURN_NONE;
    case kTrue: Py_RETURN_TRUE;
    case kFalse: Py_RETURN_FALSE;
    case kInteger: {
      long long number;
      return Take(in, &number) ? PyLong_FromLongLong(number) : Damaged();
    }
    case kFloat: {
      double number;
      return Take(in, &number) ? PyFloat_FromDouble(number) : Damaged();
    }
    case kBytes:
    case kText: {
      uint32_t size;
      if (!Take(in, &size) || size > in->size()) return Damaged();
      const char* bytes = in->data();
      in->remove_prefix(size);
      return tag == kBytes ? PyBytes_FromStringAndSize(bytes, size) : PyUnicode_DecodeUTF8(bytes, size, nullptr);
    }
    default: return Damaged();
  }
}

PyObject* Load(PyObject* pickle, PyObject* buffers) {
  PyObject* arguments[] = {pickle, buffers};
  return PyObject_Vectorcall(TheCallbacks().loads, arguments, 2, nullptr);
}

PyObject* DecodePickle(std::string_view in, PyObject* buffers) {
  Owned memory(PyMemoryView_FromMemory(const_cast<char*>(in.data()), static_cast<Py_ssize_t>(in.size()), PyBUF_READ));
  return memory ? Load(memory.get(), buffers) : nullptr;
}

// One buffer of a value: a view of what `ref` keeps, or a copy.
PyObject* NewBuffer(manta_ref* ref, const char* data, size_t size) {
  if (ref == nullptr) return PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(size));
  manta_ref_retain(ref);
  return NewView(ref, data, size);
}

PyObject* DecodeBuffers(std::string_view all, const Keeper& keeper) {
  std::string_view in = all.substr(std::min<size_t>(all.size(), 4));
  uint32_t count;
  uint64_t pickle_size;
  if (!Take(&in, &count) || !Take(&in, &pickle_size) || in.size() / kBufferEntry < count) return Damaged();
  Owned buffers(PyList_New(count));
  if (!buffers) return nullptr;
  manta_bytes kept{all.data(), all.size()};
  const std::unique_ptr<manta_ref, void (*)(manta_ref*)> ref(keeper.keep(keeper.context, &kept), manta_ref_release);
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t offset, size;
    if (!Take(&in, &offset) || !Take(&in, &size) || offset > all.size() || size > all.size() - offset) return Damaged();
    PyObject* buffer = NewBuffer(ref.get(), static_cast<const char*>(kept.data) + offset, size);
    if (buffer == nullptr) return nullptr;
    PyList_SET_ITEM(buffers.get(), i, buffer);
  }
  if (pickle_size > in.size()) return Damaged();
  return DecodePickle(in.substr(0, pickle_size), buffers.get());
}

PyObject* DecodeText(std::string_view in, const Keeper& keeper) {
  if (in.empty()) return Damaged();
  switch (in.front()) {
    case kPickle: {
      Owned none(PyTuple_New(0));
      return DecodePickle(in.substr(1), none.get());
    }
    case kBuffers: return DecodeBuffers(in, keeper);
    case kBytes:  // of a value: all that follows
      return PyBytes_FromStringAndSize(in.data() + 1, static_cast<Py_ssize_t>(in.size() - 1));
    case kText: return PyUnicode_DecodeUTF8(in.data() + 1, static_cast<Py_ssize_t>(in.size() - 1), nullptr);
    default: return TakeSimple(&in);
  }
}

}  // namespace

// ---- Values

Encoder::~Encoder() {
  for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
}

bool Encoder::Encode(PyObject* value) {
  Py_ssize_t size;
  if (PyBytes_CheckExact(value)) {
    head_[head_size_++] = kBytes;
    body_ = PyBytes_AS_STRING(value);
    body_size_ = static_cast<size_t>(PyBytes_GET_SIZE(value));
    kept_ = Owned::Retained(value);
  } else if (PyUnicode_CheckExact(value) && (body_ = PyUnicode_AsUTF8AndSize(value, &size)) != nullptr) {
    head_[head_size_++] = kText;
    body_size_ = static_cast<size_t>(size);
    kept_ = Owned::Retained(value);
  } else {
    PyErr_Clear();
    std::string simple;
    if (!AppendSimple(&simple, value)) return EncodePickle(value);
    head_size_ = simple.size();
    std::memcpy(head_, simple.data(), head_size_);
  }
  size_ = head_size_ + body_size_;
  return true;
}

bool Encoder::EncodePickle(PyObject* value) {
  RefCollector collector;
  Owned pair(PyObject_CallOneArg(TheCallbacks().dumps, value));
  if (!pair) return false;
  refs_ = Owned::Retained(collector.refs());
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(refs_.get()); ++i) nested_.push_back(RefOf(PyList_GET_ITEM(refs_.get(), i)));
  PyObject* const pickle = PyTuple_GET_ITEM(pair.get(), 0);
  PyObject* const buffers = PyTuple_GET_ITEM(pair.get(), 1);
  body_ = PyBytes_AS_STRING(pickle);
  body_size_ = static_cast<size_t>(PyBytes_GET_SIZE(pickle));
  kept_ = Owned::Retained(pickle);
  const Py_ssize_t count = PyList_GET_SIZE(buffers);
  if (count == 0) {
    head_[head_size_++] = kPickle;
    size_ = head_size_ + body_size_;
    return true;
  }
  size_t end = kTableHead + static_cast<size_t>(count) * kBufferEntry + body_size_;
  table_.assign(4, '\0');
  table_[0] = kBuffers;
  Append(&table_, static_cast<uint32_t>(count));
  Append(&table_, static_cast<uint64_t>(body_size_));
  for (Py_ssize_t i = 0; i < count; ++i) {
    Py_buffer buffer;
    if (PyObject_GetBuffer(PyList_GET_ITEM(buffers, i), &buffer, PyBUF_ANY_CONTIGUOUS) != 0) return false;
    buffers_.push_back(buffer);
    offsets_.push_back(Aligned(end));
    end = offsets_.back() + static_cast<size_t>(buffer.len);
    Append(&table_, static_cast<uint64_t>(offsets_.back()));
    Append(&table_, static_cast<uint64_t>(buffer.len));
  }
  size_ = end;
  return true;
}

void Encoder::WriteTo(void* to) const {
  char* const at = static_cast<char*>(to);
  PyThreadState* const without = size_ >= kMuch ? PyEval_SaveThread() : nullptr;
  if (table_.empty()) {
    std::memcpy(at, head_, head_size_);
    if (body_size_ > 0) std::memcpy(at + head_size_, body_, body_size_);
  } else {
    std::memcpy(at, table_.data(), table_.size());
    std::memcpy(at + table_.size(), body_, body_size_);
    for (size_t i = 0; i < buffers_.size(); ++i) std::memcpy(at + offsets_[i], buffers_[i].buf, static_cast<size_t>(buffers_[i].len));
  }
  if (without != nullptr) TakeInterpreter(without);
}

manta_ref* Encoder::Put(manta_runtime* runtime) const {
  void* data;
  manta_ref* ref;
  const auto begin = [&](const manta_patience* patience) {
    return manta_put_begin(runtime, size_, nested_.data(), nested_.size(), patience, &data, &ref);
  };
  manta_error* error;
  if (size_ < kWaitsForNothing) {
    error = begin(nullptr);
  } else {
    WithoutInterpreter others;
    const manta_patience patience{
        [](void* context) { return static_cast<WithoutInterpreter*>(context)->Back([] { return PyErr_CheckSignals(); }); }, &others};
    error = begin(IsServing() ? nullptr : &patience);  // a worker's task is interrupted by the runtime
  }
  if (PyErr_Occurred() != nullptr) {  // a signal's handler has raised it
    if (error == nullptr) manta_ref_release(ref);
    manta_error_free(error);
    return nullptr;
  }
  if (!Accepts(error)) return nullptr;
  WriteTo(data);
  manta_put_seal(ref);
  return ref;
}

PyObject* Decode(manta_bytes bytes, const Keeper& keeper) { return DecodeText({static_cast<const char*>(bytes.data), bytes.size}, keeper); }

// ---- Arguments

namespace {

bool AppendArgument(PyObject* argument, EncodedArguments* out) {
  if (!IsRef(argument)) return AppendSimple(&out->bytes, argument);
  out->bytes.push_back(kDependency);
  Append(&out->bytes, static_cast<uint16_t>(out->dependencies.size()));
  out->dependencies.push_back(RefOf(argument));
  return true;
}

// False: they do not all stand for themselves; `out` is as before.
bool AppendSimpleArguments(PyObject* const* arguments, size_t count, PyObject* names, EncodedArguments* out) {
  const size_t named = names == nullptr ? 0 : static_cast<size_t>(PyTuple_GET_SIZE(names));
  if (count + named > kMostSimpleArguments) return false;
  const size_t begin = out->bytes.size();
  out->bytes.push_back(kSimpleArguments);
  out->bytes.push_back(static_cast<char>(count));
  out->bytes.push_back(static_cast<char>(named));
  bool simple = true;
  for (size_t i = 0; simple && i < count + named; ++i) {
    if (i >= count) simple = AppendSimple(&out->bytes, PyTuple_GET_ITEM(names, static_cast<Py_ssize_t>(i - count)));
    simple = simple && AppendArgument(arguments[i], out);
  }
  if (simple) return true;
  out->bytes.resize(begin);
  out->dependencies.clear();
  return false;
}

PyObject* ArgumentInPickle(PyObject* argument, EncodedArguments* out) {
  if (!IsRef(argument)) return Py_NewRef(argument);
  PyObject* place = PyType_GenericAlloc(dependency_type, 0);
  if (place == nullptr) return nullptr;
  reinterpret_cast<Dependency*>(place)->index = static_cast<uint32_t>(out->dependencies.size());
  out->dependencies.push_back(RefOf(argument));
  return place;
}

PyObject* ReduceDependency(PyObject* self, PyObject*) {
  return Py_BuildValue("(O(I))", reinterpret_cast<PyObject*>(dependency_type), reinterpret_cast<Dependency*>(self)->index);
}

PyObject* MakeDependency(PyTypeObject* type, PyObject* arguments, PyObject*) {
  unsigned index;
  if (!PyArg_ParseTuple(arguments, "I", &index)) return nullptr;
  PyObject* place = PyType_GenericAlloc(type, 0);
  if (place != nullptr) reinterpret_cast<Dependency*>(place)->index = index;
  return place;
}

void DeallocDependency(PyObject* self) {
  FreeInstance(self);
}

PyMethodDef dependency_methods[] = {{"__reduce__", ReduceDependency, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot dependency_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocDependency)},
                                  {Py_tp_new, reinterpret_cast<void*>(MakeDependency)},
                                  {Py_tp_methods, dependency_methods},
                                  {0, nullptr}};
PyType_Spec dependency_spec = {"manta._manta.Dependency", sizeof(Dependency), 0, Py_TPFLAGS_DEFAULT, dependency_slots};

}  // namespace

bool EncodeArguments(manta_runtime* runtime, PyObject* const* arguments, size_t count, PyObject* names, EncodedArguments* out) {
  if (count == 0 && names == nullptr) return true;
  if (AppendSimpleArguments(arguments, count, names, out)) return true;
  PyErr_Clear();
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  Owned values(PyTuple_New(static_cast<Py_ssize_t>(count) + named));
  if (!values) return false;
  for (size_t i = 0; i < count + static_cast<size_t>(named); ++i) {
    PyObject* argument = ArgumentInPickle(arguments[i], out);
    if (argument == nullptr) return false;
    PyTuple_SET_ITEM(values.get(), static_cast<Py_ssize_t>(i), argument);
  }
  Owned whole(PyTuple_Pack(2, values.get(), names == nullptr ? Py_None : names));
  Encoder encoder;
  if (!whole || !encoder.Encode(whole.get())) return false;
  if (encoder.size() <= MANTA_INLINE_ARG_LIMIT) {
    const size_t begin = out->bytes.size();
    out->bytes.resize(begin + encoder.size());
    encoder.WriteTo(out->bytes.data() + begin);
    out->nested = encoder.nested();
    out->kept = Owned::Retained(encoder.refs());
    return true;
  }
  manta_ref* const ref = encoder.Put(runtime);
  if (ref == nullptr) return false;
  out->spilled = Owned(NewRef(ref));
  if (!out->spilled) return false;
  out->dependencies.push_back(ref);
  out->in_object = true;
  return true;
}

DecodedArguments::~DecodedArguments() {
  for (PyObject* value : values) Py_XDECREF(value);
}

namespace {

bool DecodeSimpleArguments(std::string_view in, const std::vector<PyObject*>& dependencies, DecodedArguments* out) {
  unsigned char head[3];
  if (!Take(&in, &head)) return Damaged(), false;
  const size_t count = head[1];
  const size_t named = head[2];
  out->positional = count;
  if (named > 0) out->names = Owned(PyTuple_New(static_cast<Py_ssize_t>(named)));
  for (size_t i = 0; i < count + named; ++i) {
    if (i >= count) {
      PyObject* name = TakeSimple(&in);
      if (name == nullptr) return false;
      PyTuple_SET_ITEM(out->names.get(), static_cast<Py_ssize_t>(i - count), name);
    }
    PyObject* value;
    if (!in.empty() && in.front() == kDependency) {
      in.remove_prefix(1);
      uint16_t index;
      if (!Take(&in, &index) || index >= dependencies.size()) return Damaged(), false;
      value = Py_NewRef(dependencies[index]);
    } else {
      value = TakeSimple(&in);
    }
    if (value == nullptr) return false;
    out->values.push_back(value);
  }
  return true;
}

}  // namespace

bool DecodeArguments(manta_bytes bytes, const Keeper& keeper, const std::vector<PyObject*>& dependencies, DecodedArguments* out) {
  const std::string_view in(static_cast<const char*>(bytes.data), bytes.size);
  if (in.empty()) return true;
  if (in.front() == kSimpleArguments) return DecodeSimpleArguments(in, dependencies, out);
  Owned whole(DecodeText(in, keeper));
  if (!whole) return false;
  if (!PyTuple_CheckExact(whole.get()) || PyTuple_GET_SIZE(whole.get()) != 2) return Damaged(), false;
  PyObject* const values = PyTuple_GET_ITEM(whole.get(), 0);
  PyObject* const names = PyTuple_GET_ITEM(whole.get(), 1);
  if (!PyTuple_CheckExact(values)) return Damaged(), false;
  if (names != Py_None) out->names = Owned::Retained(names);
  const Py_ssize_t named = names == Py_None ? 0 : PyTuple_GET_SIZE(names);
  out->positional = static_cast<size_t>(PyTuple_GET_SIZE(values) - named);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); ++i) {
    PyObject* value = PyTuple_GET_ITEM(values, i);
    if (Py_TYPE(value) == dependency_type) {
      const uint32_t index = reinterpret_cast<Dependency*>(value)->index;
      if (index >= dependencies.size()) return Damaged(), false;
      value = dependencies[index];
    }
    out->values.push_back(Py_NewRef(value));
  }
  return true;
}

bool AddEncoding(PyObject* module) {
  dependency_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&dependency_spec));
  return dependency_type != nullptr && PyModule_AddType(module, dependency_type) == 0;
}

}  // namespace manta::python
