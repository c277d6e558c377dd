// Functions and actors in other languages. Calling them is not there yet: Remote throws
// NotSupportedError.
#pragma once

#include <string>

#include "manta/errors.h"
#include "manta/object_ref.h"

namespace ray {

template <class R>
struct PyFunction {
  std::string module_name;
  std::string function_name;
};
struct PyActorClass {
  std::string module_name;
  std::string class_name;
  std::string function_name = "__init__";
};
template <class R>
struct PyActorMethod {
  std::string function_name;
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

[[noreturn]] inline void RefuseLanguage(const char* language, const std::string& function) {
  throw manta::NotSupportedError(std::string("calling ") + language + " is not there yet: " +
                                 function);
}

// What a call in another language is prepared with.
template <class Result>
class XlangCaller {
 public:
  XlangCaller(const char* language, std::string function)
      : language_(language), function_(std::move(function)) {}
  template <class... Any>
  XlangCaller& SetName(const Any&...) {
    return *this;
  }
  template <class Map>
  XlangCaller& SetResources(const Map&) {
    return *this;
  }
  XlangCaller& SetResource(const std::string&, double) { return *this; }
  template <class... Args>
  Result Remote(Args&&...) const {
    RefuseLanguage(language_, function_);
  }

 private:
  const char* language_;
  std::string function_;
};

}  // namespace internal

// A handle to an actor in another language; there are none yet.
class ActorHandleXlang {
 public:
  std::string ID() const { return ""; }
  template <class R>
  auto Task(const PyActorMethod<R>& method) const {
    return internal::XlangCaller<manta::ObjectRef<R>>("Python", method.function_name);
  }
  template <class R>
  auto Task(const JavaActorMethod<R>& method) const {
    return internal::XlangCaller<manta::ObjectRef<R>>("Java", method.function_name);
  }
  void Kill(bool = true) const {}
};

}  // namespace ray
