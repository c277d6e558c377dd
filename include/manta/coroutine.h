// co_await on references: many things under way in one thread, written as if each waited.
//
//   manta::Coroutine<int> Sum(int a, int b) {
//     int squared = co_await manta::Task(Square).Remote(a);
//     co_return squared + co_await manta::Task(Square).Remote(b);
//   }
//   int sum = manta::RunCoroutine(Sum(3, 4));
//   std::vector<int> sums = manta::RunCoroutines(std::move(many));
//
// Threads: RunCoroutine runs its coroutines, and those that they await, on the thread that called
// it, one at a time; between them it waits as Wait does. So coroutines of one RunCoroutine need no
// locks, a coroutine never moves to another thread, and code that blocks (Get) stops all of them.
// Several threads may each run coroutines of their own, and tasks and methods may call
// RunCoroutine. They cannot themselves be coroutines: a coroutine cannot travel.
//
// Needs C++20; with an older standard this header is empty.
#pragma once

#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "manta/object_ref.h"
#include "manta/objects.h"

namespace manta {
inline namespace v1 {

template <class T>
class Coroutine;

namespace detail {

// A suspended coroutine and how many of the references that it awaits are not ready.
struct CoroutineWaiter {
  std::coroutine_handle<> coroutine;
  size_t missing = 0;
};

// What the coroutines of one RunCoroutine wait for.
class CoroutineLoop {
 public:
  explicit CoroutineLoop(const char* what) : runtime_(CurrentRuntime(what)) {}

  bool IsReady(manta_ref* reference) const {
    uint8_t ready = 0;
    Check(manta_wait(runtime_, &reference, 1, 1, 0, &ready));
    return ready != 0;
  }
  // The reference is borrowed: the waiter keeps it until it is resumed or destroyed, and it is not
  // destroyed while Run runs.
  void Add(manta_ref* reference, CoroutineWaiter* waiter) {
    ++waiter->missing;
    references_.push_back(reference);
    waiters_.push_back(waiter);
  }

  // Runs `coroutine`, and what it hands over to, until one waits. A loop: if each resumed the next one,
  // the stack would grow with every step where the compiler makes no tail calls (GCC below -O2).
  void Resume(std::coroutine_handle<> coroutine) {
    for (next_ = coroutine; next_;) std::exchange(next_, nullptr).resume();
  }
  // By a coroutine that is about to suspend.
  void GoOnWith(std::coroutine_handle<> coroutine) noexcept { next_ = coroutine; }

  // Resumes what has become ready until `done`. Throws what Wait throws.
  template <class Done>
  void Run(const Done& done) {
    while (!done()) {
      ready_.assign(references_.size(), 0);
      const auto wait = [this](size_t count, int64_t timeout) {
        Check(manta_wait(runtime_, references_.data(), references_.size(), count, timeout,
                         ready_.data()));
      };
      wait(1, -1);
      wait(references_.size(), 0);  // all that are ready now
      TakeReady();
      for (CoroutineWaiter* waiter : resumable_) Resume(waiter->coroutine);
    }
  }

 private:
  void TakeReady() {
    resumable_.clear();
    size_t kept = 0;
    for (size_t i = 0; i < references_.size(); ++i) {
      if (ready_[i] != 0) {
        if (--waiters_[i]->missing == 0) resumable_.push_back(waiters_[i]);
        continue;
      }
      references_[kept] = references_[i];
      waiters_[kept++] = waiters_[i];
    }
    references_.resize(kept);
    waiters_.resize(kept);
  }

  manta_runtime* runtime_;
  std::coroutine_handle<> next_;
  std::vector<manta_ref*> references_;
  std::vector<CoroutineWaiter*> waiters_;  // of each
  std::vector<uint8_t> ready_;
  std::vector<CoroutineWaiter*> resumable_;
};

template <class T>
T TakeValue(const ObjectRef<T>& reference) {
  if constexpr (std::is_void_v<T>) {
    reference.Get();
  } else {
    return std::move(*reference.Get());
  }
}

template <class T>
class AwaitReference {
 public:
  AwaitReference(CoroutineLoop* loop, ObjectRef<T> reference)
      : loop_(loop), reference_(std::move(reference)) {}
  bool await_ready() const {
    if (reference_.IsNil()) throw InvalidArgumentError("co_await: the ObjectRef is empty");
    return loop_->IsReady(reference_.handle());
  }
  void await_suspend(std::coroutine_handle<> coroutine) {
    waiter_.coroutine = coroutine;
    loop_->Add(reference_.handle(), &waiter_);
  }
  T await_resume() const { return TakeValue(reference_); }

 private:
  CoroutineLoop* loop_;
  ObjectRef<T> reference_;
  CoroutineWaiter waiter_;
};

template <class T>
class AwaitReferences {
 public:
  AwaitReferences(CoroutineLoop* loop, std::vector<ObjectRef<T>> references)
      : loop_(loop), references_(std::move(references)) {}
  bool await_ready() const {
    for (const ObjectRef<T>& reference : references_) {
      if (reference.IsNil()) throw InvalidArgumentError("co_await: an ObjectRef is empty");
    }
    return references_.empty();
  }
  void await_suspend(std::coroutine_handle<> coroutine) {
    waiter_.coroutine = coroutine;
    for (const ObjectRef<T>& reference : references_) loop_->Add(reference.handle(), &waiter_);
  }
  auto await_resume() const {
    if constexpr (std::is_void_v<T>) {
      for (const ObjectRef<T>& reference : references_) reference.Get();
    } else {
      std::vector<T> values;
      values.reserve(references_.size());
      for (const ObjectRef<T>& reference : references_) values.push_back(TakeValue(reference));
      return values;
    }
  }

 private:
  CoroutineLoop* loop_;
  std::vector<ObjectRef<T>> references_;
  CoroutineWaiter waiter_;
};

template <class T>
class AwaitCoroutine;

class CoroutinePromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }
  // Goes on with whoever awaits this coroutine.
  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      if (done.promise().continuation) done.promise().loop->GoOnWith(done.promise().continuation);
    }
    void await_resume() const noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() { error = std::current_exception(); }

