// Typical mistakes, and what the compiler must say about each: exactly one error, with this text.
// check_compile_errors.py compiles each case, from one "//// name: text" to the next, after the
// common part. A case without a text must compile.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "manta/manta.h"

using manta::ObjectRef;

int Add(int a, int b);
std::string Greet(const std::string& name);

struct WithPointer {
  int size;
  const char* data;
};
class Secretive {
 public:
  Secretive();
  int Number() const;

 private:
  std::string text_;
};
class Counter {
 public:
  explicit Counter(int start);
  int Add(int x);
};
class Other {
 public:
  int Get();
};

//// all_is_well:
void Case() {
  manta::Task(Add).Remote(1, manta::Put(2));
  manta::Actor<Counter>().Remote(1).Task(&Counter::Add).Remote(2);
}

//// too_few_arguments: manta: Remote was given another number of arguments
void Case() { manta::Task(Add).Remote(1); }

//// too_many_arguments: manta: Remote was given another number of arguments
void Case() { manta::Task(Add).Remote(1, 2, 3); }

//// wrong_argument: manta: an argument of Remote has the wrong type
void Case() { manta::Task(Add).Remote(1, std::string("2")); }

//// wrong_reference: manta: an argument of Remote has the wrong type
void Case() { manta::Task(Add).Remote(1, manta::Put("2")); }

//// reference_to_nothing: manta: an argument of Remote has the wrong type
void Case(ObjectRef<void> done) { manta::Task(Add).Remote(1, done); }

//// two_wrong_arguments_one_message: manta: a pointer means nothing
int Take(const char* a, int b);
void Case() { manta::Task(Take).Remote("a", 1); }

//// mutable_reference: manta: a task works on a copy of its arguments
void Append(std::vector<int>& to, int x);
void Case(std::vector<int> v) { manta::Task(Append).Remote(v, 1); }

//// pointer_argument: manta: a pointer means nothing in another process
void Fill(double* data, int count);
void Case(double* data) { manta::Task(Fill).Remote(data, 1); }

//// pointer_inside: manta: a pointer means nothing in another process
void Case() { manta::Put(std::vector<WithPointer>()); }

//// pointer_result: manta: a pointer means nothing in another process
int* Make();
void Case() { manta::Task(Make).Remote(); }

//// string_view_parameter: manta: a view (string_view, span, ...) only looks
size_t Length(std::string_view text);
void Case() { manta::Task(Length).Remote("text"); }

//// function_parameter: manta: this type cannot be sent to another process
int Apply(const std::function<int(int)>& function, int x);
void Case(std::function<int(int)> f) { manta::Task(Apply).Remote(f, 1); }

//// unknown_class: write MANTA_DEFINE(member, ...) inside of the class
void Case() { manta::Put(Secretive()); }

//// unknown_class_in_get: write MANTA_DEFINE(member, ...) inside of the class
void Case(std::vector<ObjectRef<Secretive>> references) { manta::Get(references); }

//// unknown_class_in_ref_get: write MANTA_DEFINE(member, ...) inside of the class
void Case(ObjectRef<Secretive> reference) { reference.Get(); }

//// unknown_class_in_result: write MANTA_DEFINE(member, ...) inside of the class
Secretive Make();
void Case() { manta::Task(Make).Remote(); }

//// base_class: manta: an aggregate with a base class cannot be taken apart
struct Base {
  int a;
};
struct Derived : Base {
  std::string b;
};
void Case() { manta::Put(Derived()); }

//// union: manta: which member of a union counts cannot be seen
union NumberOrPointer {
  int number;
  const char* text;
};
struct HoldsUnion {
  int which;
  NumberOrPointer value;
};
void Case() { manta::Put(HoldsUnion()); }

//// more_than_24_fields: manta: this aggregate has more than 24 fields
struct Wide {
  std::string a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
      a19, a20, a21, a22, a23, a24;
};
void Case() { manta::Put(Wide()); }

//// inherited_hook: manta: this class inherits Serialize from a base class
struct Base {
  int a = 0;
  MANTA_DEFINE(a)
};
struct Derived : Base {
  int b = 0;
};
void Case() { manta::Put(Derived()); }

