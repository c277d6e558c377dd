// Python values as the bytes of objects and of calls' arguments.
//
// A value is a tag and what follows it: None, True, False, small integers, floats, bytes and strings stand for themselves; everything else
// is a pickle (protocol 5), with its large buffers behind it, aligned, where they are read in place:
//
//   'O', 3 bytes, u32 buffers, u64 bytes of the pickle, per buffer u64 offset and u64 size, the pickle, the buffers
//
// All numbers little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/python/object_ref.h"
#include "bindings/python/py.h"

namespace manta::python {

// One value on its way into bytes. Interpreter lock.
class Encoder {
 public:
  Encoder() = default;
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // False with an exception. Once.
  bool Encode(PyObject* value);
  size_t size() const { return size_; }
  // Without the interpreter lock where there is much to copy.
  void WriteTo(void* to) const;
  // In an object of its own: a counted reference. It may wait for room, as long as the runtime lets it, and in a driver until a signal's handler
  // raises an exception. nullptr with an exception.
  manta_ref* Put(manta_runtime* runtime) const;
  // References in the value; borrowed, as long as this lives.
  const std::vector<manta_ref*>& nested() const { return nested_; }
  // What keeps them; nullptr when there are none.
  PyObject* refs() const { return refs_.get(); }

 private:
  bool EncodePickle(PyObject* value);

  char head_[16];           // of what stands for itself
  size_t head_size_ = 0;
  const char* body_ = nullptr;  // behind the head, in `kept_`
  size_t body_size_ = 0;
  Owned kept_;              // the value or its pickle
  std::vector<Py_buffer> buffers_;
  std::string table_;       // in front of the pickle, if there are buffers
  std::vector<size_t> offsets_;
  size_t size_ = 0;
  Owned refs_;
  std::vector<manta_ref*> nested_;
};

// Gives a counted reference that keeps the bytes that are decoded, for views into them, and in `bytes` where they stay. nullptr: nothing
// keeps them, and buffers are copied.
struct Keeper {
  manta_ref* (*keep)(void* context, manta_bytes* bytes);
  void* context;
};

// nullptr with an exception.
PyObject* Decode(manta_bytes bytes, const Keeper& keeper);

// ---- Arguments of calls

// Stands for a reference that was an argument itself: the worker sees its value.
inline constexpr size_t kMostSimpleArguments = 255;

// Arguments on their way into a call. Interpreter lock.
struct EncodedArguments {
  std::string bytes;
  std::vector<manta_ref*> dependencies;  // borrowed from the arguments
  std::vector<manta_ref*> nested;        // borrowed from `kept`
  bool in_object = false;                // the last dependency holds the arguments, `bytes` nothing
  Owned kept;
  Owned spilled;                         // the ObjectRef of that dependency
};

// As a vectorcall gets them: `count` positional ones, then those that `names` (a tuple, or nullptr) names. Appends to `out->bytes`.
bool EncodeArguments(manta_runtime* runtime, PyObject* const* arguments, size_t count, PyObject* names, EncodedArguments* out);

// What a worker calls with. The values of `dependencies` stand where references were.
struct DecodedArguments {
  std::vector<PyObject*> values;  // owned
  size_t positional = 0;
  Owned names;                    // a tuple, or nothing
  ~DecodedArguments();
};
bool DecodeArguments(manta_bytes bytes, const Keeper& keeper, const std::vector<PyObject*>& dependencies, DecodedArguments* out);

bool AddEncoding(PyObject* module);

}  // namespace manta::python