  template <class T>
  AwaitReference<T> await_transform(ObjectRef<T> reference) {
    return {loop, std::move(reference)};
  }
  template <class T>
  AwaitReferences<T> await_transform(std::vector<ObjectRef<T>> references) {
    return {loop, std::move(references)};
  }
  template <class T>
  AwaitCoroutine<T> await_transform(Coroutine<T>&& coroutine) {
    return {loop, std::move(coroutine)};
  }
  template <class Other>
  std::suspend_never await_transform(Other&&) {
    static_assert(sizeof(Other) == 0,
                  "manta: inside of a manta::Coroutine, co_await takes an ObjectRef, a std::vector "
                  "of them, or a manta::Coroutine (moved): nothing would resume it after "
                  "anything else");
    return {};
  }

  CoroutineLoop* loop = nullptr;
  std::coroutine_handle<> continuation;
  std::exception_ptr error;
};

template <class T>
class CoroutinePromise : public CoroutinePromiseBase {
 public:
  Coroutine<T> get_return_object();
  template <class Value>
  void return_value(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  T Take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};
template <>
class CoroutinePromise<void> : public CoroutinePromiseBase {
 public:
  Coroutine<void> get_return_object();
  void return_void() {}
  void Take() const {
    if (error) std::rethrow_exception(error);
  }
};

// Named, since Clang takes no two declarations of a friend that returns `auto` for the same.
template <class Result>
using CoroutineResults =
    std::conditional_t<std::is_void_v<Result>, void, std::vector<Result>>;

}  // namespace detail

