// Rows of the specification that need parts which are not there yet. They say so instead of a
// number.

#include "rows.h"

namespace manta::bench {
namespace {

void RunVsRay(RowContext&) {
  throw NotThereYet("the common source that is built against the ray-cpp wheel, too (--vs-ray)");
}

}  // namespace

std::vector<Row> LaterRows() {
  return {
      {"later.vs_ray", "the same program on Ray", RunVsRay},
  };
}

}  // namespace manta::bench
