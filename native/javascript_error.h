// javascript_error.h: SystemError (errors.h) as a JavaScript Error.
#pragma once

#include "errors.h"

#include <napi.h>

namespace nodeland {

[[nodiscard]] inline Napi::Error ToJavaScript(Napi::Env env, const SystemError &error) {
  Napi::Error thrown = Napi::Error::New(env, error.what());
  thrown.Set("code", Napi::String::New(env, ErrnoName(error.errnum())));
  thrown.Set("errno", Napi::Number::New(env, error.errnum()));
  thrown.Set("syscall", Napi::String::New(env, error.call()));
  if (!error.log().empty())
    thrown.Set("log", Napi::String::New(env, error.log()));
  return thrown;
}

} // namespace nodeland
