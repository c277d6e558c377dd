// How tasks tell the test where they are, and are held there: words in a file that the test, its drivers and all workers map.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace manta_test {

// A place is a number below kPlaces that the test chose: tasks say that they are there, wait until it is opened, or count.
// Everything may be called from any process. A board lives as long as its file, so a killed process takes nothing with it.
class Board {
 public:
  static constexpr int kPlaces = 1 << 15;

  // The board in that directory; made when it is not there yet.
  explicit Board(const std::string& directory);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // That of the test which has started this process: for tasks and actors.
  static Board& OfThisTest();

  // All places as at the beginning: nobody there, closed.
  void Clear();

  // The caller is there.
  void Arrive(int place);
  // Waits there until it is open. Ends the process by abort() when that takes 60 s: then nobody is left who could open it.
  void Wait(int place) const;
  void Hold(int place) {
    Arrive(place);
    Wait(place);
  }
  void Open(int place);

  int arrivals(int place) const;
  // Who arrived there last.
  pid_t visitor(int place) const;
  // Whether there have been so many arrivals within the time.
  [[nodiscard]] bool Await(int place, int arrivals = 1,
                           std::chrono::milliseconds within = std::chrono::seconds(20)) const;

 private:
  struct Place {
    std::atomic<int> arrivals;
    std::atomic<pid_t> visitor;
    std::atomic<bool> open;
  };
  Place& At(int place) const;

  Place* places_ = nullptr;
};

}  // namespace manta_test
