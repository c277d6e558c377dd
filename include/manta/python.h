// Calling Python: functions and classes by their names, in workers that run Python.
//
//   int sum = *manta::Task(manta::PyFunction<int>{"numbers_of", "add"}).Remote(1, 2).Get();
//
//   auto counter = manta::Actor(manta::PyActorClass{"counting", "Counter"}).Remote(10);
//   counter.Task(manta::PyActorMethod<int>{"add"}).Remote(1);
//
// Modules are found in the driver's working directory, in Config::code_search_path and where Python
// looks for them. Functions and classes may have been decorated with @ray.remote, whose options do not
// count here. Arguments and results are numbers, text, containers, tuples and aggregates of them; an
// ObjectRef<T> stands for its value. In Python, vectors and aggregates are lists.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "manta/actor.h"
#include "manta/detail/schema.h"
#include "manta/task.h"

namespace manta {
inline namespace v1 {

// The function of that name (`Class.method` for one of a class) in that module; R is what C++ wants to
// have of its result.
template <class R>
struct PyFunction {
  std::string module_name;
  std::string function_name;
};

struct PyActorClass {
  std::string module_name;
  std::string class_name;
};

template <class R>
struct PyActorMethod {
  std::string function_name;
};

// An actor whose class is one of Python. A method that is a coroutine overlaps with others if the actor
// was made with SetMaxConcurrency.
using PyActorHandle = ActorHandle<PyActorClass>;

namespace detail {

template <class R>
inline constexpr manta_language kLanguageOf<PyFunction<R>> = MANTA_LANGUAGE_PYTHON;
template <>
inline constexpr manta_language kLanguageOf<PyActorClass> = MANTA_LANGUAGE_PYTHON;

template <class>
struct AnyParameters : std::true_type {};

// The same text, for the life of the program.
inline const char* KeptName(const std::string& name) {
  static std::mutex mutex;
  static auto* const names = new std::set<std::string>();
  const std::lock_guard<std::mutex> guard(mutex);
  return names->insert(name).first->c_str();
}

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowNoPythonValue(const std::string& schema) {
  const size_t name = schema.find('!') + 1;
  throw InvalidArgumentError("Remote: a call of Python has an argument or a result of the type " +
                             schema.substr(name, schema.find(';', name) - name) +
                             ", for which Python has no value");
}

// The arguments of a call of Python, as submit.h writes them behind a text that says what is called:
// one letter, the description of arguments and result (schema.h), the module, and the name, with lines
// between them.
template <class R, class... Given>
struct PythonCall {
  using GivenTypes = TypeList<Given...>;
  using Parameters = typename NaturalParameters<AnyParameters, Given...>::Type;

  template <class List>
  struct WithText;
  template <class... Ts>
  struct WithText<TypeList<Ts...>> {
    using Type = TypeList<std::string, Ts...>;
    static std::string Schema() {
      std::string text = "(";
      (AppendSchema<Ts>(text, 0), ...);
      text += ')';
      AppendSchema<R>(text, 0);
      return text;
    }
  };

  static constexpr bool Passes() {
    return ArgumentsPass<Parameters, GivenTypes>() && ResultCheck<TypeList<R>>::Passes();
  }
  static constexpr void Explain() {
    ExplainArguments<Parameters, GivenTypes>();
    ResultCheck<TypeList<R>>::Explain();
  }

  template <class Submit>
  static void SubmitCall(char kind, const std::string& module, const std::string& code,
                         manta_runtime* runtime, manta_task_spec& spec, Submit&& submit,
                         std::remove_reference_t<Given>&... given) {
    static const std::string schema = WithText<Parameters>::Schema();
    if (schema.find('!') != std::string::npos) ThrowNoPythonValue(schema);
    const std::string text = kind + schema + '\n' + module + '\n' + code;
    spec.function = {0, MANTA_LANGUAGE_PYTHON, 0, 0};
    spec.function_name = KeptName(module.empty() ? code : module + '.' + code);
    if (spec.name == nullptr) spec.name = spec.function_name;
    ArgumentWriter<typename WithText<Parameters>::Type, TypeList<const std::string&, Given...>>::
        SubmitCall(runtime, spec, Prefix<0>(), submit, text, given...);
  }

  // A call that has one result, with the options of its caller.
  template <class Options, class Submit>
  static void SubmitWith(const Options& options, char kind, const std::string& module,
                         const std::string& code, manta_runtime* runtime, Submit&& submit,
                         std::remove_reference_t<Given>&... given) {
    manta_task_spec spec;
    spec.num_results = 1;
    spec.options = options.Number(runtime);
    spec.name = options.Name();
    spec.stream = nullptr;
    SubmitCall(kind, module, code, runtime, spec, submit, given...);
  }
};

template <class... Given>
struct CreationCall<PyActorClass, Given...> : PythonCall<void, Given...> {
  using Actor = PyActorClass;

  template <class Submit>
  static void SubmitCall(const PyActorClass& actor, manta_runtime* runtime, manta_task_spec& spec,
                         Submit&& submit, std::remove_reference_t<Given>&... given) {
    PythonCall<void, Given...>::SubmitCall('c', actor.module_name, actor.class_name, runtime, spec,
                                           submit, given...);
  }
};

}  // namespace detail

// A function of Python that is ready to be called remotely. Thread safety: as for other callers.
template <class R>
class TaskCaller<PyFunction<R>> : public detail::TaskSetters<TaskCaller<PyFunction<R>>> {
 public:
  explicit TaskCaller(PyFunction<R> function) : function_(std::move(function)) {
    this->options_.Change().language = MANTA_LANGUAGE_PYTHON;
  }

  // As for functions of C++. Get throws a TaskError with Python's traceback for what the function
  // raises, if there is no such function, or if its result is no R.
  template <class... Given>
  ObjectRef<R> Remote(Given&&... given) const {
    using Call = detail::PythonCall<R, Given...>;
    Call::Explain();
    manta_ref* result = nullptr;
    if constexpr (Call::Passes()) {
      manta_runtime* runtime = detail::CurrentRuntime("Remote");
      Call::SubmitWith(
          this->options_, 'f', function_.module_name, function_.function_name, runtime,
          [&](const manta_task_spec& filled) {
            detail::Check(manta_submit(runtime, &filled, &result));
          },
          given...);
    }
    return ObjectRef<R>::FromHandle(result);
  }

 private:
  PyFunction<R> function_;
};

// A method of an actor in Python, ready to be called. It must not outlive the handle that it was made
// from, unless that was a temporary.
template <class T, class R>
class ActorTaskCaller<T, PyActorMethod<R>>
    : public detail::TaskSetters<ActorTaskCaller<T, PyActorMethod<R>>> {
  static_assert(std::is_same_v<T, PyActorClass>,
                "manta: a PyActorMethod is called on an actor that was made of a PyActorClass");

 public:
  ActorTaskCaller& SetConcurrencyGroup(const std::string& name) {
    this->options_.Change().concurrency_group = detail::CheckText("SetConcurrencyGroup", name);
    return *this;
  }

  // As for methods of C++ and functions of Python.
  template <class... Given>
  ObjectRef<R> Remote(Given&&... given) const {
    using Call = detail::PythonCall<R, Given...>;
    Call::Explain();
    manta_ref* result = nullptr;
    if constexpr (Call::Passes()) {
      manta_runtime* runtime = detail::CurrentRuntime("Remote");
      if (actor_ == nullptr) detail::ThrowNilActor("Remote");
      Call::SubmitWith(
          this->options_, 'm', std::string(), method_.function_name, runtime,
          [&](const manta_task_spec& filled) {
            detail::Check(manta_actor_submit(actor_, &filled, &result));
          },
          given...);
    }
    return ObjectRef<R>::FromHandle(result);
  }

 private:
  template <class>
  friend class ActorHandle;

  ActorTaskCaller(manta_actor* borrowed, PyActorMethod<R> method)
      : actor_(borrowed), method_(std::move(method)) {}
  ActorTaskCaller(detail::ActorPointer owned, PyActorMethod<R> method)
      : actor_(owned.get()), owned_(std::move(owned)), method_(std::move(method)) {}

  manta_actor* actor_;
  detail::ActorPointer owned_;  // empty when the handle is borrowed
  PyActorMethod<R> method_;
};

template <class R>
TaskCaller<PyFunction<R>> Task(PyFunction<R> function) {
  return TaskCaller<PyFunction<R>>(std::move(function));
}

inline ActorCreator<PyActorClass> Actor(PyActorClass actor) {
  return ActorCreator<PyActorClass>(std::move(actor));
}

}  // namespace v1
}  // namespace manta
