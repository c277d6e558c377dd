// Manta: tasks, actors and objects, over as many processes and machines as there are.
//
//   #include <manta/manta.h>
//
//   int Add(int a, int b) { return a + b; }
//
//   int main() {
//     manta::Init();
//     manta::ObjectRef<int> sum = manta::Task(Add).Remote(1, 2);
//     return *manta::Get(sum) == 3 ? 0 : 1;
//   }
//
// This header includes all of the C++ interface; each part may be included alone:
//
//   runtime.h      Init, Shutdown, GetRuntimeContext, ClusterResources
//   task.h         Task(f).Remote(...)
//   actor.h        Actor<T>().Remote(...), ActorHandle, GetActor
//   objects.h      Put, Get, Wait, Cancel
//   object_ref.h   ObjectRef
//   placement_group.h  groups of resources that are reserved together
//   remote.h       MANTA_REMOTE: names for other languages
//   python.h       functions and actors of Python, by their names
//   coroutine.h    co_await on references (C++20)
//   array.h        Array: large numeric data without copies
//   archive.h      what can travel, and MANTA_DEFINE
//   errors.h       exceptions
#pragma once

#include "manta/actor.h"
#include "manta/archive.h"
#include "manta/array.h"
#include "manta/coroutine.h"
#include "manta/errors.h"
#include "manta/object_ref.h"
#include "manta/objects.h"
#include "manta/options.h"
#include "manta/placement_group.h"
#include "manta/python.h"
#include "manta/remote.h"
#include "manta/runtime.h"
#include "manta/scheduling.h"
#include "manta/task.h"
#include "manta/timeout.h"
