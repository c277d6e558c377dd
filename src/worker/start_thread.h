// Threads, with a message for those who have too few.
#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/remedies.h"

namespace manta::worker {

// As std::thread's constructor; the std::system_error says what to do.
template <class Body>
std::thread StartThread(Body&& body) {
  try {
    return std::thread(std::forward<Body>(body));
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), std::string("cannot start a thread: ") + kRaiseProcesses);
  }
}

}  // namespace manta::worker
