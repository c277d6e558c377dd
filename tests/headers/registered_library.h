// A library of a user that calls tasks of its own: see registration_main.cc.
#pragma once

namespace registered_library {

// 2 * x, computed by a task.
int Twice(int x);

}  // namespace registered_library
