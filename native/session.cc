#include "session.h"

#include "errors.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <utility>

namespace nodeland {
namespace {

constexpr std::size_t kLogLines = 30;
constexpr const char *kArenaMap = "arena";
constexpr const char *kArenaBase = "arena_base";
constexpr const char *kExitMap = "exit_info";
constexpr const char *kDoorbellMap = "doorbells";
constexpr const char *kRecordsMap = "records";

const bpf_map *FindMap(const bpf_object *object, const char *name) {
  const bpf_map *map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr)
    throw SystemError(ENOENT, "bpf_object__find_map_by_name", std::string("the object has no map ") + name);
  return map;
}

// The object's constants: the section's bytes before load, and where each variable lies.
const btf_var_secinfo *FindConstant(const btf *types, const std::string &name) {
  const int id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (id < 0)
    return nullptr;
  const btf_type *section = btf__type_by_id(types, static_cast<std::uint32_t>(id));
  const btf_var_secinfo *variables = btf_var_secinfos(section);
  for (int i = 0; i < btf_vlen(section); ++i) {
    const btf_type *variable = btf__type_by_id(types, variables[i].type);
    if (name == btf__name_by_offset(types, variable->name_off))
      return &variables[i];
  }
  return nullptr;
}

bpf_map *FindConstants(const bpf_object *object) {
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string section = bpf_map__name(map);
    if (section.size() >= 7 && section.compare(section.size() - 7, 7, ".rodata") == 0)
      return map;
  }
  return nullptr;
}

template <std::size_t Length> std::string TextOf(const char (&text)[Length]) {
  return std::string(text, strnlen(text, Length));
}

constexpr int kKeptBytes = 4 << 20;

// libbpf reads the types of the kernel on whichever thread loads. By default the heap of each thread keeps
// blocks as large as the largest that was freed: some 50 MB of the process.
void KeepLittleFreeMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  malloc_trim(0);
#endif
}

std::string ExplainAttach(int error) {
  if (error == EBUSY) {
    const std::string other = AttachedScheduler();
    return other.empty() ? "Another sched_ext scheduler is attached, or one is being attached or detached"
                         : "Another sched_ext scheduler is attached: " + other;
  }
  if (error == EPERM)
    return "It needs CAP_SYS_ADMIN, or root";
  if (error == EINVAL)
    return "The kernel refused the operations or a CPU came or went since the plan was made; dmesg says "
           "which";
  return "";
}

std::string ExplainLoad(int error) {
  if (error == EPERM)
    return "It needs CAP_BPF and CAP_PERFMON, or root";
  if (error == EACCES || error == EINVAL)
    return "The kernel's verifier or one of its types does not accept the object";
  return "";
}

} // namespace

std::shared_ptr<Session> Session::Open(SessionOptions options) {
  return std::make_shared<Session>(std::move(options));
}

Session::Session(SessionOptions options) : options_(std::move(options)) {
  const LogScope scope(&log_);
  opened_.reset(bpf_object__open_file(options_.object_path.c_str(), nullptr));
  if (opened_ == nullptr) {
    const int error = errno;
    throw SystemError(error, "bpf_object__open_file", "cannot open " + options_.object_path,
                      error == ENOENT ? "" : "It is not a BPF object that libbpf understands",
                      log_.Tail(kLogLines));
  }
  if (options_.ops)
    ConfigureOps(opened_.get(), *options_.ops);
  else
    DisableOps(opened_.get());
  SetConstants(options_.constants, true);
}

void Session::SetConstants(const std::map<std::string, std::uint64_t> &constants, bool must_exist) {
  for (const auto &[name, value] : constants) {
    bpf_map *map = FindConstants(opened_.get());
    std::size_t bytes = 0;
    auto *image = map == nullptr ? nullptr : static_cast<char *>(bpf_map__initial_value(map, &bytes));
    const btf_var_secinfo *variable =
        image == nullptr ? nullptr : FindConstant(bpf_object__btf(opened_.get()), name);
    if (variable != nullptr && variable->size <= sizeof value && variable->offset + variable->size <= bytes)
      std::memcpy(image + variable->offset, &value, variable->size); // little-endian
    else if (must_exist)
      throw SystemError(ENOENT, "bpf_map__initial_value", "the object has no constant number named " + name);
  }
}