// What a coroutine that may co_await references returns. It starts when it is run or awaited. Owns
// the coroutine: destroying it gives up what it awaits; the tasks go on. Movable only.
template <class T = void>
class [[nodiscard]] Coroutine {
 public:
  using promise_type = detail::CoroutinePromise<T>;
  using value_type = T;

  Coroutine(Coroutine&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Coroutine& operator=(Coroutine&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Coroutine() {
    if (handle_) handle_.destroy();
  }

 private:
  template <class>
  friend class detail::AwaitCoroutine;
  template <class>
  friend class detail::CoroutinePromise;
  template <class Result>
  friend Result RunCoroutine(Coroutine<Result> coroutine);
  template <class Result>
  friend detail::CoroutineResults<Result> RunCoroutines(std::vector<Coroutine<Result>> coroutines);

  using Handle = std::coroutine_handle<promise_type>;
  explicit Coroutine(Handle handle) noexcept : handle_(handle) {}

  promise_type& Promise(const char* what) const {
    if (!handle_) throw InvalidArgumentError(std::string(what) + ": the Coroutine was moved from");
    return handle_.promise();
  }
  void Start(detail::CoroutineLoop* loop, const char* what) {
    Promise(what).loop = loop;
    loop->Resume(handle_);
  }

  Handle handle_;
};

namespace detail {

template <class T>
Coroutine<T> CoroutinePromise<T>::get_return_object() {
  return Coroutine<T>(std::coroutine_handle<CoroutinePromise>::from_promise(*this));
}
inline Coroutine<void> CoroutinePromise<void>::get_return_object() {
  return Coroutine<void>(std::coroutine_handle<CoroutinePromise>::from_promise(*this));
}

template <class T>
class AwaitCoroutine {
 public:
  AwaitCoroutine(CoroutineLoop* loop, Coroutine<T> coroutine)
      : loop_(loop), coroutine_(std::move(coroutine)) {}
  bool await_ready() const {
    coroutine_.Promise("co_await");
    return false;
  }
  void await_suspend(std::coroutine_handle<> outer) {
    auto& promise = coroutine_.handle_.promise();
    promise.loop = loop_;
    promise.continuation = outer;
    loop_->GoOnWith(coroutine_.handle_);
  }
  T await_resume() { return coroutine_.handle_.promise().Take(); }

 private:
  CoroutineLoop* loop_;
  Coroutine<T> coroutine_;
};

template <class T>
struct Codec<Coroutine<T>> : RefusedCodec<Problem::kCoroutine> {};

}  // namespace detail

// Runs a coroutine to its end on this thread; returns what it returns and throws what it throws.
// Throws NotInitializedError, and what Wait throws.
template <class Result>
Result RunCoroutine(Coroutine<Result> coroutine) {
  detail::CoroutineLoop loop("RunCoroutine");
  coroutine.Start(&loop, "RunCoroutine");
  loop.Run([&] { return coroutine.handle_.done(); });
  return coroutine.handle_.promise().Take();
}

// Runs several at once on this thread and returns what they return, in order (nothing for those of
// void). When some throw, the others still run to their ends; then the first of them, in order,
// throws.
template <class Result>
detail::CoroutineResults<Result> RunCoroutines(std::vector<Coroutine<Result>> coroutines) {
  detail::CoroutineLoop loop("RunCoroutines");
  for (auto& coroutine : coroutines) coroutine.Start(&loop, "RunCoroutines");
  size_t done = 0;
  loop.Run([&] {
    while (done < coroutines.size() && coroutines[done].handle_.done()) ++done;
    return done == coroutines.size();
  });
  if constexpr (std::is_void_v<Result>) {
    for (auto& coroutine : coroutines) coroutine.handle_.promise().Take();
  } else {
    std::vector<Result> results;
    results.reserve(coroutines.size());
    for (auto& coroutine : coroutines) results.push_back(coroutine.handle_.promise().Take());
    return results;
  }
}

}  // namespace v1
}  // namespace manta

#endif
