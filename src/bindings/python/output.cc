#include "bindings/python/output.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "bindings/python/py.h"

namespace manta::python {
namespace {

// So much may wait until the program lets other threads run. What comes then is written past it: late is better than never, and than without bound.
constexpr size_t kMostWaiting = size_t{16} << 20;
constexpr std::chrono::seconds kLongestEnd{5};

void WriteToDescriptor(bool is_stderr, const std::string& text) {
  FILE* const stream = is_stderr ? stderr : stdout;
  fwrite(text.data(), 1, text.size(), stream);
  fflush(stream);
}

// Whether sys.stdout or sys.stderr has taken it.
bool WriteToPython(bool is_stderr, const std::string& text) {
  PyObject* const stream = PySys_GetObject(is_stderr ? "stderr" : "stdout");  // borrowed
  if (stream == nullptr || stream == Py_None) return false;
  Py_INCREF(stream);
  const Owned held(stream);
  const Owned decoded(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  const Owned written(decoded ? PyObject_CallMethod(stream, "write", "O", decoded.get()) : nullptr);
  const Owned flushed(written ? PyObject_CallMethod(stream, "flush", nullptr) : nullptr);
  PyErr_Clear();
  return static_cast<bool>(written);
}

class Output {
 public:
  void Show(bool is_stderr, const char* text, size_t size) {
    std::unique_lock guard(mutex_);
    if (waiting_ + size > kMostWaiting || !Start()) {
      guard.unlock();
      return WriteToDescriptor(is_stderr, {text, size});
    }
    queues_[is_stderr].append(text, size);
    waiting_ += size;
    guard.unlock();
    changed_.notify_all();
  }

  void Await() {
    std::unique_lock guard(mutex_);
    while (waiting_ > 0 || writing_) {
      const size_t written = written_;
      if (!changed_.wait_for(guard, kLongestEnd, [&] { return (waiting_ == 0 && !writing_) || written_ != written; })) return;
    }
  }

 private:
  // [mutex_]
  bool Start() {
    if (started_) return true;
    try {
      std::thread([this] { Run(); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    return started_ = true;
  }

  void Run() noexcept {
    pthread_setname_np(pthread_self(), "manta-output");
    for (;;) {
      std::string texts[2];
      {
        std::unique_lock guard(mutex_);
        changed_.wait(guard, [this] { return waiting_ > 0; });
        for (const int is_stderr : {0, 1}) texts[is_stderr].swap(queues_[is_stderr]);
        waiting_ = 0;
        writing_ = true;
      }
      Write(texts);
      {
        std::lock_guard guard(mutex_);
        writing_ = false;
        ++written_;
      }
      changed_.notify_all();
    }
  }

  static void Write(const std::string (&texts)[2]) {
    const PyGILState_STATE state = EnterInterpreter();
    bool taken[2];
    for (const int is_stderr : {0, 1}) taken[is_stderr] = texts[is_stderr].empty() || WriteToPython(is_stderr, texts[is_stderr]);
    PyGILState_Release(state);
    for (const int is_stderr : {0, 1}) {
      if (!taken[is_stderr]) WriteToDescriptor(is_stderr, texts[is_stderr]);
    }
  }

  std::mutex mutex_;  // over all below
  std::condition_variable changed_;
  std::string queues_[2];  // whole lines, of stdout and stderr
  size_t waiting_ = 0;     // bytes
  size_t written_ = 0;     // times
  bool writing_ = false;
  bool started_ = false;
};

// Never destroyed: its thread lives as long as the process. Another one in a child of fork(), which has no threads of its parent.
Output* the_output = nullptr;
pid_t output_of = 0;

void Show(int is_stderr, const char* text, size_t size) { the_output->Show(is_stderr != 0, text, size); }

}  // namespace

ShowText ShowInPython() {
  if (output_of != getpid()) {
    the_output = new Output;
    output_of = getpid();
  }
  return Show;
}

void AwaitShownText() {
  if (output_of == getpid()) the_output->Await();
}

}  // namespace manta::python
