// Objects that live in processes of their own, and calls of their methods.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "manta/detail/natural_parameters.h"
#include "manta/detail/submit.h"
#include "manta/object_ref.h"
#include "manta/options.h"
#include "manta/task.h"

namespace manta {
inline namespace v1 {

template <class R>
struct PyActorMethod;

namespace detail {

// The counted pointer inside of every ActorHandle.
class ActorPointer {
 public:
  ActorPointer() noexcept = default;
  explicit ActorPointer(manta_actor* owned) noexcept : pointer_(owned) {}
  ActorPointer(const ActorPointer& other) noexcept : pointer_(other.pointer_) {
    if (pointer_ != nullptr) manta_actor_retain(pointer_);
  }
  ActorPointer(ActorPointer&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  ActorPointer& operator=(ActorPointer other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~ActorPointer() {
    if (pointer_ != nullptr) manta_actor_release(pointer_);
  }
  manta_actor* get() const noexcept { return pointer_; }

 private:
  manta_actor* pointer_ = nullptr;
};

inline manta_actor_id ActorIdOf(manta_actor* actor) noexcept {
  manta_actor_id id = {};
  if (actor != nullptr) manta_actor_get_id(actor, &id);
  return id;
}

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowNilActor(const char* what) {
  throw InvalidArgumentError(std::string(what) +
                             ": the ActorHandle is empty "
                             "(default-constructed or moved from)");
}

template <class Method>
inline constexpr bool kIsPyActorMethod = false;
template <class R>
inline constexpr bool kIsPyActorMethod<PyActorMethod<R>> = true;

}  // namespace detail

// A method of an actor, ready to be called. Made by ActorHandle::Task. It must not outlive the
// handle that it was made from, unless that was a temporary.
//
// Thread safety: as for TaskCaller.
template <class T, class Method>
class ActorTaskCaller : public detail::TaskSetters<ActorTaskCaller<T, Method>> {
 public:
  // Runs on the threads of this group, which the actor was created with (SetConcurrencyGroup); else
  // the call fails with InvalidArgumentError. Default: the threads of SetMaxConcurrency.
  ActorTaskCaller& SetConcurrencyGroup(const std::string& name) {
    this->options_.Change().concurrency_group = detail::CheckText("SetConcurrencyGroup", name);
    return *this;
  }

  // Submits the call and returns at once with a reference to its future result. Calls from one
  // process to one actor run in the order in which they were submitted, unless the actor was given
  // more than one thread. Arguments and errors: as for TaskCaller::Remote, and
  // PendingCallsLimitExceededError. When the actor is gone, Get throws ActorDiedError.
  template <class... Given>
  auto Remote(Given&&... given) const {
    return Call<detail::ResultMode::kOne>(1, std::forward<Given>(given)...);
  }

  // For methods that return a std::tuple, std::pair or std::array, see TaskCaller::RemoteMulti.
  template <class... Given>
  auto RemoteMulti(Given&&... given) const {
    using Result = std::decay_t<typename detail::Signature<Method>::Result>;
    static_assert(detail::kIsTupleLike<Result>,
                  "manta: RemoteMulti is for methods that return a std::tuple, std::pair or "
                  "std::array. Use Remote.");
    if constexpr (detail::kIsTupleLike<Result>) {
      return Call<detail::ResultMode::kMany>(std::tuple_size<Result>::value,
                                             std::forward<Given>(given)...);
    } else {
      return detail::AfterError();
    }
  }

  // For methods that return a std::vector of `count` elements, see TaskCaller::RemoteMany.
  template <class... Given>
  auto RemoteMany(size_t count, Given&&... given) const {
    using Result = std::decay_t<typename detail::Signature<Method>::Result>;
    static_assert(detail::kIsVector<Result>,
                  "manta: RemoteMany is for methods that return a std::vector. Use Remote.");
    if constexpr (detail::kIsVector<Result>) {
      return Call<detail::ResultMode::kList>(detail::CheckResultCount(count),
                                             std::forward<Given>(given)...);
    } else {
      return detail::AfterError();
    }
  }

 private:
  template <class>
  friend class ActorHandle;

  ActorTaskCaller(manta_actor* borrowed, Method method) : actor_(borrowed), method_(method) {}
  ActorTaskCaller(detail::ActorPointer owned, Method method)
      : actor_(owned.get()), owned_(std::move(owned)), method_(method) {}

  template <detail::ResultMode mode, class... Given>
  auto Call(uint32_t count, Given&&... given) const {
    using Call = detail::TaskCall<Method, mode, Given...>;
    using Refs = typename Call::Refs;
    Call::Explain();
    if constexpr (Call::Passes()) {
      const auto parts = detail::MethodParts::Of(method_);
      if (__builtin_expect(parts.IsSimple() && !parts.IsNull(), 1)) {
        return Submit<Call, mode>(count, detail::Prefix<1>{{0}},
                                  reinterpret_cast<const void*>(parts.address), given...);
      }
      return SubmitUnusual<Call, mode>(count, parts, given...);
    } else {
      return typename Refs::Type();
    }
  }

  // Virtual methods, and those that a conversion moved to another class.
  template <class Call, detail::ResultMode mode, class... Given>
  [[gnu::noinline]] auto SubmitUnusual(uint32_t count, const detail::MethodParts& parts,
                                       Given&... given) const {
    if (parts.IsNull()) throw InvalidArgumentError("Remote: the pointer to the method is null");
    detail::Prefix<1 + sizeof(parts)> prefix;
    prefix.bytes[0] = 1;
    std::memcpy(prefix.bytes + 1, &parts, sizeof(parts));
    const void* target = parts.IsVirtual() ? nullptr : reinterpret_cast<const void*>(parts.address);
    return Submit<Call, mode>(count, prefix, target, given...);
  }

  template <class Call, detail::ResultMode mode, class PrefixType, class... Given>
  auto Submit(uint32_t count, const PrefixType& prefix, const void* target,
              Given&... given) const {
    using Refs = typename Call::Refs;
    using Parameters = typename Call::Types::Parameters;
    using Sources = typename detail::SourceTypes<Parameters, typename Call::GivenTypes>::Type;
    using Body = detail::MethodBody<T, Method, Sources, mode>;
    manta_runtime* runtime = detail::CurrentRuntime("Remote");
    if (__builtin_expect(actor_ == nullptr, 0)) detail::ThrowNilActor("Remote");
    const char* name = detail::TypeName<Method>::Get();
    manta_task_spec spec;
    spec.function = detail::FunctionIdOf<Body>(target, name);
    spec.function_name = name;
    spec.num_results = count;
    spec.options = this->options_.Number(runtime);
    spec.name = this->options_.Name();
    spec.stream = nullptr;
    typename Refs::Handles results = Refs::Room(count);
    detail::ArgumentWriter<Parameters, typename Call::GivenTypes>::SubmitCall(
        runtime, spec, prefix,
        [this, &results](const manta_task_spec& filled) {
          detail::Check(manta_actor_submit(actor_, &filled, results.data()));
        },
        given...);
    return Refs::FromHandles(results.data(), count);
  }

  manta_actor* actor_;
  detail::ActorPointer owned_;  // empty when the handle is borrowed
  Method method_;
};

// A reference to an actor of class T. Unless it is detached, the actor lives as long as there are
// handles to it, anywhere in the cluster; handles travel in arguments, results and objects.
//
// Thread safety: as for std::shared_ptr. A default-constructed handle refers to nothing.
template <class T>
class ActorHandle {
 public:
  ActorHandle() noexcept = default;

  // Prepares a call of a method: handle.Task(&Counter::Add).Remote(1). The method may be one of a
  // base class, const, noexcept or virtual. Of overloaded methods, manta::Overload picks one.
  template <class Method>
  auto Task(Method method) const& {
    return MakeCaller(actor_.get(), method);
  }
  template <class Method>
  auto Task(Method method) && {
    return MakeCaller(std::move(actor_), method);
  }
  detail::AfterError Task(detail::PickOneWithMantaOverload) const;

  // Ends the actor now; the call that it runs is lost. With no_restart = false it starts again if
  // SetMaxRestarts allows. Returns without waiting for the end.
  void Kill(bool no_restart = true) const {
    detail::CurrentRuntime("ActorHandle::Kill");
    if (IsNil()) detail::ThrowNilActor("ActorHandle::Kill");
    detail::Check(manta_actor_kill(actor_.get(), no_restart ? 1 : 0));
  }

  // The id in hexadecimal, as `manta list actors` shows it. All zeros if it refers to nothing.
  std::string ID() const {
    const manta_actor_id id = detail::ActorIdOf(actor_.get());
    std::string text;
    text.reserve(32);
    detail::AppendHex(text, id.creator, 16);
    detail::AppendHex(text, id.serial, 16);
    return text;
  }

  bool IsNil() const noexcept { return actor_.get() == nullptr; }
  explicit operator bool() const noexcept { return !IsNil(); }

  // For use with the C interface: the actor, borrowed, and a handle made of one that it owns from
  // then on.
  manta_actor* handle() const noexcept { return actor_.get(); }
  static ActorHandle FromHandle(manta_actor* owned) noexcept {
    ActorHandle handle;
    handle.actor_ = detail::ActorPointer(owned);
    return handle;
  }

 private:
  template <class Pointer, class Method>
  static auto MakeCaller(Pointer actor, Method method) {
    constexpr bool kIsMethod = std::is_member_function_pointer_v<Method>;
    constexpr bool kIsNamed = detail::kIsPyActorMethod<Method>;
    static_assert(kIsMethod || kIsNamed,
                  "manta: ActorHandle::Task takes a pointer to a method, like &Counter::Add");
    if constexpr (kIsNamed) {
      return ActorTaskCaller<T, Method>(std::move(actor), method);
    } else if constexpr (kIsMethod) {
      static_assert(detail::Signature<Method>::kKnown,
                    "manta: methods with C varargs or volatile cannot be called remotely");
      constexpr bool kIsOfT = std::is_base_of_v<typename detail::Signature<Method>::Class, T>;
      static_assert(kIsOfT, "manta: this method belongs to another class than the actor's");
      if constexpr (kIsOfT) {
        return ActorTaskCaller<T, Method>(std::move(actor), method);
      } else {
        return detail::AfterError();
      }
    } else {
      return detail::AfterError();
    }
  }

  detail::ActorPointer actor_;
};

template <class T>
bool operator==(const ActorHandle<T>& left, const ActorHandle<T>& right) noexcept {
  if (left.handle() == right.handle()) return true;
  const manta_actor_id a = detail::ActorIdOf(left.handle());
  const manta_actor_id b = detail::ActorIdOf(right.handle());
  return a.creator == b.creator && a.serial == b.serial;
}
template <class T>
bool operator!=(const ActorHandle<T>& left, const ActorHandle<T>& right) noexcept {
  return !(left == right);
}

namespace detail {

template <class T>
struct Codec<ActorHandle<T>> {
  static constexpr Problem kProblem = Problem::kNone;
  static constexpr bool kIsBits = false;
  static constexpr size_t kPlainSize = kVaries;
  static constexpr size_t kMinSize = sizeof(manta_actor_id);
  using Parts = TypeList<>;

  template <class Out>
  static void Write(Out& out, const ActorHandle<T>& value) {
    out.Actor(value.handle());
  }
  static void Read(ReadArchive& in, ActorHandle<T>& value) {
    value = ActorHandle<T>::FromHandle(in.Actor());
  }
};

struct ActorOptionValues {
  std::string name;
  std::string ray_namespace;
  bool detached = false;
  bool get_if_exists = false;
  int32_t max_restarts = 0;
  int32_t max_task_retries = 0;
  int32_t max_pending_calls = -1;
  int32_t max_concurrency = 1;
  Quantities concurrency_groups;
};

// Stands for "made by its constructor" where else the type of a factory stands.
template <class T>
struct ConstructorOf {};

// The parameters of the constructor of T that the given arguments call.
template <class T, class... Given>
struct ConstructorCall {
  template <class Chosen>
  struct Accepts;
  template <class... Ts>
  struct Accepts<TypeList<Ts...>> {
    template <class U, class = void>
    struct TakesList : std::false_type {};
    template <class U>
    struct TakesList<U, std::void_t<decltype(U{std::declval<Ts>()...})>> : std::is_aggregate<U> {};
    static constexpr bool value = std::is_constructible_v<T, Ts...> || TakesList<T>::value;
  };

  using Choice = NaturalParameters<Accepts, Given...>;
  using GivenTypes = TypeList<Given...>;
  using Parameters = typename Choice::Type;
  using Sources = typename SourceTypes<Parameters, GivenTypes>::Type;
  using Body = ConstructorBody<T, Sources>;
  using Actor = T;

  static constexpr bool Passes() {
    return Choice::kFound && ArgumentsPass<Parameters, GivenTypes>();
  }
  static constexpr void Explain() {
    static_assert(!std::is_abstract_v<T>,
                  "manta: the actor's class is abstract. Name one that derives from it, or give Actor a "
                  "factory that returns a pointer to it: manta::Actor(MakeShape).Remote()");
    static_assert(Choice::kFound || std::is_abstract_v<T>,
                  "manta: the actor's class has no constructor for these arguments (they arrive as "
                  "rvalues; an ObjectRef stands for its value or for itself)");
    if constexpr (Choice::kFound) ExplainArguments<Parameters, GivenTypes>();
  }

  template <class Submit>
  static void SubmitCall(const ConstructorOf<T>&, manta_runtime* runtime, manta_task_spec& spec,
                         Submit&& submit, std::remove_reference_t<Given>&... given) {
    spec.function_name = TypeName<T>::Get();
    spec.function = FunctionIdOf<Body>(nullptr, spec.function_name);
    ArgumentWriter<Parameters, GivenTypes>::SubmitCall(runtime, spec, Prefix<0>(), submit, given...);
  }
};

template <class Pointer>
inline constexpr bool kIsActorPointer = false;
template <class T>
inline constexpr bool kIsActorPointer<T*> = std::is_class_v<T>;
template <class T>
inline constexpr bool kIsActorPointer<std::unique_ptr<T>> = std::is_class_v<T>;
template <class T>
inline constexpr bool kIsActorPointer<std::shared_ptr<T>> = std::is_class_v<T>;

template <class F, class... Given>
struct FactoryCall {
  using GivenTypes = TypeList<Given...>;
  using Types = CallTypes<F, GivenTypes>;
  using Parameters = typename Types::Parameters;
  using Sources = typename SourceTypes<Parameters, GivenTypes>::Type;
  using Body = FactoryBody<F, Sources>;
  using Actor = typename PointeeOf<typename Types::Result>::Type;

  static constexpr bool Passes() { return ArgumentsPass<Parameters, GivenTypes>(); }
  static constexpr void Explain() { ExplainArguments<Parameters, GivenTypes>(); }

  template <class Submit>
  static void SubmitCall(const F& factory, manta_runtime* runtime, manta_task_spec& spec,
                         Submit&& submit, std::remove_reference_t<Given>&... given) {
    const void* target = nullptr;
    if constexpr (kIsFunctionPointer<F>) target = reinterpret_cast<void*>(factory);
    spec.function_name = TypeName<F>::Get();
    spec.function = FunctionIdOf<Body>(target, spec.function_name);
    ArgumentWriter<Parameters, GivenTypes>::SubmitCallOf(factory, runtime, spec, submit, given...);
  }
};

// How an actor is created by `Maker`.
template <class Maker, class... Given>
struct CreationCall : FactoryCall<Maker, Given...> {};
template <class T, class... Given>
struct CreationCall<ConstructorOf<T>, Given...> : ConstructorCall<T, Given...> {};

}  // namespace detail

// An actor that is ready to be created. Made by Actor(). `Maker` is a factory, or ConstructorOf<T>, or
// PyActorClass.
template <class Maker>
class ActorCreator : public detail::ResourceSetters<ActorCreator<Maker>> {
 public:
  explicit ActorCreator(Maker maker) : maker_(std::move(maker)) {
    if constexpr (detail::kLanguageOf<Maker> != MANTA_LANGUAGE_SAME) {
      this->options_.Change().language = detail::kLanguageOf<Maker>;
    }
  }

  // Under this name GetActor finds it, in the namespace of the job or the one given. Remote throws
  // ActorNameTakenError when another actor has it.
  ActorCreator& SetName(const std::string& name) {
    values_.name = detail::CheckText("SetName", name);
    return *this;
  }
  ActorCreator& SetName(const std::string& name, const std::string& ray_namespace) {
    SetNamespace(ray_namespace);
    return SetName(name);
  }
  ActorCreator& SetNamespace(const std::string& ray_namespace) {
    values_.ray_namespace = detail::CheckText("SetNamespace", ray_namespace);
    return *this;
  }
  // Lives until it is killed, beyond the job, and is restarted there if SetMaxRestarts says so;
  // else only as long as there are handles. Remote waits for the values of its references, and
  // throws if one has failed.
  ActorCreator& SetDetached(bool detached = true) {
    values_.detached = detached;
    return *this;
  }
  // "detached" or "non_detached", as in Ray.
  ActorCreator& SetLifetime(const std::string& lifetime) {
    if (lifetime != "detached" && lifetime != "non_detached") {
      throw InvalidArgumentError("SetLifetime: \"" + lifetime +
                                 "\" is neither \"detached\" nor \"non_detached\"");
    }
    return SetDetached(lifetime == "detached");
  }
  // If there is an actor of that name, Remote returns a handle to it. Without SetName, Remote throws
  // InvalidArgumentError.
  ActorCreator& SetGetIfExists(bool get_if_exists = true) {
    values_.get_if_exists = get_if_exists;
    return *this;
  }
  // How often it is started again after its process died. -1: without end. Default 0.
  ActorCreator& SetMaxRestarts(int restarts) {
    values_.max_restarts = restarts;
    return *this;
  }
  // How often calls that were interrupted by a restart are run again. -1: without end. Default 0.
  ActorCreator& SetMaxTaskRetries(int retries) {
    values_.max_task_retries = retries;
    return *this;
  }
  // Calls under way at most, from each caller; more throw PendingCallsLimitExceededError. Default
  // -1: no limit.
  ActorCreator& SetMaxPendingCalls(int calls) {
    values_.max_pending_calls = calls;
    return *this;
  }
  // Threads that run methods. Default 1; with more, calls overlap: those of one caller start in
  // their order and end in any. The actor has to guard what its methods share.
  ActorCreator& SetMaxConcurrency(int threads) {
    values_.max_concurrency = threads;
    return *this;
  }
  // A group of threads of its own, for calls that ask for it by ActorTaskCaller::SetConcurrencyGroup.
  // Calls wait for others of their group only.
  ActorCreator& SetConcurrencyGroup(const std::string& name, int threads) {
    detail::SetQuantity(values_.concurrency_groups, detail::CheckText("SetConcurrencyGroup", name),
                        threads);
    return *this;
  }

  // Submits the creation and returns at once. Arguments as for TaskCaller::Remote. A failure (of
  // the constructor, of placement) shows when methods are called.
  template <class... Given>
  auto Remote(Given&&... given) const {
    using Call = detail::CreationCall<Maker, Given...>;
    Call::Explain();
    if constexpr (Call::Passes()) {
      return Submit<Call>(given...);
    } else {
      return ActorHandle<typename Call::Actor>();
    }
  }

 private:
  template <class Call, class... Given>
  auto Submit(Given&... given) const {
    manta_runtime* runtime = detail::CurrentRuntime("Actor.Remote");
    if (values_.get_if_exists && values_.name.empty()) {
      throw InvalidArgumentError("Actor.Remote: SetGetIfExists finds an actor by its name: SetName is missing");
    }
    const std::vector<manta_resource> groups = detail::AsResources(values_.concurrency_groups);
    manta_actor_options options;
    options.struct_size = sizeof(options);
    manta_actor_options_init(&options);
    if (!values_.name.empty()) options.name = values_.name.c_str();
    if (!values_.ray_namespace.empty()) options.ray_namespace = values_.ray_namespace.c_str();
    options.detached = values_.detached ? 1 : 0;
    options.get_if_exists = values_.get_if_exists ? 1 : 0;
    options.max_restarts = values_.max_restarts;
    options.max_task_retries = values_.max_task_retries;
    options.max_pending_calls = values_.max_pending_calls;
    options.max_concurrency = values_.max_concurrency;
    options.concurrency_groups = groups.data();
    options.num_concurrency_groups = groups.size();
    manta_task_spec spec;
    spec.num_results = 0;
    spec.options = this->options_.Number(runtime);
    spec.name = this->options_.Name();
    spec.stream = nullptr;
    manta_actor* actor = nullptr;
    const auto submit = [&](const manta_task_spec& filled) {
      detail::Check(manta_actor_create(runtime, &filled, &options, &actor));
    };
    Call::SubmitCall(maker_, runtime, spec, submit, given...);
    return ActorHandle<typename Call::Actor>::FromHandle(actor);
  }

  Maker maker_;
  detail::ActorOptionValues values_;
};

// Prepares to create an actor by its constructor:
//
//   manta::ActorHandle<Counter> counter = manta::Actor<Counter>().Remote(10);
template <class T>
ActorCreator<detail::ConstructorOf<T>> Actor() {
  static_assert(std::is_class_v<T>, "manta: an actor is an instance of a class");
  return ActorCreator<detail::ConstructorOf<T>>(detail::ConstructorOf<T>());
}

// Prepares to create an actor by a function (or a function object, as for Task) that returns a
// pointer to it: a T* made by new, a std::unique_ptr<T> or a std::shared_ptr<T>.
//
//   manta::ActorHandle<Counter> counter = manta::Actor(Counter::Create).Remote(10);
template <class F>
auto Actor(F&& factory) {
  using Function = std::decay_t<F>;
  constexpr bool kCanBeCalled = std::is_class_v<Function> || detail::kIsFunctionPointer<Function>;
  static_assert(kCanBeCalled,
                "manta: Actor takes a function that returns a pointer to the new actor");
  if constexpr (!kCanBeCalled) {
    return detail::AfterError();
  } else if constexpr (constexpr bool kTravels =
                           detail::CallableKindOf<Function>() != detail::CallableKind::kRefused;
                       !kTravels) {
    static_assert(kTravels,
                  "manta: this factory cannot be sent, because of what it holds or captured. Pass "
                  "that as arguments.");
    return detail::AfterError();
  } else {
    constexpr bool kKnown = detail::Signature<Function>::kKnown;
    static_assert(kKnown, "manta: a factory of actors needs one signature (no generic lambda)");
    if constexpr (kKnown) {
      constexpr bool kReturnsActor =
          detail::kIsActorPointer<std::decay_t<typename detail::Signature<Function>::Result>>;
      static_assert(kReturnsActor,
                    "manta: a factory of actors returns T*, std::unique_ptr<T> or "
                    "std::shared_ptr<T>, where T is a class");
      if constexpr (kReturnsActor) {
        return ActorCreator<Function>(std::forward<F>(factory));
      } else {
        return detail::AfterError();
      }
    } else {
      return detail::AfterError();
    }
  }
}
detail::AfterError Actor(detail::PickOneWithMantaOverload);

// The actor of that name, or nothing if there is none. T must be the class that it was created as:
// a call through a handle of another type fails with InvalidArgumentError in the actor.
template <class T>
std::optional<ActorHandle<T>> GetActor(const std::string& name,
                                       const std::string& ray_namespace = std::string()) {
  manta_runtime* runtime = detail::CurrentRuntime("GetActor");
  manta_actor* actor = nullptr;
  manta_error* error = manta_actor_find(
      runtime, detail::CheckText("GetActor", name).c_str(),
      ray_namespace.empty() ? nullptr : detail::CheckText("GetActor", ray_namespace).c_str(),
      &actor);
  if (error != nullptr) {
    if (manta_error_get_kind(error) != MANTA_ERROR_ACTOR_NOT_FOUND) ThrowError(error);
    manta_error_free(error);
    return std::nullopt;
  }
  return ActorHandle<T>::FromHandle(actor);
}

// Inside of a method: ends the actor once that method is done. It is not restarted.
inline void ExitActor() { detail::Check(manta_actor_exit(detail::CurrentRuntime("ExitActor"))); }

}  // namespace v1
}  // namespace manta

template <class T>
struct std::hash<manta::ActorHandle<T>> {
  size_t operator()(const manta::ActorHandle<T>& actor) const noexcept {
    const manta_actor_id id = manta::detail::ActorIdOf(actor.handle());
    return static_cast<size_t>(((id.creator ^ id.serial << 32) * 0x9e3779b97f4a7c15u) >> 7);
  }
};