// The arena is created here rather than by libbpf, so that its mapping can outlive the object.
void Session::PrepareArena() {
  bpf_map *map = bpf_object__find_map_by_name(opened_.get(), kArenaMap);
  if (map == nullptr || bpf_map__type(map) != kArenaMapType)
    return;
  arena_ = std::make_shared<Arena>(options_.arena_bytes, bpf_map__map_flags(map));
  bpf_map__set_max_entries(map, arena_->pages());
  bpf_map__set_map_extra(map, reinterpret_cast<std::uintptr_t>(arena_->address()));
  if (const int error = bpf_map__reuse_fd(map, arena_->fd()); error != 0)
    throw SystemError(-error, "bpf_map__reuse_fd", "cannot give the object its arena");
  SetConstants({{kArenaBase, reinterpret_cast<std::uintptr_t>(arena_->address())}}, false);
}

void Session::Load() {
  const std::lock_guard life(life_);
  if (opened_ == nullptr)
    throw SystemError(EALREADY, "bpf_object__load", options_.object_path + " was loaded before");
  const LogScope scope(&log_);
  log_.Clear();
  PrepareArena();
  const int error = bpf_object__load(opened_.get());
  if (error != 0) {
    opened_.reset();
    throw SystemError(-error, "bpf_object__load", "cannot load " + options_.object_path, ExplainLoad(-error),
                      log_.Tail(kLogLines));
  }
  auto loaded = std::make_shared<Loaded>();
  loaded->object = std::move(opened_);
  loaded->arena = arena_;
  KeepLittleFreeMemory();
  const std::lock_guard publish(loaded_mutex_);
  loaded_ = std::move(loaded);
}

void Session::Attach() {
  const std::lock_guard life(life_);
  if (!options_.ops)
    throw SystemError(EINVAL, "bpf_map__attach_struct_ops", "cannot attach " + options_.object_path,
                      "The session was opened without ops");
  const std::string attempt = "cannot attach the scheduler " + options_.ops->map;
  if (link_ != nullptr)
    throw SystemError(EALREADY, "bpf_map__attach_struct_ops", attempt, "It is attached");
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  ClearExit(*loaded);
  const LogScope scope(&log_);
  log_.Clear();
  UniqueLink link(bpf_map__attach_struct_ops(FindMap(loaded->object.get(), options_.ops->map.c_str())));
  if (link == nullptr) {
    const int error = errno;
    throw SystemError(error, "bpf_map__attach_struct_ops", attempt, ExplainAttach(error),
                      log_.Tail(kLogLines));
  }
  // The kernel reports success when it let go of the scheduler while attaching, so that the reason is kept.
  if (bpf_object__find_map_by_name(loaded->object.get(), kExitMap) != nullptr)
    if (const auto exit = ReadExit())
      throw SystemError(ECANCELED, "bpf_map__attach_struct_ops", attempt,
                        "The kernel let go of it at once: " + TextOf(exit->reason) + ": " +
                            TextOf(exit->msg));
  link_ = std::move(link);
}

void Session::Detach() {
  const std::lock_guard life(life_);
  if (link_ == nullptr)
    throw SystemError(ENOTCONN, "bpf_link__destroy", "cannot detach " + options_.object_path,
                      "It is not attached");
  link_.reset();
}

void Session::Close() {
  const std::lock_guard life(life_);
  link_.reset();
  opened_.reset();
  arena_.reset();
  const std::lock_guard publish(loaded_mutex_);
  loaded_.reset();
}

std::shared_ptr<Session::Loaded> Session::GetLoaded() const {
  const std::lock_guard guard(loaded_mutex_);
  if (loaded_ == nullptr)
    throw SystemError(ENOTCONN, "bpf", options_.object_path + " is not loaded");
  return loaded_;
}

std::shared_ptr<Arena> Session::GetArena() const {
  const std::shared_ptr<Arena> arena = GetLoaded()->arena;
  if (arena == nullptr)
    throw SystemError(ENOENT, "bpf_object__find_map_by_name", "the object has no arena");
  return arena;
}

std::shared_ptr<Arena> Session::FindArena() const noexcept {
  const std::lock_guard guard(loaded_mutex_);
  return loaded_ == nullptr ? nullptr : loaded_->arena;
}

Program Session::FindProgram(const std::string &name) const {
  std::shared_ptr<Loaded> loaded = GetLoaded();
  const bpf_program *program = bpf_object__find_program_by_name(loaded->object.get(), name.c_str());
  if (program == nullptr)
    throw SystemError(ENOENT, "bpf_object__find_program_by_name", "the object has no program " + name);
  if (bpf_program__type(program) != BPF_PROG_TYPE_SYSCALL)
    throw SystemError(EINVAL, "bpf_prog_test_run_opts",
                      "program " + name + " is not a SEC(\"syscall\") program");
  return {std::move(loaded), name, bpf_program__fd(program)};
}

