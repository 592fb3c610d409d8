// struct_ops.h: the object's sched_ext_ops before it is loaded: which one is created, and its settings.
#pragma once

#include <bpf/libbpf.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nodeland {

struct OpsOptions {
  std::string map;                // the struct_ops map's name
  std::vector<std::string> flags; // SCX_OPS_* of the running kernel; "?NAME" is left out where it is unknown
  std::uint32_t timeout_ms = 0;   // watchdog; 0: the kernel's default, 30 s
  std::uint32_t exit_dump_len = 0;
  // The count of hotplug events the plan was made for: the kernel refuses to attach when it has changed.
  // Without it, the count at opening.
  std::optional<std::uint64_t> hotplug_seq;
};

// ConfigureOps writes the options into the map's initial value and leaves every other struct_ops map out.
// ENOENT for an unknown map, EOPNOTSUPP when the kernel has no sched_ext or not that flag.
void ConfigureOps(bpf_object *object, const OpsOptions &options);

// DisableOps leaves out all struct_ops maps and programs, so that the rest of the object loads on a kernel
// without sched_ext.
void DisableOps(bpf_object *object);

// AttachedScheduler is the name of the scheduler that is attached now, empty when there is none.
[[nodiscard]] std::string AttachedScheduler();

} // namespace nodeland
