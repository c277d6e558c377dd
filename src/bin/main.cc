#include "bin/command_line.h"

int main(int argc, char** argv) { return manta::bin::RunCommandLine(argc, argv); }
