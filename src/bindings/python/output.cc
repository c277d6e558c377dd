#include "bindings/python/output.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

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

// "(name pid=N)" in front of each line in cyan, as Ray has it.
std::string WithColors(const std::string& lines) {
  std::string text;
  for (size_t begin = 0, next; begin < lines.size(); begin = next) {
    next = std::min(lines.find('\n', begin), lines.size() - 1) + 1;
    std::string line = lines.substr(begin, next - begin);
    if (const size_t end = line.find(") "); line.front() == '(' && end != std::string::npos) {
      line = "\x1b[36m" + line.substr(0, end + 1) + "\x1b[0m" + line.substr(end + 1);
    }
    text += line;
  }
  return text;
}

bool IsTerminal(PyObject* stream) {
  const Owned answer(PyObject_CallMethod(stream, "isatty", nullptr));
  const bool is_terminal = answer && PyObject_IsTrue(answer.get()) == 1;
  PyErr_Clear();
  return is_terminal;
}

// Whether sys.stdout or sys.stderr has taken it.
bool WriteToPython(bool is_stderr, std::string text) {
  PyObject* const stream = PySys_GetObject(is_stderr ? "stderr" : "stdout");  // borrowed
  if (stream == nullptr || stream == Py_None) return false;
  Py_INCREF(stream);
  const Owned held(stream);
  if (IsTerminal(stream)) text = WithColors(text);
  const Owned decoded(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  const Owned written(decoded ? PyObject_CallMethod(stream, "write", "O", decoded.get()) : nullptr);
  const Owned flushed(written ? PyObject_CallMethod(stream, "flush", nullptr) : nullptr);
  PyErr_Clear();
  return static_cast<bool>(written);
}

// Whole lines.
struct Part {
  bool is_stderr;
  std::string text;
};

class Output {
 public:
  pid_t process() const { return process_; }

  void Show(bool is_stderr, const char* text, size_t size) {
    if (size == 0) return;
    std::unique_lock guard(mutex_);
    if (waiting_ + size > kMostWaiting || !Start()) {
      guard.unlock();
      return WriteToDescriptor(is_stderr, {text, size});
    }
    if (queue_.empty() || queue_.back().is_stderr != is_stderr) queue_.push_back({is_stderr, {}});
    queue_.back().text.append(text, size);
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
      std::vector<Part> parts;
      {
        std::unique_lock guard(mutex_);
        changed_.wait(guard, [this] { return waiting_ > 0; });
        parts.swap(queue_);
        waiting_ = 0;
        writing_ = true;
      }
      Write(parts);
      {
        std::lock_guard guard(mutex_);
        writing_ = false;
        ++written_;
      }
      changed_.notify_all();
    }
  }

  static void Write(const std::vector<Part>& parts) {
    std::vector<const Part*> left;
    const PyGILState_STATE state = EnterInterpreter();
    for (const Part& part : parts) {
      if (!WriteToPython(part.is_stderr, part.text)) left.push_back(&part);
    }
    PyGILState_Release(state);
    for (const Part* part : left) WriteToDescriptor(part->is_stderr, part->text);
  }

  const pid_t process_ = getpid();
  std::mutex mutex_;  // over all below
  std::condition_variable changed_;
  std::vector<Part> queue_;
  size_t waiting_ = 0;     // bytes
  size_t written_ = 0;     // times
  bool writing_ = false;
  bool started_ = false;
};

// Never destroyed: its thread lives as long as the process. Another one in a child of fork(), which has no threads of its parent.
std::atomic<Output*> the_output{nullptr};

// nullptr: this process has none yet.
Output* OutputOfThisProcess() {
  Output* const output = the_output.load(std::memory_order_acquire);
  return output != nullptr && output->process() == getpid() ? output : nullptr;
}

void Show(int is_stderr, const char* text, size_t size) { the_output.load(std::memory_order_acquire)->Show(is_stderr != 0, text, size); }

}  // namespace

ShowText ShowInPython() {
  if (OutputOfThisProcess() == nullptr) {
    auto made = std::make_unique<Output>();
    Output* former = the_output.load();  // of the parent
    if (the_output.compare_exchange_strong(former, made.get())) made.release();
  }
  return Show;
}

void AwaitShownText() {
  if (Output* const output = OutputOfThisProcess()) output->Await();
}

}  // namespace manta::python
