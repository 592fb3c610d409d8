// later.h: what takes long, on a thread of the libuv pool instead of the JavaScript thread.
#pragma once

#include "session.h"

#include <memory>
#include <napi.h>
#include <optional>

namespace nodeland {

// RunProgramLater runs the program, pinned to `cpu` meanwhile when one is given. The context is copied; what
// the program left of it is written back into `context` just before the promise resolves with the program's
// result. Closing the session meanwhile does not matter.
[[nodiscard]] Napi::Promise RunProgramLater(Napi::Env env, Program program, Napi::Uint8Array context,
                                            std::optional<int> cpu);

// LoadLater loads the session's object. Closing the session meanwhile waits for that.
[[nodiscard]] Napi::Promise LoadLater(Napi::Env env, std::shared_ptr<Session> session);

} // namespace nodeland