int Program::Run(void *context, std::size_t bytes) const {
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.ctx_in = bytes == 0 ? nullptr : context; // the kernel writes it back; it refuses ctx_out
  options.ctx_size_in = static_cast<__u32>(bytes);
  const int error = bpf_prog_test_run_opts(fd_, &options);
  if (error != 0)
    throw SystemError(-error, "bpf_prog_test_run_opts", "cannot run program " + name_,
                      error == -EINVAL ? "Its context may be larger than the bytes given" : "");
  return static_cast<int>(options.retval);
}

std::unique_ptr<nl_exit> Session::ReadExit() const {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const bpf_map *map = FindMap(loaded->object.get(), kExitMap);
  auto exit = std::make_unique<nl_exit>();
  const __u32 key = 0;
  const int error = bpf_map__lookup_elem(map, &key, sizeof key, exit.get(), sizeof *exit, 0);
  if (error != 0)
    throw SystemError(-error, "bpf_map__lookup_elem", "cannot read the exit information");
  return exit->kind == 0 ? nullptr : std::move(exit);
}

void Session::ClearExit(const Loaded &loaded) {
  const bpf_map *map = bpf_object__find_map_by_name(loaded.object.get(), kExitMap);
  if (map == nullptr)
    return;
  const auto none = std::make_unique<nl_exit>();
  const __u32 key = 0;
  const int error = bpf_map__update_elem(map, &key, sizeof key, none.get(), sizeof *none, 0);
  if (error != 0)
    throw SystemError(-error, "bpf_map__update_elem", "cannot clear the exit information");
}

void Session::CreateDoorbell(std::uint32_t domain) {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const bpf_map *map = FindMap(loaded->object.get(), kDoorbellMap);
  const std::lock_guard guard(loaded_mutex_);
  std::shared_ptr<Doorbell> &place = loaded->doorbells.at(domain);
  if (place != nullptr)
    throw SystemError(EEXIST, "bpf_map_create", "domain " + std::to_string(domain) + " has a doorbell");
  auto doorbell = std::make_shared<Doorbell>();
  const int fd = doorbell->map_fd();
  const int error = bpf_map__update_elem(map, &domain, sizeof domain, &fd, sizeof fd, 0);
  if (error != 0)
    throw SystemError(-error, "bpf_map__update_elem",
                      "cannot give domain " + std::to_string(domain) + " its doorbell");
  place = std::move(doorbell);
}

std::shared_ptr<Doorbell> Session::GetDoorbell(std::uint32_t domain) const {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const std::lock_guard guard(loaded_mutex_);
  std::shared_ptr<Doorbell> doorbell = loaded->doorbells.at(domain);
  if (doorbell == nullptr)
    throw SystemError(ENOENT, "epoll_wait", "domain " + std::to_string(domain) + " has no doorbell");
  return doorbell;
}

std::shared_ptr<Recorder> Session::GetRecorder() const {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const std::lock_guard guard(loaded_mutex_);
  if (loaded->recorder == nullptr)
    throw SystemError(ENOENT, "ring_buffer__consume", "nothing is recorded");
  return loaded->recorder;
}

void Session::OpenRecorder(std::uint32_t rings, std::size_t ring_bytes) {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const bpf_map *map = FindMap(loaded->object.get(), kRecordsMap);
  auto recorder = std::make_shared<Recorder>(rings, ring_bytes);
  {
    const std::lock_guard guard(loaded_mutex_);
    if (loaded->recorder != nullptr)
      throw SystemError(EEXIST, "bpf_map_create", "a recording is under way");
    loaded->recorder = recorder;
  }
  std::uint32_t ring = 0;
  for (const UniqueFd &made : recorder->map_fds()) {
    const int fd = made.get();
    const int error = bpf_map__update_elem(map, &ring, sizeof ring, &fd, sizeof fd, 0);
    if (error != 0) {
      UnlinkRecorder();
      CloseRecorder();
      throw SystemError(-error, "bpf_map__update_elem",
                        "cannot give the object its ring buffers for records");
    }
    ++ring;
  }
}

std::size_t Session::DrainRecorder(std::uint8_t *target, std::size_t bytes) const {
  return GetRecorder()->Drain(target, bytes);
}

void Session::UnlinkRecorder() {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const bpf_map *map = FindMap(loaded->object.get(), kRecordsMap);
  const auto rings = static_cast<std::uint32_t>(GetRecorder()->map_fds().size());
  for (std::uint32_t ring = 0; ring < rings; ++ring) {
    const int error = bpf_map__delete_elem(map, &ring, sizeof ring, 0);
    if (error != 0 && error != -ENOENT)
      throw SystemError(-error, "bpf_map__delete_elem", "cannot take the ring buffers for records away");
  }
}

void Session::CloseRecorder() {
  const std::shared_ptr<Loaded> loaded = GetLoaded();
  const std::lock_guard guard(loaded_mutex_);
  loaded->recorder.reset();
}

} // namespace nodeland
