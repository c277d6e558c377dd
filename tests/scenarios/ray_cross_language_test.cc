// <ray/api.h>: calls of Python, as programs for Ray spell them.
#include <ray/api.h>

#include "tests/support/python_test.h"

namespace manta_test {
namespace {

class RayCrossLanguage : public WithPython<ClusterTest> {
 protected:
  void TearDown() override {
    ray::Shutdown();
    WithPython::TearDown();
  }
};

int AddByRay(const ray::ActorHandleXlang& counter, int x) { return *counter.Task(ray::PyActorMethod<int>{"add"}).Remote(x).Get(); }
RAY_REMOTE(AddByRay);

TEST_F(RayCrossLanguage, CallsPython) {
  ray::RayConfig config;
  config.code_search_path = {module_->folder()};
  ray::Init(config);
  EXPECT_EQ(*ray::Task(ray::PyFunction<int>{"mine", "decorated"}).SetName("plus").Remote(1).Get(), 2);
  ray::PyFunction<int> other;
  other.module_name = "mine";
  other.function_name = "same";
  EXPECT_EQ(*ray::Task(other).Remote(ray::Put(5)).Get(), 5);
  ray::PyActorClass counting;
  counting.module_name = "mine";
  counting.class_name = "Counter";
  EXPECT_EQ(counting.function_name, "__init__");
  ray::ActorHandleXlang counter = ray::Actor(counting).SetName("counter").Remote(1);
  EXPECT_EQ(*ray::Task(AddByRay).Remote(counter, 1).Get(), 2);
  const boost::optional<ray::ActorHandleXlang> found = ray::GetActor("counter");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ID(), counter.ID());
  EXPECT_FALSE(ray::GetActor("nobody"));
  found->Kill();
  EXPECT_THROW(counter.Task(ray::PyActorMethod<int>{"add"}).Remote(1).Get(), manta::ActorDiedError);
  ray::PyActorMethod<int> method;
  method.function_name = "pid";
  EXPECT_GT(*ray::Actor(counting).Remote(1).Task(method).Remote().Get(), 0);
  EXPECT_THROW(counter.Task(ray::JavaActorMethod<int>{"add"}).Remote(1), manta::NotSupportedError);
}

}  // namespace
}  // namespace manta_test
