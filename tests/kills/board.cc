#include "tests/kills/board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/support/waiting.h"

namespace manta_test {

Board::Board(const std::string& directory) {
  constexpr size_t kBytes = sizeof(Place) * kPlaces;
  const int file = open((directory + "/board").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* map = MAP_FAILED;
  if (file >= 0 && ftruncate(file, kBytes) == 0) {
    map = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (map == MAP_FAILED) {
    std::perror(("the board in " + directory).c_str());
    std::abort();
  }
  close(file);
  places_ = static_cast<Place*>(map);
}

Board::~Board() { munmap(places_, sizeof(Place) * kPlaces); }

Board& Board::OfThisTest() {
  static Board board(std::getenv("MANTA_TMPDIR"));
  return board;
}

Board::Place& Board::At(int place) const {
  if (place < 0 || place >= kPlaces) std::abort();
  return places_[place];
}

void Board::Clear() { std::memset(static_cast<void*>(places_), 0, sizeof(Place) * kPlaces); }

void Board::Arrive(int place) {
  At(place).visitor.store(getpid());
  At(place).arrivals.fetch_add(1);
}

void Board::Wait(int place) const {
  if (Eventually(std::chrono::seconds(60), [&] { return At(place).open.load(); })) return;
  std::fprintf(stderr, "process %d: nobody opens place %d of the board\n", getpid(), place);
  std::abort();
}

void Board::Open(int place) { At(place).open.store(true); }

int Board::arrivals(int place) const { return At(place).arrivals.load(); }
pid_t Board::visitor(int place) const { return At(place).visitor.load(); }

bool Board::Await(int place, int arrivals, std::chrono::milliseconds within) const {
  return Eventually(within, [&] { return At(place).arrivals.load() >= arrivals; });
}

}  // namespace manta_test
