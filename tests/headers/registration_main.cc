// Code that Remote mentions is registered when main starts, whether or not it is ever called: in
// the program and in a shared library, optimised or not. A worker relies on it, for it never runs
// main.
#include <cstdio>
#include <string>

#include "manta/manta.h"
#include "tests/headers/fake_manta_c.h"
#include "tests/headers/registered_library.h"

namespace {

struct MarkerOfFunction {
  int value;
};
struct MarkerOfLambda {
  int value;
};
struct MarkerOfMethod {
  int value;
};
struct MarkerOfConstructor {
  int value;
};
struct MarkerOfFactory {
  int value;
};
struct MarkerOfInlineFunction {
  int value;
};

int Take(MarkerOfFunction x) { return x.value; }
struct Actor {
  explicit Actor(MarkerOfConstructor x) : value(x.value) {}
  int Add(MarkerOfMethod x) { return value + x.value; }
  int value;
};
Actor* Make(MarkerOfFactory x) { return new Actor(MarkerOfConstructor{x.value}); }

// Nobody can call this, so that the compiler drops it. What it mentions is registered all the same.
[[maybe_unused]] void Never() {
  manta::Task(Take).Remote(MarkerOfFunction{1});
  manta::Task([](MarkerOfLambda x) { return x.value; }).Remote(MarkerOfLambda{1});
  manta::Actor<Actor>().Remote(MarkerOfConstructor{1}).Task(&Actor::Add).Remote(MarkerOfMethod{1});
  manta::Actor(Make).Remote(MarkerOfFactory{1});
}
inline int TakeInline(MarkerOfInlineFunction x) { return x.value; }

int failures = 0;

void Expect(bool condition, const std::string& what) {
  if (condition) return;
  std::printf("failed: %s\n", what.c_str());
  ++failures;
}

bool IsRegistered(const std::string& part) {
  for (const std::string& signature : manta_fake::Signatures()) {
    if (signature.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

// Not in the anonymous namespace: the compiler may not assume that nobody calls these.
void NeverCalledButVisible() { manta::Task(TakeInline).Remote(MarkerOfInlineFunction{1}); }

struct MarkerOfTemplate {
  int value;
};
template <class T>
void NeverTemplate() {
  manta::Task([](T x) { return x.value; }).Remote(T{1});
}
template void NeverTemplate<MarkerOfTemplate>();

int main() {
  const size_t at_start = manta_fake::Signatures().size();
  for (const char* part :
       {"MarkerOfFunction", "MarkerOfLambda", "MarkerOfMethod", "MarkerOfConstructor",
        "MarkerOfFactory", "MarkerOfInlineFunction", "MarkerOfTemplate", "MarkerOfLibrary"}) {
    Expect(IsRegistered(part), std::string(part) + " is registered when main starts");
  }
  manta::Init();
  Expect(registered_library::Twice(4) == 8, "a task of the library runs");
  Expect(*manta::Task(Take).Remote(MarkerOfFunction{5}).Get() == 5, "a task of the program runs");
  Expect(manta_fake::Signatures().size() == at_start, "calls register nothing");
  manta::Shutdown();
  if (failures == 0) std::printf("%zu invokers are registered when main starts\n", at_start);
  return failures;
}
