// What workers print and the runtime says goes through the program's sys.stdout and sys.stderr: to a notebook's cell, to who has redirected them.
#pragma once

#include <cstddef>

namespace manta::python {

// For manta_config.show, of the runtime that is about to start (interpreter lock). The function itself takes no lock of Python's, and does not wait: a thread
// of its own, which starts with the first text, writes it.
using ShowText = void (*)(int is_stderr, const char* text, size_t size);
ShowText ShowInPython();

// Without the interpreter lock: returns when all text so far is written, or when nobody seems to read it.
void AwaitShownText();

}  // namespace manta::python