//// no_default_constructor: manta: reading a value starts from a default-constructed one
struct Exact {
  explicit Exact(int x) : value(x) {}
  int value;
  MANTA_DEFINE(value)
};
void Case() { manta::Put(Exact(1)); }

//// const_member: manta: a const member cannot be read back
struct Fixed {
  const std::string name = "x";
};
void Case() { manta::Put(Fixed()); }

//// polymorphic_pointer: manta: a smart pointer to a class with virtual functions
struct Shape {
  virtual ~Shape() = default;
};
void Case(std::unique_ptr<Shape> shape) { manta::Put(shape); }

//// array_pointer: manta: a smart pointer to an array does not know its size
void Case(std::unique_ptr<int[]> numbers) { manta::Put(numbers); }

//// iterator: manta: an iterator means nothing in another process
void Case(std::vector<int> v) { manta::Put(v.begin()); }

//// reference_member: manta: a reference means nothing in another process
void Case(std::vector<std::reference_wrapper<int>> v) { manta::Put(v); }

//// put_of_a_reference: manta: Put of an ObjectRef would be a reference to a reference
void Case(ObjectRef<int> reference) { manta::Put(reference); }

//// lambda_with_string: manta: this function object cannot be sent
void Case(std::string text) {
  manta::Task([text](int x) { return text.size() + x; }).Remote(1);
}

//// functor_that_hides_a_pointer: manta: this function object cannot be sent
class SumsWith {
 public:
  explicit SumsWith(const std::vector<int>* numbers) : numbers_(numbers) {}
  int operator()(int x) const { return x + numbers_->front(); }

 private:
  const std::vector<int>* numbers_;
};
void Case(const std::vector<int>& numbers) { manta::Task(SumsWith(&numbers)).Remote(1); }

//// std_function: manta: this function object cannot be sent
void Case(std::function<int(int)> function) { manta::Task(function).Remote(1); }

//// method_as_task: manta: Task takes a function. Methods are called on an actor
void Case() { manta::Task(&Counter::Add).Remote(1); }

//// not_callable: manta: Task takes something that can be called
void Case() { manta::Task(5).Remote(1); }

//// overloaded_function: PickOneWithMantaOverload
int Twice(int x);
double Twice(double x);
void Case() { manta::Task(Twice).SetNumCpus(2).Remote(1); }

//// function_template: PickOneWithMantaOverload
template <class T>
T Twice(T x);
void Case() { manta::Task(Twice).Remote(1); }

//// overload_picks_one:
int Twice(int x);
double Twice(double x);
template <class T>
T Thrice(T x);
void Case() {
  manta::Task(manta::Overload<double(double)>(Twice)).Remote(1);
  manta::Task(manta::Overload<int(int)>(Thrice)).Remote(1);
}

//// function_and_its_argument: no matching function for call to
void Case() { manta::Task(Add, 1); }

//// generic_lambda_mismatch: manta: this function object cannot be called with these arguments
struct Overloaded {
  int operator()(int x) const;
  int operator()(int x, int y) const;
};
void Case() { manta::Task(Overloaded()).Remote("text"); }

//// several_results_of_one: manta: RemoteMulti is for functions that return a std::tuple
void Case() { manta::Task(Add).RemoteMulti(1, 2); }

//// method_of_another_class: manta: this method belongs to another class than the actor's
void Case(manta::ActorHandle<Counter> counter) { counter.Task(&Other::Get).Remote(); }

//// function_as_method: manta: ActorHandle::Task takes a pointer to a method
void Case(manta::ActorHandle<Counter> counter) { counter.Task(Add).Remote(1, 2); }

//// overloaded_method: PickOneWithMantaOverload
struct Scale {
  int By(int x);
  double By(double x);
};
void Case(manta::ActorHandle<Scale> scale) { scale.Task(&Scale::By).Remote(1); }

//// overloaded_method_of_a_temporary: PickOneWithMantaOverload
struct Scale {
  int By(int x);
  double By(double x);
};
void Case() { manta::Actor<Scale>().Remote().Task(&Scale::By).Remote(1); }

//// wrong_argument_of_method: manta: an argument of Remote has the wrong type
void Case(manta::ActorHandle<Counter> counter) { counter.Task(&Counter::Add).Remote("x"); }

