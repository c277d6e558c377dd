#include "tests/headers/registered_library.h"

#include "manta/manta.h"

namespace registered_library {
namespace {

struct MarkerOfLibrary {
  int value;
};
MarkerOfLibrary Double(MarkerOfLibrary x) { return {2 * x.value}; }

}  // namespace

__attribute__((visibility("default"))) int Twice(int x) {
  return manta::Task(Double).Remote(MarkerOfLibrary{x}).Get()->value;
}

}  // namespace registered_library
