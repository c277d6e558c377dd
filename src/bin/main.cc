#include "base/standard_descriptors.h"
#include "bin/command_line.h"

int main(int argc, char** argv) {
  manta::OpenStandardDescriptors();
  return manta::bin::RunCommandLine(argc, argv);
}
