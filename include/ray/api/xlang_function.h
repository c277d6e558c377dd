// Functions and actors in other languages: Python's are called as manta/python.h says.
#pragma once

#include <string>
#include <utility>

#include "manta/archive.h"
#include "manta/python.h"
#include "ray/api/java_function.h"

namespace ray {

using manta::PyActorMethod;
using manta::PyFunction;

struct PyActorClass {
  std::string module_name;
  std::string class_name;
  std::string function_name = "__init__";
};

// A handle to an actor in another language.
class ActorHandleXlang {
 public:
  ActorHandleXlang() = default;
  ActorHandleXlang(manta::PyActorHandle handle) : handle_(std::move(handle)) {}

  std::string ID() const { return handle_.ID(); }
  template <class R>
  auto Task(const PyActorMethod<R>& method) const {
    return handle_.Task(method);
  }
  template <class R>
  auto Task(const JavaActorMethod<R>& method) const {
    return internal::JavaCaller<manta::ObjectRef<R>>(method.function_name);
  }
  void Kill(bool no_restart = true) const { handle_.Kill(no_restart); }

 private:
  MANTA_DEFINE(handle_)

  manta::PyActorHandle handle_;
};

}  // namespace ray
