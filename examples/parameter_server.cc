// A parameter server: one actor holds the weights of a model, tasks compute gradients for it.
//
//   parameter_server [STEPS]      default: 60
//
// The model is a linear one, y = w . x, and the samples are made from weights that we know, so that
// we can see whether training finds them. Weights and gradients are manta::Array<double>: wherever
// they arrive, they are read in shared memory, without a copy.
//
// The driver only passes references on. It never waits within a step, and never sees a gradient.
#include <manta/manta.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "number_argument.h"

using Vector = manta::Array<double>;

constexpr int kWeights = 10'000;
constexpr int kWorkers = 4;
constexpr int kSamples = 1000;  // of each worker in each step
constexpr int kFeatures = 20;   // that are not zero in a sample
constexpr double kRate = 0.5;

// What training is to find.
double TrueWeight(int i) { return std::sin(i); }

class ParameterServer {
 public:
  explicit ParameterServer(int size) : weights_(size, 0.0), sum_(size, 0.0) {}

  Vector Weights() const { return Vector(weights_); }

  // Collects the gradient of one worker.
  void Add(const Vector& gradient) {
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += gradient[i];
  }
  // Takes one step along all the gradients that were collected, and returns the new weights.
  Vector Step() {
    for (size_t i = 0; i < weights_.size(); ++i) {
      weights_[i] -= kRate * sum_[i];
      sum_[i] = 0;
    }
    return Weights();
  }

 private:
  std::vector<double> weights_;
  std::vector<double> sum_;
};

// The gradient of the squared error over samples that only this worker sees.
Vector Gradient(const Vector& weights, int worker, int step) {
  std::mt19937 random(uint32_t(step * kWorkers + worker));
  std::vector<double> gradient(weights.size(), 0.0);
  std::vector<size_t> features(kFeatures);
  std::vector<double> x(kFeatures);
  for (int sample = 0; sample < kSamples; ++sample) {
    double error = 0;
    for (int i = 0; i < kFeatures; ++i) {
      features[i] = random() % weights.size();
      x[i] = random() % 2 == 0 ? 1.0 : -1.0;
      error += (weights[features[i]] - TrueWeight(int(features[i]))) * x[i];
    }
    for (int i = 0; i < kFeatures; ++i) gradient[features[i]] += error * x[i] / kFeatures;
  }
  return Vector(std::move(gradient));
}

// Root mean square of what is missing.
double Distance(const Vector& weights) {
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) sum += std::pow(weights[i] - TrueWeight(int(i)), 2);
  return std::sqrt(sum / double(weights.size()));
}

int main(int argc, char** argv) {
  const int steps = static_cast<int>(NumberArgument(argc, argv, "STEPS", 60, 1, 1'000'000));
  manta::Init();
  const auto server = manta::Actor<ParameterServer>().Remote(kWeights);
  manta::ObjectRef<Vector> weights = server.Task(&ParameterServer::Weights).Remote();
  const double before = Distance(*manta::Get(weights));

  for (int step = 0; step < steps; ++step) {
    for (int worker = 0; worker < kWorkers; ++worker) {
      // `weights` is a reference to a value that may not exist yet: the task starts when it does.
      const manta::ObjectRef<Vector> gradient = manta::Task(Gradient).Remote(weights, worker, step);
      // Calls of one process to an actor run in order, so that Step below comes after all of these.
      server.Task(&ParameterServer::Add).Remote(gradient);
    }
    weights = server.Task(&ParameterServer::Step).Remote();
  }

  const double after = Distance(*manta::Get(weights));
  manta::Shutdown();
  const double expected = before * std::pow(0.9, steps);
  std::printf("%d steps of %d workers: error %.6f -> %.6f (at most %.6f expected)\n", steps, kWorkers,
              before, after, expected);
  return after <= expected ? 0 : 1;
}
