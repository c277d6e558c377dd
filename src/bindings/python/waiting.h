// Waits of Python threads: without the interpreter lock, and open to signals.
#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>

#include "bindings/python/invoker.h"
#include "bindings/python/py.h"

namespace manta::python {

// A driver that waits looks for signals this often (Ctrl-C).
inline constexpr int64_t kSlice = 49'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;

// Seconds as nanoseconds; None: no limit (-1). False with an exception.
inline bool TimeLimit(PyObject* timeout, int64_t* out) {
  *out = -1;
  if (timeout == Py_None) return true;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred() != nullptr) return false;
  if (std::isnan(seconds)) return PyErr_SetString(PyExc_ValueError, "timeout is not a number"), false;
  if (seconds >= 0) *out = seconds > 9e9 ? -1 : static_cast<int64_t>(seconds * kSecond);
  return true;
}

inline int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// Waits without the interpreter lock, in a driver in slices between which signals are handled. (A worker's task is interrupted by the
// runtime, and each wait of it that is no look only lends and takes back its CPU.) `wait` takes a time limit and says whether it was
// reached, or failed for good. False with an exception that a signal's handler has raised.
template <class Wait>
bool InSlices(int64_t limit, const Wait& wait) {
  const int64_t deadline = limit < 0 ? -1 : Now() + limit;
  for (;;) {
    const int64_t most = IsServing() ? INT64_MAX : kSlice;
    const int64_t left = deadline < 0 ? (IsServing() ? -1 : kSlice) : std::max<int64_t>(0, std::min(most, deadline - Now()));
    bool over;
    {
      const WithoutInterpreter others;
      over = wait(left);
    }
    if (over) return true;
    if (PyErr_CheckSignals() != 0) return false;
    if (deadline >= 0 && Now() >= deadline) return true;
  }
}

}  // namespace manta::python
