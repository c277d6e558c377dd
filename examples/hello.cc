// The first program: a task, an actor that uses its result, and the answer 49.
#include <manta/manta.h>

#include <iostream>

int Square(int x) { return x * x; }

class Counter {
 public:
  int Add(int x) { return total_ += x; }

 private:
  int total_ = 0;
};

int main() {
  manta::Init();
  manta::ObjectRef<int> squared = manta::Task(Square).Remote(7);
  manta::ActorHandle<Counter> counter = manta::Actor<Counter>().Remote();
  std::cout << *manta::Get(counter.Task(&Counter::Add).Remote(squared)) << "\n";  // 49
  manta::Shutdown();
}
