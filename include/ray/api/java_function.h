// Functions and actors in Java, for programs that mention them: they are not there yet, and Remote
// throws NotSupportedError.
#pragma once

#include <string>
#include <utility>

#include "manta/errors.h"
#include "manta/object_ref.h"

namespace ray {

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
    throw manta::NotSupportedError("calling Java is not there yet: " + function_);
  }

 private:
  std::string function_;
};

}  // namespace internal

}  // namespace ray
