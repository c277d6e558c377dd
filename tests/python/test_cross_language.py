"""C++ functions and actors, called by name from Python."""

import array
import os
import pathlib
import subprocess

import pytest

import manta as ray

SOURCE = r"""
#include <manta/manta.h>
#include <ray/api.h>
#include <stdexcept>

int Plus1(int x) { return x + 1; }
int64_t Sum(const std::vector<int>& numbers) { int64_t sum = 0; for (int n : numbers) sum += n; return sum; }
std::vector<double> Scale(std::vector<double> numbers, double by) { for (double& n : numbers) n *= by; return numbers; }
struct Point { int8_t x; double y; };
Point Mirror(Point p) { return {static_cast<int8_t>(-p.x), -p.y}; }
struct Person { std::string name; std::vector<int> marks; };
std::map<std::string, size_t> Marks(const std::vector<Person>& people) {
  std::map<std::string, size_t> counts;
  for (const Person& person : people) counts[person.name] = person.marks.size();
  return counts;
}
std::optional<std::string> Maybe(bool there) { return there ? std::optional<std::string>("here") : std::nullopt; }
std::vector<uint8_t> Bytes(std::vector<uint8_t> bytes) { bytes.push_back(0); return bytes; }
std::tuple<int, std::string, std::vector<bool>> Tuple() { return {1, "two", {true, false}}; }
void Nothing() {}
std::string Long(size_t size) { return std::string(size, 'x'); }
int Fail(const std::string& why) { throw std::out_of_range(why); }
int Twice(int x) { return *manta::Task(Plus1).Remote(x).Get() + *manta::Task(Plus1).Remote(x).Get() - 2; }
double Root(double x) { return *manta::Task(manta::PyFunction<double>{"math", "sqrt"}).Remote(x).Get(); }
std::variant<int, std::string> Either() { return 1; }

class Counter {
 public:
  static Counter* Create(int start) {
    if (start < 0) throw std::invalid_argument("negative");
    return new Counter(start);
  }
  int Add(int x) { return value_ += x; }
  virtual std::string Name() const { return "counter " + std::to_string(value_); }
  virtual ~Counter() = default;
 private:
  explicit Counter(int start) : value_(start) {}
  int value_;
};
Counter* MakeCounter() { return Counter::Create(0); }

MANTA_REMOTE(Sum, Scale, Mirror, Marks, Maybe, Bytes, Tuple, Nothing, Long, Fail, Twice, Root, Either, Counter::Create);
RAY_REMOTE(Plus1, RAY_FUNC(MakeCounter), &Counter::Add, &Counter::Name);
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    (folder / "named.cc").write_text(SOURCE)
    root = pathlib.Path(__file__).resolve().parents[2]
    lib = pathlib.Path(os.environ["MANTA_EXECUTABLE"]).resolve().parents[1] / "lib"
    subprocess.run(["c++", "-std=c++17", "-shared", "-fPIC", "-O0", f"-I{root}/include", str(folder / "named.cc"),
                    "-o", str(folder / "libnamed.so"), f"-L{lib}", "-lmanta"], check=True)
    return folder


@pytest.fixture(scope="module", autouse=True)
def cluster(library):
    ray.init(num_cpus=2, address="local", job_config=ray.job_config.JobConfig(code_search_path=[str(library)]))
    yield
    ray.shutdown()


def call(name, *arguments):
    return ray.get(ray.cross_language.cpp_function(name).remote(*arguments))


def test_a_function_is_called_by_its_name():
    assert call("Plus1", 1) == 2


def test_values_of_many_types_go_there_and_back():
    assert call("Sum", [1, 2, 3]) == 6
    assert call("Sum", tuple(range(1000))) == 499500
    assert call("Scale", [1.5, 2], 2) == [3.0, 4.0]
    assert call("Mirror", (3, 0.5)) == [-3, -0.5]
    assert call("Marks", [("Ada", [1, 2]), ("Bob", [])]) == {"Ada": 2, "Bob": 0}
    assert call("Maybe", True) == "here"
    assert call("Maybe", False) is None
    assert call("Bytes", b"ab") == b"ab\0"
    assert call("Tuple") == [1, "two", [True, False]]
    assert call("Nothing") is None
    assert call("Long", 100_000) == "x" * 100_000


def test_arrays_of_numbers_go_as_they_are():
    assert call("Sum", array.array("i", range(1000))) == 499500
    numpy = pytest.importorskip("numpy")
    assert call("Sum", numpy.arange(1000, dtype=numpy.int32)) == 499500
    assert call("Sum", numpy.arange(1000, dtype=numpy.int64)) == 499500


def test_references_stand_for_their_values():
    plus = ray.cpp_function("Plus1")
    assert ray.get(plus.remote(plus.remote(ray.put(1)))) == 3
    assert ray.get(ray.cross_language.cpp_function("Sum").remote(ray.put([1, 2]))) == 3


def test_the_function_may_submit_tasks_of_cpp():
    assert call("Twice", 5) == 10


def test_the_function_may_call_python_by_name():
    assert call("Root", 9) == 3.0


def test_options_apply():
    assert ray.get(ray.cross_language.cpp_function("Plus1").options(num_cpus=0.5, name="plus").remote(1)) == 2


@pytest.mark.parametrize("name, arguments, said", [
    ("Plus1", ("a",), "argument 1 of the C++ function Plus1: C++ expects an int, and got 'a'"),
    ("Plus1", (True,), "expects an int"),
    ("Plus1", (1.5,), "expects an int"),
    ("Plus1", (1 << 40,), "an int of 32 bits"),
    ("Plus1", (), "takes 1 arguments, and got 0"),
    ("Plus1", (1, 2), "takes 1 arguments, and got 2"),
    ("Sum", ("123",), "expects a sequence"),
    ("Sum", ([1, None],), "expects an int"),
    ("Mirror", ((1,),), "expects 2 values, and got 1"),
    ("Marks", ([("Ada", [1], 2)],), "expects 2 values, and got 3"),
    ("Fail", ("too far",), "std::out_of_range: too far"),
    ("Either", (), "for which Python has no value"),
    ("Minus1", (1,), "no C++ function is registered as 'Minus1' here; there are"),
    ("Counter::Add", (1,), "is a method"),
])
def test_what_does_not_fit_is_said(name, arguments, said):
    with pytest.raises(ray.exceptions.CrossLanguageError) as caught:
        call(name, *arguments)
    assert said in str(caught.value)


def test_an_actor_of_cpp():
    Counter = ray.cross_language.cpp_actor_class("Counter::Create", "Counter")
    counter = Counter.remote(5)
    assert [ray.get(counter.Add.remote(1)) for _ in range(3)] == [6, 7, 8]
    assert ray.get(counter.Name.remote()) == "counter 8"
    with pytest.raises(TypeError, match="Counter::Add takes no arguments by name: x"):
        ray.get(counter.Add.remote(x=1))
    with pytest.raises(ray.exceptions.CrossLanguageError, match="Counter::Subtract"):
        ray.get(counter.Subtract.remote(1))


def test_a_named_actor_of_cpp_whose_factory_is_named_as_in_ray():
    shared = ray.cross_language.cpp_actor_class("RAY_FUNC(MakeCounter)", "Counter").options(name="shared").remote()

    @ray.remote
    def use():
        return ray.get(ray.get_actor("shared").Add.remote(2))

    assert ray.get(use.remote()) == 2
    assert ray.get(shared.Name.remote()) == "counter 2"


def test_a_factory_that_throws_ends_the_actor():
    counter = ray.cross_language.cpp_actor_class("Counter::Create", "Counter").remote(-1)
    with pytest.raises(ray.exceptions.RayActorError, match="negative"):
        ray.get(counter.Add.remote(1))


def test_names_are_checked_at_once():
    with pytest.raises(TypeError, match="function_name"):
        ray.cross_language.cpp_function(1)
    with pytest.raises(ValueError, match="there is no /nowhere"):
        ray.job_config.JobConfig(code_search_path=["/nowhere"])
