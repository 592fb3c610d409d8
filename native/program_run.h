// program_run.h: a SYSCALL program run off the JavaScript thread.
#pragma once

#include "session.h"

#include <napi.h>
#include <optional>

namespace nodeland {

// RunProgramLater runs the program on a thread of the libuv pool, pinned to `cpu` meanwhile when one is
// given. The context is copied; what the program left of it is written back into `context` just before the
// promise resolves with the program's result. Closing the session meanwhile does not matter.
[[nodiscard]] Napi::Promise RunProgramLater(Napi::Env env, Program program, Napi::Uint8Array context,
                                            std::optional<int> cpu);

} // namespace nodeland
