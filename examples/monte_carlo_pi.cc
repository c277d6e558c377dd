// Pi by throwing darts: actors that keep a state between calls.
//
//   monte_carlo_pi [DARTS]        default: 4000000
//
// A dart thrown at a square hits the circle inside of it with a probability of pi / 4. Each actor
// owns a random number generator, which is its state: every call goes on where the last one ended.
#include <manta/manta.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "number_argument.h"

class Thrower {
 public:
  explicit Thrower(uint32_t seed) : random_(seed) {}

  // How many of `darts` hit the circle.
  int64_t Throw(int64_t darts) {
    std::uniform_real_distribution<double> coordinate(-1, 1);
    int64_t hits = 0;
    for (int64_t i = 0; i < darts; ++i) {
      const double x = coordinate(random_);
      const double y = coordinate(random_);
      if (x * x + y * y <= 1) ++hits;
    }
    return hits;
  }

 private:
  std::mt19937_64 random_;
};

int main(int argc, char** argv) {
  constexpr int kThrowers = 4;
  constexpr int kRounds = 10;
  const int64_t darts = NumberArgument(argc, argv, "DARTS", 4'000'000, kThrowers * kRounds, 1'000'000'000'000);
  manta::Init();

  // Remote returns at once; the processes start in the background.
  std::vector<manta::ActorHandle<Thrower>> throwers;
  for (int i = 0; i < kThrowers; ++i) {
    throwers.push_back(manta::Actor<Thrower>().Remote(uint32_t(i + 1)));
  }

  // So do calls. Those of one actor run one after the other, those of several at the same time.
  const int64_t per_call = darts / (kThrowers * kRounds);
  std::vector<manta::ObjectRef<int64_t>> calls;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& thrower : throwers) {
      calls.push_back(thrower.Task(&Thrower::Throw).Remote(per_call));
    }
  }

  int64_t hits = 0;
  for (const std::shared_ptr<int64_t>& count : manta::Get(calls)) hits += *count;
  manta::Shutdown();

  const double thrown = double(per_call * kThrowers * kRounds);
  const double pi = 4 * double(hits) / thrown;
  // Five standard deviations: that a right program misses them happens once in two million seeds.
  const double tolerance = 5 * std::sqrt(M_PI * (4 - M_PI) / thrown);
  std::printf("%.0f darts by %d actors: pi is about %.6f (off by %.6f, %.6f allowed)\n", thrown,
              kThrowers, pi, std::fabs(pi - M_PI), tolerance);
  return std::fabs(pi - M_PI) <= tolerance ? 0 : 1;
}
