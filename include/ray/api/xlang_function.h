// Functions and actors in other languages: Python's are called as manta/python.h says; Java's are not
// there: Remote throws NotSupportedError.
#pragma once

#include <string>
#include <utility>

#include "manta/archive.h"
#include "manta/errors.h"
#include "manta/object_ref.h"
#include "manta/python.h"

namespace ray {

using manta::PyActorMethod;
using manta::PyFunction;

struct PyActorClass {
  std::string module_name;
  std::string class_name;
  std::string function_name = "__init__";
};

template <class R>
struct JavaFunction {
  std::string class_name;
  std::string function_name;
};
struct JavaActorClass {
  std::string class_name;
  std::string module_name = "";
  std::string function_name = "<init>";
};
template <class R>
struct JavaActorMethod {
  std::string function_name;
};

namespace internal {

// What a call of Java is prepared with.
template <class Result>
class JavaCaller {
 public:
  explicit JavaCaller(std::string function) : function_(std::move(function)) {}
  template <class... Any>
  JavaCaller& SetName(const Any&...) {
    return *this;
  }
  template <class Map>
  JavaCaller& SetResources(const Map&) {
    return *this;
  }
  JavaCaller& SetResource(const std::string&, double) { return *this; }
  template <class... Args>
  Result Remote(Args&&...) const {
    throw manta::NotSupportedError("calling Java is not there: " + function_);
  }

 private:
  std::string function_;
};

}  // namespace internal

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

  MANTA_DEFINE(handle_)

 private:
  manta::PyActorHandle handle_;
};

}  // namespace ray
