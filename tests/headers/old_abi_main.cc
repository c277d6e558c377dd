// Built with the old ABI of std::string, against a C interface built with the new one: nothing of
// the standard library crosses the border.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "manta/manta.h"

#if !defined(__GLIBCXX__) || _GLIBCXX_USE_CXX11_ABI != 0
#error "compile this with -D_GLIBCXX_USE_CXX11_ABI=0"
#endif

namespace {

struct Person {
  std::string name;
  std::vector<std::string> friends;
  std::map<std::string, int> scores;
};

std::string Greet(const Person& person) {
  return "hello " + person.name + ", " + std::to_string(person.scores.at("chess"));
}

class Register {
 public:
  explicit Register(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string Name(const std::string& name) { return prefix_ + name; }

 private:
  std::string prefix_;
};

int failures = 0;

void Expect(bool condition, const char* what) {
  if (condition) return;
  std::printf("failed: %s\n", what);
  ++failures;
}

}  // namespace

int main() {
  manta::Init();
  {
    const Person person{"Ann", {"Bob", std::string(500, 'x')}, {{"chess", 5}}};
    const auto stored = manta::Put(person);
    Expect(stored.Get()->friends == person.friends, "a value comes back");
    Expect(*manta::Task(Greet).Remote(person).Get() == "hello Ann, 5", "a task runs");
    Expect(*manta::Task(Greet).Remote(stored).Get() == "hello Ann, 5", "a task gets a reference");
    const auto actor = manta::Actor<Register>().SetName("register").Remote("Dr. ");
    Expect(*actor.Task(&Register::Name).Remote("Who").Get() == "Dr. Who", "an actor runs");
    Expect(manta::GetActor<Register>("register").has_value(), "an actor is found by name");
    const auto failed = manta::Task(Greet).Remote(Person());
    try {
      failed.Get();
      Expect(false, "Get throws");
    } catch (const std::out_of_range& error) {
      Expect(std::string(error.what()).find("std::out_of_range") == 0, "the text names the type");
    }
    try {
      manta::Task(Greet).SetNumCpus(1).Remote(manta::ObjectRef<Person>());
      Expect(false, "Remote throws");
    } catch (const manta::InvalidArgumentError&) {
    }
    Expect(manta::GetNamespace() == "fake_namespace", "texts come through");
    Expect(manta::ClusterResources().at("CPU") == 4, "resources come through");
  }
  manta::Shutdown();
  if (failures == 0) std::printf("ok\n");
  return failures;
}
