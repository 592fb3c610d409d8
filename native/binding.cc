// binding.cc: every function JavaScript sees. src/kernel/native.ts documents and types them, in this order.
//
// The addon is context-aware: the main thread and every worker load it, each gets its own exports, and all
// reach the same sessions (session_table.h). Only the stack of each thread is kept per environment.
#include "arguments.h"
#include "javascript_error.h"
#include "kernel_btf.h"
#include "later.h"
#include "locking.h"
#include "session_table.h"
#include "thread.h"

#include <cstring>
#include <dlfcn.h>
#include <limits>
#include <napi.h>
#include <sched.h>

namespace nodeland {
namespace {

using Info = const Napi::CallbackInfo &;

constexpr std::int64_t kMaxInt = 0x7fffffff;

// Guarded makes an exported function of Function: what the system refuses becomes a JavaScript Error.
template <auto Function> Napi::Value Guarded(Info info) {
  try {
    return Function(info);
  } catch (const SystemError &error) {
    throw ToJavaScript(info.Env(), error);
  } catch (const Napi::Error &) {
    throw;
  } catch (const std::exception &error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

int SessionId(Info info) { return static_cast<int>(ArgumentAt(info, 0, "session").Number(1, kMaxInt)); }

std::shared_ptr<Session> SessionOf(Info info) { return SessionTable::Process().Get(SessionId(info)); }

std::uint32_t DomainAt(Info info, std::size_t i) {
  return static_cast<std::uint32_t>(ArgumentAt(info, i, "domain").Number(0, NL_MAX_DOMAINS - 1));
}

Napi::Value LibbpfVersion(Info info) {
  return Napi::String::New(info.Env(), std::to_string(libbpf_major_version()) + "." +
                                           std::to_string(libbpf_minor_version()));
}

// --- the life of a session

Napi::Value OpenSession(Info info) {
  auto session = Session::Open(ReadSessionOptions(ArgumentAt(info, 0, "options")));
  return Napi::Number::New(info.Env(), SessionTable::Process().Add(std::move(session)));
}

template <void (Session::*Step)()> Napi::Value SessionStep(Info info) {
  (SessionOf(info).get()->*Step)();
  return info.Env().Undefined();
}

// Refused is a promise that was never kept: what a call of a function with a promise throws.
Napi::Promise Refused(Napi::Env env, const SystemError &error) {
  const auto refused = Napi::Promise::Deferred::New(env);
  refused.Reject(ToJavaScript(env, error).Value());
  return refused.Promise();
}

Napi::Value LoadSessionAsync(Info info) {
  const int id = SessionId(info);
  try {
    return LoadLater(info.Env(), SessionTable::Process().Get(id));
  } catch (const SystemError &error) {
    return Refused(info.Env(), error);
  }
}

Napi::Value CloseSession(Info info) {
  SessionTable::Process().Take(SessionId(info))->Close();
  return info.Env().Undefined();
}

template <std::size_t Length> Napi::String TextOf(Napi::Env env, const char (&text)[Length]) {
  return Napi::String::New(env, text, strnlen(text, Length));
}

Napi::Value ExitInfo(Info info) {
  const Napi::Env env = info.Env();
  const std::unique_ptr<nl_exit> exit = SessionOf(info)->ReadExit();
  if (exit == nullptr)
    return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("kind", Napi::Number::New(env, exit->kind));
  result.Set("exitCode", Napi::BigInt::New(env, static_cast<std::int64_t>(exit->exit_code)));
  result.Set("reason", TextOf(env, exit->reason));
  result.Set("message", TextOf(env, exit->msg));
  result.Set("dump", TextOf(env, exit->dump));
  return result;
}

// --- memory

Napi::Value SessionMemory(Info info) {
  std::shared_ptr<Arena> arena = SessionOf(info)->GetArena();
  const auto bytes = static_cast<std::size_t>(
      ArgumentAt(info, 1, "byteLength").Number(1, static_cast<std::int64_t>(arena->size())));
  arena->NoteUse(bytes);
  void *const address = arena->address();
  auto owner = std::make_unique<std::shared_ptr<Arena>>(std::move(arena));
  const auto forget = [](Napi::Env, void *, std::shared_ptr<Arena> *held) {
    const std::unique_ptr<std::shared_ptr<Arena>> last(held);
  };
  const Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(info.Env(), address, bytes, forget, owner.get());
  owner.release(); // forget's now
  return memory;
}

Napi::Value SessionMemoryAddress(Info info) {
  const auto address = reinterpret_cast<std::uintptr_t>(SessionOf(info)->GetArena()->address());
  return Napi::BigInt::New(info.Env(), std::uint64_t{address});
}

Napi::Value MemoryPlacement(Info info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Arena> arena = SessionOf(info)->GetArena();
  const auto begin = reinterpret_cast<std::uintptr_t>(arena->address());
  Napi::Array nodes = Napi::Array::New(env);
  for (const auto &[node, pages] : PagesByNode({begin, begin + arena->size()})) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("node", Napi::Number::New(env, node));
    entry.Set("pages", Napi::Number::New(env, static_cast<double>(pages)));
    nodes.Set(nodes.Length(), entry);
  }
  return nodes;
}

Napi::Value LockProcessMemory(Info info) {
  const Napi::Env env = info.Env();
  const std::vector<std::shared_ptr<Arena>> arenas = SessionTable::Process().Arenas(); // held while locking
  std::vector<AddressRange> ranges;
  for (const auto &arena : arenas)
    ranges.push_back(arena->used());
  const LockReport report = LockMemory(ranges);
  Napi::Object result = Napi::Object::New(env);
  result.Set("mappings", Napi::Number::New(env, static_cast<double>(report.mappings)));
  result.Set("bytes", Napi::Number::New(env, static_cast<double>(report.bytes)));
  result.Set("refused", Napi::Number::New(env, static_cast<double>(report.refused)));
  Napi::Array errors = Napi::Array::New(env);
  for (const std::string &error : report.errors)
    errors.Set(errors.Length(), Napi::String::New(env, error));
  result.Set("errors", errors);
  return result;
}

Napi::Value UnlockProcessMemory(Info info) {
  UnlockMemory();
  return info.Env().Undefined();
}

Napi::Value NoHugepages(Info info) {
  DisableTransparentHugepages();
  return info.Env().Undefined();
}

// --- programs and doorbells

Napi::Value RunProgram(Info info) {
  const std::shared_ptr<Session> session = SessionOf(info);
  const std::string name = ArgumentAt(info, 1, "name").Text();
  Napi::Uint8Array context = ArgumentAt(info, 2, "context").Bytes();
  return Napi::Number::New(info.Env(), session->FindProgram(name).Run(context.Data(), context.ByteLength()));
}

Napi::Value RunProgramAsync(Info info) {
  const Napi::Env env = info.Env();
  const int id = SessionId(info);
  const std::string name = ArgumentAt(info, 1, "name").Text();
  const Napi::Uint8Array context = ArgumentAt(info, 2, "context").Bytes();
  std::optional<int> cpu;
  if (const Argument pin = ArgumentAt(info, 3, "cpu"); pin.Given())
    cpu = static_cast<int>(pin.Number(0, (1 << 20) - 1));
  try {
    // Found now: from here on, closing the session cannot take the program away.
    return RunProgramLater(env, SessionTable::Process().Get(id)->FindProgram(name), context, cpu);
  } catch (const SystemError &error) {
    return Refused(env, error);
  }
}

Napi::Value CreateDoorbell(Info info) {
  SessionOf(info)->CreateDoorbell(DomainAt(info, 1));
  return info.Env().Undefined();
}

Napi::Value DoorbellWait(Info info) {
  const std::shared_ptr<Doorbell> doorbell = SessionOf(info)->GetDoorbell(DomainAt(info, 1));
  const auto timeout_ms = static_cast<int>(ArgumentAt(info, 2, "timeoutMs").Number(-1, kMaxInt));
  return Napi::Boolean::New(info.Env(), doorbell->Wait(timeout_ms));
}

Napi::Value RingDoorbell(Info info) {
  SessionOf(info)->GetDoorbell(DomainAt(info, 1))->Ring();
  return info.Env().Undefined();
}

// --- records

Napi::Value OpenRecorder(Info info) {
  const auto rings = static_cast<std::uint32_t>(ArgumentAt(info, 1, "rings").Number(1, NL_RECORD_RINGS));
  const auto bytes = static_cast<std::size_t>(ArgumentAt(info, 2, "ringBytes").Number(NL_PAGE_SIZE, 1 << 30));
  SessionOf(info)->OpenRecorder(rings, bytes);
  return info.Env().Undefined();
}

Napi::Value DrainRecorder(Info info) {
  Napi::Uint8Array target = ArgumentAt(info, 1, "target").Bytes();
  const std::size_t taken = SessionOf(info)->DrainRecorder(target.Data(), target.ByteLength());
  return Napi::Number::New(info.Env(), static_cast<double>(taken));
}

// --- the calling thread

Napi::Value Pin(Info info) {
  const Argument tid = ArgumentAt(info, 1, "tid");
  PinThread(ReadCpus(ArgumentAt(info, 0, "cpus")),
            tid.Given() ? static_cast<int>(tid.Number(1, std::numeric_limits<int>::max())) : 0);
  return info.Env().Undefined();
}

Napi::Value Affinity(Info info) {
  Napi::Array cpus = Napi::Array::New(info.Env());
  for (const int cpu : ThreadAffinity())
    cpus.Set(cpus.Length(), Napi::Number::New(info.Env(), cpu));
  return cpus;
}

Napi::Value Cpu(Info info) { return Napi::Number::New(info.Env(), CurrentCpu()); }

Napi::Value Tid(Info info) { return Napi::Number::New(info.Env(), ThreadId()); }

Napi::Value Name(Info info) {
  SetThreadName(ArgumentAt(info, 0, "name").Text());
  return info.Env().Undefined();
}

Napi::Value SchedExtSelf(Info info) {
  SetSchedExt(ArgumentAt(info, 0, "on").Boolean());
  return info.Env().Undefined();
}

Napi::Value Faults(Info info) {
  const PageFaults faults = ThreadPageFaults();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("minor", Napi::Number::New(info.Env(), static_cast<double>(faults.minor)));
  result.Set("major", Napi::Number::New(info.Env(), static_cast<double>(faults.major)));
  return result;
}

// --- hot: called between batches. Raw Node-API, no C++ wrapping, no allocation, no exception.

napi_value YieldThread(napi_env, napi_callback_info) {
  sched_yield();
  return nullptr; // undefined
}

napi_value PageFaultsInto(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value target = nullptr;
  napi_typedarray_type type{};
  std::size_t length = 0;
  void *data = nullptr;
  if (napi_get_cb_info(env, info, &count, &target, nullptr, nullptr) != napi_ok ||
      napi_get_typedarray_info(env, target, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || length < 2) {
    napi_throw_type_error(env, nullptr, "target must be a Float64Array of 2 or more elements");
    return nullptr;
  }
  const PageFaults faults = ThreadPageFaults();
  auto *elements = static_cast<double *>(data);
  elements[0] = static_cast<double>(faults.minor);
  elements[1] = static_cast<double>(faults.major);
  return nullptr;
}

// --- the running kernel

Napi::Value EnumValueOf(Info info) {
  const auto value =
      KernelEnumValue(ArgumentAt(info, 0, "enumName").Text(), ArgumentAt(info, 1, "valueName").Text());
  if (!value)
    return info.Env().Null();
  return value->is_signed ? Napi::BigInt::New(info.Env(), static_cast<std::int64_t>(value->bits))
                          : Napi::BigInt::New(info.Env(), value->bits);
}

Napi::Value Has(Info info) {
  const std::string kind = ArgumentAt(info, 0, "kind").Text();
  const std::string name = ArgumentAt(info, 1, "name").Text();
  if (kind == "func")
    return Napi::Boolean::New(info.Env(), KernelHas(KernelType::kFunction, name));
  if (kind == "struct")
    return Napi::Boolean::New(info.Env(), KernelHas(KernelType::kStruct, name));
  if (kind == "enum")
    return Napi::Boolean::New(info.Env(), KernelHas(KernelType::kEnum, name));
  throw Napi::TypeError::New(info.Env(), "kind must be 'func', 'struct' or 'enum'");
}

// --- registration

struct Environment {
  ThreadStack stack;
};

// Node closes an addon when its last environment ends, sessions of other threads or not. Stay.
void KeepLoaded() {
  Dl_info self{};
  if (dladdr(reinterpret_cast<void *>(&KeepLoaded), &self) != 0)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

template <auto Function> void Export(Napi::Object exports, const char *name) {
  exports.Set(name, Napi::Function::New(exports.Env(), Guarded<Function>, name));
}

void ExportRaw(Napi::Object exports, const char *name, napi_callback function) {
  napi_value value = nullptr;
  const napi_status status =
      napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  NAPI_THROW_IF_FAILED_VOID(exports.Env(), status);
  exports.Set(name, Napi::Value(exports.Env(), value));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  KeepLoaded();
  env.SetInstanceData(std::make_unique<Environment>().release()); // Node-API deletes it with the environment
  Export<LibbpfVersion>(exports, "libbpfVersion");
  Export<OpenSession>(exports, "openSession");
  Export<SessionStep<&Session::Load>>(exports, "loadSession");
  Export<LoadSessionAsync>(exports, "loadSessionAsync");
  Export<SessionStep<&Session::Attach>>(exports, "attachSession");
  Export<SessionStep<&Session::Detach>>(exports, "detachSession");
  Export<CloseSession>(exports, "closeSession");
  Export<ExitInfo>(exports, "exitInfo");
  Export<SessionMemory>(exports, "sessionMemory");
  Export<SessionMemoryAddress>(exports, "sessionMemoryAddress");
  Export<MemoryPlacement>(exports, "memoryPlacement");
  Export<LockProcessMemory>(exports, "lockMemory");
  Export<UnlockProcessMemory>(exports, "unlockMemory");
  Export<NoHugepages>(exports, "disableTransparentHugepages");
  Export<RunProgram>(exports, "runProgram");
  Export<RunProgramAsync>(exports, "runProgramAsync");
  Export<CreateDoorbell>(exports, "createDoorbell");
  Export<DoorbellWait>(exports, "doorbellWait");
  Export<RingDoorbell>(exports, "ringDoorbell");
  Export<OpenRecorder>(exports, "openRecorder");
  Export<DrainRecorder>(exports, "drainRecorder");
  Export<SessionStep<&Session::UnlinkRecorder>>(exports, "unlinkRecorder");
  Export<SessionStep<&Session::CloseRecorder>>(exports, "closeRecorder");
  Export<Pin>(exports, "pinThread");
  Export<Affinity>(exports, "threadAffinity");
  Export<Cpu>(exports, "currentCpu");
  Export<Tid>(exports, "threadId");
  Export<Name>(exports, "setThreadName");
  Export<SchedExtSelf>(exports, "schedExtSelf");
  Export<Faults>(exports, "pageFaults");
  ExportRaw(exports, "pageFaultsInto", PageFaultsInto);
  ExportRaw(exports, "yieldThread", YieldThread);
  Export<EnumValueOf>(exports, "kernelEnumValue");
  Export<Has>(exports, "kernelHas");
  return exports;
}

} // namespace

NODE_API_MODULE(nodeland, Init)

} // namespace nodeland
