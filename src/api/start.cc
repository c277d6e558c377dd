// Takes over where a C program's start would call main, if this process is to be a zygote, or a worker that a zygote executes.
//
// The start code of every executable calls __libc_start_main. The one of libmanta comes before libc's in the search order; it
// passes everything on, but for a main of ours instead of the user's. Static constructors have run by then, so that everything
// that registers itself is there; the user has to do nothing for it.

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "manta/manta_c.h"
#include "worker/zygote.h"

namespace {

using MainFunction = int (*)(int, char**, char**);
using StartMain = int (*)(MainFunction, int, char**, void (*)(), void (*)(), void (*)(), void*);

int MainOfZygote(int, char** argv, char**) {
  manta_zygote_hooks hooks{};
  hooks.children_in_place = 1;
  return manta::worker::ZygoteMain(manta::worker::TakeDescriptor(manta::worker::kZygoteVariable), argv, hooks);
}

int MainOfWorker(int, char**, char**) { return manta::worker::ExecutedWorkerMain(manta::worker::TakeDescriptor(manta::worker::kWorkerVariable)); }

}  // namespace

extern "C" MANTA_API int __libc_start_main(MainFunction main, int argc, char** argv, void (*init)(),
                                           void (*fini)(), void (*rtld_fini)(), void* stack_end) {
  const auto real = reinterpret_cast<StartMain>(dlsym(RTLD_NEXT, "__libc_start_main"));
  if (real == nullptr) _exit(127);
  if (getenv(manta::worker::kZygoteVariable) != nullptr) {
    main = MainOfZygote;
  } else if (getenv(manta::worker::kWorkerVariable) != nullptr) {
    main = MainOfWorker;
  }
  return real(main, argc, argv, init, fini, rtld_fini, stack_end);
}
