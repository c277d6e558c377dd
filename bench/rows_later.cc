// Rows of the specification that need parts which are not there yet. They say so instead of a
// number.

#include "rows.h"

namespace manta::bench {
namespace {

void RunTwoNodes(RowContext&) {
  throw NotThereYet(
      "two nodes on one machine, and the bare relay through four processes beside them");
}
void RunVsRay(RowContext&) {
  throw NotThereYet("the common source that is built against the ray-cpp wheel, too (--vs-ray)");
}

}  // namespace

std::vector<Row> LaterRows() {
  return {
      {"later.two_nodes",
       "task round trip between two nodes, beside a bare relay through four processes",
       RunTwoNodes},
      {"later.vs_ray", "the same program on Ray", RunVsRay},
  };
}

}  // namespace manta::bench
