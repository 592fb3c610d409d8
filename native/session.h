// session.h: the life of one BPF object, from opening its file to closing it.
//
//   Open -> Load -> Attach -> Detach -> (Attach ...) -> Close
//
// A step out of order is a SystemError: Load twice EALREADY, Attach twice EALREADY, Detach without Attach
// ENOTCONN, anything that needs the loaded object before Load ENOTCONN. A refused Load cannot be repeated:
// Close and Open again.
//
// Threads. Every function may be called from any thread, and the same Session from several. The steps of its
// life exclude each other. Programs, doorbells and exit information take no lock that a step holds for long,
// so a worker never waits for an attach. Close while another thread runs a program or waits on a doorbell
// lets that call end; the object goes when it has. The arena's mapping lives on until its last ArrayBuffer
// (memory.h).
//
// Needs CAP_BPF and CAP_PERFMON to load, CAP_SYS_ADMIN on some kernels to attach; BTF in the kernel.
#pragma once

#include "doorbell.h"
#include "log.h"
#include "memory.h"
#include "recorder.h"
#include "struct_ops.h"

#include <linux/types.h>

#include "abi.h"

#include <array>
#include <bpf/libbpf.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace nodeland {

struct SessionOptions {
  std::string object_path;
  std::size_t arena_bytes = 0;
  // Without them the object's struct_ops are left out and its SYSCALL programs load on any kernel with BPF.
  std::optional<OpsOptions> ops;
  // Values for the object's `const volatile` variables. `arena_base`, where the object has it, is set by
  // Load.
  std::map<std::string, std::uint64_t> constants;
};

struct ObjectDeleter {
  void operator()(bpf_object *object) const noexcept { bpf_object__close(object); }
};
using UniqueObject = std::unique_ptr<bpf_object, ObjectDeleter>;

struct LinkDeleter {
  void operator()(bpf_link *link) const noexcept { bpf_link__destroy(link); }
};
using UniqueLink = std::unique_ptr<bpf_link, LinkDeleter>;

// Program is one SEC("syscall") program of a loaded object, which stays as long as the Program does. Any
// number of threads may Run it at once.
class Program {
public:
  Program(std::shared_ptr<const void> object, std::string name, int fd)
      : object_(std::move(object)), name_(std::move(name)), fd_(fd) {}
  // Run runs it on this thread. `context` is what the program gets and leaves (at most 64 KiB). Returns the
  // program's own result; a refused run is a SystemError.
  int Run(void *context, std::size_t bytes) const;

private:
  std::shared_ptr<const void> object_;
  std::string name_;
  int fd_;
};

class Session {
public:
  // Open reads the object's file; nothing reaches the kernel. ENOENT, or EINVAL for what is not a BPF object.
  static std::shared_ptr<Session> Open(SessionOptions options);
  explicit Session(SessionOptions options);

  // Load creates the maps and passes the programs through the verifier. Its errors carry the log's last
  // lines.
  void Load();
  // Attach makes the struct_ops map the machine's scheduler. EBUSY when there is another. ECANCELED when the
  // kernel let go of it while attaching (it failed to start, or a CPU came or went): ReadExit says why.
  void Attach();
  // Detach gives the machine back. It returns when the kernel has moved all tasks to its own scheduler.
  void Detach();
  // Close detaches if need be and lets go of the object.
  void Close();

  // GetArena throws when there is none; FindArena then returns nothing.
  [[nodiscard]] std::shared_ptr<Arena> GetArena() const;
  [[nodiscard]] std::shared_ptr<Arena> FindArena() const noexcept;
  // FindProgram finds a SEC("syscall") program. It can be run after Close, too: it holds the object.
  [[nodiscard]] Program FindProgram(const std::string &name) const;
  // ReadExit gives what the map exit_info holds, nothing while its kind is 0. Attach clears it.
  [[nodiscard]] std::unique_ptr<nl_exit> ReadExit() const;

  // CreateDoorbell makes the domain's doorbell and puts it into the map doorbells. EEXIST when it has one.
  void CreateDoorbell(std::uint32_t domain);
  [[nodiscard]] std::shared_ptr<Doorbell> GetDoorbell(std::uint32_t domain) const;

  // OpenRecorder makes the ring buffers and puts them into the map records. EEXIST when they are there.
  void OpenRecorder(std::uint32_t rings, std::size_t ring_bytes);
  // DrainRecorder takes what fits of what lies in them. ENOENT without OpenRecorder.
  [[nodiscard]] std::size_t DrainRecorder(std::uint8_t *target, std::size_t bytes) const;
  // UnlinkRecorder takes the ring buffers out of the map, and returns when no program has one in its hands:
  // what is drained after that is all there is. The kernel waits for that, a few milliseconds for each.
  void UnlinkRecorder();
  // CloseRecorder gives their memory back.
  void CloseRecorder();

private:
  // What outlives Close while calls of other threads are under way.
  struct Loaded {
    UniqueObject object;
    std::shared_ptr<Arena> arena;
    std::array<std::shared_ptr<Doorbell>, NL_MAX_DOMAINS> doorbells;
    std::shared_ptr<Recorder> recorder;
  };

  void PrepareArena();
  void SetConstants(const std::map<std::string, std::uint64_t> &constants, bool must_exist);
  [[nodiscard]] std::shared_ptr<Loaded> GetLoaded() const;
  [[nodiscard]] std::shared_ptr<Recorder> GetRecorder() const;
  void ClearExit(const Loaded &loaded);

  const SessionOptions options_;
  mutable std::mutex life_; // held through Load, Attach, Detach, Close
  Log log_;                 // guarded by life_
  UniqueObject opened_;     // until Load
  std::shared_ptr<Arena> arena_;
  UniqueLink link_;

  mutable std::mutex loaded_mutex_; // held for a moment only
  std::shared_ptr<Loaded> loaded_;  // guarded by loaded_mutex_, as are doorbells and recorder in it
};

} // namespace nodeland
