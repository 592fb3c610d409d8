#include "later.h"

#include "errors.h"
#include "javascript_error.h"
#include "thread.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace nodeland {
namespace {

// Later does Do on the pool's thread and keeps its promise on the JavaScript thread.
class Later : public Napi::AsyncWorker {
public:
  explicit Later(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }

protected:
  virtual void Do() = 0;
  virtual Napi::Value Result() = 0;

  void Execute() final {
    try {
      Do();
    } catch (const SystemError &error) {
      error_ = error;
      SetError(error.what());
    }
  }

  void OnOK() final {
    const Napi::HandleScope scope(Env());
    deferred_.Resolve(Result());
  }

  void OnError(const Napi::Error &other) final {
    const Napi::HandleScope scope(Env());
    deferred_.Reject(error_ ? ToJavaScript(Env(), *error_).Value() : other.Value());
  }

private:
  Napi::Promise::Deferred deferred_;
  std::optional<SystemError> error_;
};

class ProgramRun : public Later {
public:
  ProgramRun(Napi::Env env, Program program, Napi::Uint8Array context, std::optional<int> cpu)
      : Later(env), program_(std::move(program)), cpu_(cpu), target_(Napi::Persistent(context)),
        bytes_(context.Data(), context.Data() + context.ByteLength()) {}

protected:
  void Do() override {
    std::optional<ScopedPin> pinned;
    if (cpu_)
      pinned.emplace(*cpu_);
    result_ = program_.Run(bytes_.data(), bytes_.size());
  }

  Napi::Value Result() override {
    Napi::Uint8Array target = target_.Value();
    // It may have been transferred away meanwhile.
    std::copy_n(bytes_.data(), std::min(bytes_.size(), target.ByteLength()), target.Data());
    return Napi::Number::New(Env(), result_);
  }

private:
  Program program_;
  std::optional<int> cpu_;
  Napi::Reference<Napi::Uint8Array> target_;
  std::vector<std::uint8_t> bytes_;
  int result_ = 0;
};

class SessionLoad : public Later {
public:
  SessionLoad(Napi::Env env, std::shared_ptr<Session> session) : Later(env), session_(std::move(session)) {}

protected:
  void Do() override { session_->Load(); }
  Napi::Value Result() override { return Env().Undefined(); }

private:
  std::shared_ptr<Session> session_;
};

Napi::Promise Start(std::unique_ptr<Later> later) {
  const Napi::Promise promise = later->promise();
  later->Queue();
  later.release(); // it deletes itself when it is done
  return promise;
}

} // namespace

Napi::Promise RunProgramLater(Napi::Env env, Program program, Napi::Uint8Array context,
                              std::optional<int> cpu) {
  return Start(std::make_unique<ProgramRun>(env, std::move(program), context, cpu));
}

Napi::Promise LoadLater(Napi::Env env, std::shared_ptr<Session> session) {
  return Start(std::make_unique<SessionLoad>(env, std::move(session)));
}

} // namespace nodeland
