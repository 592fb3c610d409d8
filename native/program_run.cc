#include "program_run.h"

#include "errors.h"
#include "javascript_error.h"
#include "thread.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nodeland {
namespace {

class ProgramRun : public Napi::AsyncWorker {
public:
  ProgramRun(Napi::Env env, Program program, Napi::Uint8Array context, std::optional<int> cpu)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), program_(std::move(program)),
        cpu_(cpu), target_(Napi::Persistent(context)),
        bytes_(context.Data(), context.Data() + context.ByteLength()) {}

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }

protected:
  void Execute() override {
    try {
      std::optional<ScopedPin> pinned;
      if (cpu_)
        pinned.emplace(*cpu_);
      result_ = program_.Run(bytes_.data(), bytes_.size());
    } catch (const SystemError &error) {
      error_ = error;
      SetError(error.what());
    }
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    Napi::Uint8Array target = target_.Value();
    // It may have been transferred away meanwhile.
    std::copy_n(bytes_.data(), std::min(bytes_.size(), target.ByteLength()), target.Data());
    deferred_.Resolve(Napi::Number::New(Env(), result_));
  }

  void OnError(const Napi::Error &other) override {
    const Napi::HandleScope scope(Env());
    deferred_.Reject(error_ ? ToJavaScript(Env(), *error_).Value() : other.Value());
  }

private:
  Napi::Promise::Deferred deferred_;
  Program program_;
  std::optional<int> cpu_;
  Napi::Reference<Napi::Uint8Array> target_;
  std::vector<std::uint8_t> bytes_;
  int result_ = 0;
  std::optional<SystemError> error_;
};

} // namespace

Napi::Promise RunProgramLater(Napi::Env env, Program program, Napi::Uint8Array context,
                              std::optional<int> cpu) {
  auto run = std::make_unique<ProgramRun>(env, std::move(program), context, cpu);
  const Napi::Promise promise = run->promise();
  run->Queue();
  run.release(); // it deletes itself when it is done
  return promise;
}

} // namespace nodeland
