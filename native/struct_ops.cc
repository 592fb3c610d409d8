#include "struct_ops.h"

#include "errors.h"
#include "kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace nodeland {
namespace {

constexpr const char *kOpsType = "sched_ext_ops";

// The bytes of one struct_ops map before load, and the object's own BTF, which says what lies where in them.
class OpsImage {
public:
  OpsImage(const bpf_object *object, const bpf_map *map) : btf_(bpf_object__btf(object)) {
    std::size_t bytes = 0;
    image_ = static_cast<char *>(bpf_map__initial_value(map, &bytes));
    const int id = btf_ == nullptr ? -ENOENT : btf__find_by_name_kind(btf_, kOpsType, BTF_KIND_STRUCT);
    type_ = id < 0 ? nullptr : btf__type_by_id(btf_, static_cast<std::uint32_t>(id));
    if (image_ == nullptr || type_ == nullptr || type_->size > bytes)
      throw SystemError(EINVAL, "bpf_map__initial_value",
                        std::string("map ") + bpf_map__name(map) + " is not a struct sched_ext_ops");
  }

  void Set(const char *member, std::uint64_t value) {
    const btf_member *members = btf_members(type_);
    for (int i = 0; i < btf_vlen(type_); ++i) {
      if (std::strcmp(btf__name_by_offset(btf_, members[i].name_off), member) != 0)
        continue;
      const std::int64_t bytes = btf__resolve_size(btf_, members[i].type);
      if (bytes != 4 && bytes != 8)
        break;
      // Little-endian (x86-64, arm64): the low bytes come first.
      std::memcpy(image_ + btf_member_bit_offset(type_, static_cast<std::uint32_t>(i)) / 8, &value,
                  static_cast<std::size_t>(bytes));
      return;
    }
    throw SystemError(ENOENT, "btf__find_by_name_kind",
                      std::string("the object's struct sched_ext_ops has no number named ") + member);
  }

private:
  const btf *btf_;
  char *image_;
  const btf_type *type_;
};

std::uint64_t ResolveFlags(const std::vector<std::string> &names) {
  std::uint64_t flags = 0;
  for (const std::string &name : names) {
    const bool optional = name.rfind('?', 0) == 0;
    const std::string bare = optional ? name.substr(1) : name;
    if (const auto value = KernelEnumValue("scx_ops_flags", bare))
      flags |= value->bits;
    else if (!optional)
      throw SystemError(EOPNOTSUPP, "btf__find_by_name_kind", "this kernel's sched_ext has no flag " + bare);
  }
  return flags;
}

std::uint64_t HotplugSequence() {
  std::ifstream file("/sys/kernel/sched_ext/hotplug_seq");
  std::uint64_t sequence = 0;
  file >> sequence;
  return file ? sequence : 0;
}

bool IsOpsMap(const bpf_map *map) { return bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS; }

} // namespace

void ConfigureOps(bpf_object *object, const OpsOptions &options) {
  if (!KernelHas(KernelType::kStruct, kOpsType))
    throw SystemError(EOPNOTSUPP, "btf__find_by_name_kind", "this kernel has no sched_ext",
                      "It needs CONFIG_SCHED_CLASS_EXT; Debian's kernels have it from 6.16 on");
  const bpf_map *chosen = nullptr;
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!IsOpsMap(map))
      continue;
    if (options.map == bpf_map__name(map))
      chosen = map;
    else
      bpf_map__set_autocreate(map, false);
  }
  if (chosen == nullptr)
    throw SystemError(ENOENT, "bpf_object__find_map_by_name",
                      "the object has no struct_ops map " + options.map);

  OpsImage image(object, chosen);
  image.Set("flags", ResolveFlags(options.flags));
  image.Set("timeout_ms", options.timeout_ms);
  image.Set("exit_dump_len", options.exit_dump_len);
  if (KernelHasMember(kOpsType, "hotplug_seq"))
    image.Set("hotplug_seq", options.hotplug_seq.value_or(HotplugSequence()));
}

void DisableOps(bpf_object *object) {
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (IsOpsMap(map))
      bpf_map__set_autocreate(map, false);
  }
  bpf_program *program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
      bpf_program__set_autoload(program, false);
  }
}

std::string AttachedScheduler() {
  std::ifstream file("/sys/kernel/sched_ext/root/ops");
  std::string name;
  std::getline(file, name);
  return name;
}

} // namespace nodeland