//// several_results_of_one_method: manta: RemoteMulti is for methods that return
void Case(manta::ActorHandle<Counter> counter) { counter.Task(&Counter::Add).RemoteMulti(1); }

//// no_such_constructor: manta: the actor's class has no constructor for these arguments
void Case() { manta::Actor<Counter>().Remote("text"); }

//// abstract_class: manta: the actor's class is abstract
struct Shape {
  virtual ~Shape() = default;
  virtual double Area() = 0;
};
void Case() { manta::Actor<Shape>().Remote(); }

//// factory_of_an_abstract_class:
struct Shape {
  virtual ~Shape() = default;
  virtual double Area() = 0;
};
std::unique_ptr<Shape> MakeShape(double size);
void Case() { manta::Actor(MakeShape).Remote(2).Task(&Shape::Area).Remote(); }

//// overloaded_factory: PickOneWithMantaOverload
std::unique_ptr<Counter> Make(int start);
std::unique_ptr<Counter> Make();
void Case() { manta::Actor(Make).Remote(1); }

//// pointer_for_constructor: manta: a pointer means nothing in another process
struct Wraps {
  explicit Wraps(int* pointer);
};
void Case(int* pointer) { manta::Actor<Wraps>().Remote(pointer); }

//// factory_of_a_value: manta: a factory of actors returns T*
Counter MakeCounter();
void Case() { manta::Actor(MakeCounter).Remote(); }

//// generic_factory: manta: a factory of actors needs one signature
void Case() {
  manta::Actor([](auto x) { return std::make_unique<Counter>(x); }).Remote(1);
}

//// actor_that_is_no_class: manta: an actor is an instance of a class
void Case() { manta::Actor<int>(); }

//// array_of_strings: manta: an Array holds trivially copyable elements
manta::Array<std::string> array;

//// array_of_pointers: manta: a pointer means nothing in another process
void Case(manta::Array<const char*> array) { manta::Put(array); }

//// reference_to_const: manta: an ObjectRef refers to a value, not to a const value
ObjectRef<const int> reference;

//// timeout_without_unit: deleted function
void Case(ObjectRef<int> reference) { reference.Get(0.5); }

//// cxx20_coroutine_all_is_well:
manta::Coroutine<int> Double(int x) { co_return 2 * co_await manta::Task(Add).Remote(x, x); }
int RunIt(int x) { return manta::RunCoroutine(Double(x)); }
void Case() { manta::Task(RunIt).Remote(1); }

//// cxx20_task_is_a_coroutine: manta: a coroutine cannot travel, so tasks and methods cannot be
manta::Coroutine<int> Double(int x);
void Case() { manta::Task(Double).Remote(1); }

//// cxx20_method_is_a_coroutine: manta: a coroutine cannot travel, so tasks and methods cannot be
struct Doubler {
  manta::Coroutine<int> Double(int x);
};
void Case() { manta::Actor<Doubler>().Remote().Task(&Doubler::Double).Remote(1); }

//// cxx20_co_await_of_something_else: manta: inside of a manta::Coroutine, co_await takes an ObjectRef
manta::Coroutine<> Case() { co_await std::suspend_always(); }

//// python_all_is_well:
void Case(manta::PyActorHandle actor) {
  actor.Task(manta::PyActorMethod<std::vector<int>>{"f"}).Remote("text", std::make_tuple(1, 2.5), manta::Put(1));
}

//// python_takes_a_pointer: manta: a pointer means nothing in another process
void Case(WithPointer value) { manta::Task(manta::PyFunction<int>{"m", "f"}).Remote(value); }

//// python_method_of_an_actor_in_cpp: manta: a PyActorMethod is called on an actor that was made of a PyActorClass
void Case(manta::ActorHandle<Counter> actor) { actor.Task(manta::PyActorMethod<int>{"add"}).Remote(1); }

//// method_of_cpp_of_an_actor_in_python: manta: this method belongs to another class than the actor's
void Case(manta::PyActorHandle actor) { actor.Task(&Counter::Add).Remote(1); }

//// named_lambda: MANTA_REMOTE takes functions, factories of actors and &Class::Method
MANTA_REMOTE([](int x) { return x; });
