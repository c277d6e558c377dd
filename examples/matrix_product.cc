// A product of matrices in blocks, over objects that are never copied.
//
//   matrix_product [SIZE]         default: 384
//
// The rows of A and the columns of B are cut into panels. Each panel is put into shared memory once,
// and each task is given references to two of them: it reads both where they lie, through
// manta::Array, however many tasks use them.
#include <manta/manta.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "number_argument.h"

using Values = manta::Array<double>;

constexpr int kPanels = 4;

// The matrices: any will do, as long as every element differs.
double A(int row, int column) { return std::sin(row * 0.7 + column * 0.3); }
double B(int row, int column) { return std::cos(row * 0.2 - column * 0.9); }

// rows x inner times inner x columns. `b` holds columns, one after the other.
Values Multiply(const Values& a, const Values& b, int inner) {
  const size_t rows = a.size() / size_t(inner);
  const size_t columns = b.size() / size_t(inner);
  return Values(rows * columns, [&](double* block, size_t) {
    for (size_t row = 0; row < rows; ++row) {
      for (size_t column = 0; column < columns; ++column) {
        const double* x = a.data() + row * size_t(inner);
        const double* y = b.data() + column * size_t(inner);
        double sum = 0;
        for (int i = 0; i < inner; ++i) sum += x[i] * y[i];
        block[row * columns + column] = sum;
      }
    }
  });
}

int main(int argc, char** argv) {
  const int size = static_cast<int>(NumberArgument(argc, argv, "SIZE", 384, 1, 10'000));
  manta::Init();

  // Where panel i starts; the last one ends at `size`.
  const auto start = [size](int panel) { return int(int64_t{size} * panel / kPanels); };

  std::vector<manta::ObjectRef<Values>> rows_of_a;
  std::vector<manta::ObjectRef<Values>> columns_of_b;
  for (int panel = 0; panel < kPanels; ++panel) {
    const int first = start(panel);
    const size_t count = size_t(start(panel + 1) - first) * size_t(size);
    rows_of_a.push_back(manta::Put(Values(count, [&](double* data, size_t) {
      for (size_t i = 0; i < count; ++i) data[i] = A(first + int(i) / size, int(i) % size);
    })));
    columns_of_b.push_back(manta::Put(Values(count, [&](double* data, size_t) {
      for (size_t i = 0; i < count; ++i) data[i] = B(int(i) % size, first + int(i) / size);
    })));
  }

  std::vector<manta::ObjectRef<Values>> blocks;
  for (const auto& a : rows_of_a) {
    for (const auto& b : columns_of_b) blocks.push_back(manta::Task(Multiply).Remote(a, b, size));
  }

  // The values that Get returns are views of shared memory, too.
  std::vector<double> product(size_t(size) * size_t(size));
  for (int i = 0; i < kPanels; ++i) {
    for (int j = 0; j < kPanels; ++j) {
      const std::shared_ptr<Values> block = manta::Get(blocks[size_t(i * kPanels + j)]);
      const double* next = block->data();
      for (int row = start(i); row < start(i + 1); ++row) {
        for (int column = start(j); column < start(j + 1); ++column) {
          product[size_t(row) * size_t(size) + size_t(column)] = *next++;
        }
      }
    }
  }
  manta::Shutdown();

  // Against a plain loop over plain vectors.
  std::vector<double> a, b;
  for (int i = 0; i < size * size; ++i) a.push_back(A(i / size, i % size));
  for (int i = 0; i < size * size; ++i) b.push_back(B(i / size, i % size));
  double trace = 0;
  double worst = 0;
  std::vector<double> expected(static_cast<size_t>(size));
  for (size_t row = 0, n = size_t(size); row < n; ++row) {
    std::fill(expected.begin(), expected.end(), 0.0);
    for (size_t i = 0; i < n; ++i) {
      for (size_t column = 0; column < n; ++column) {
        expected[column] += a[row * n + i] * b[i * n + column];
      }
    }
    trace += product[row * n + row];
    for (size_t column = 0; column < n; ++column) {
      worst = std::max(worst, std::fabs(expected[column] - product[row * n + column]));
    }
  }
  std::printf("%d x %d in %d blocks: trace %.9f, largest error %.3g\n", size, size,
              kPanels * kPanels, trace, worst);
  return worst < 1e-9 * size ? 0 : 1;
}
