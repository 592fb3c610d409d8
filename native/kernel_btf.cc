#include "kernel_btf.h"

#include "errors.h"
#include "log.h"

#include <bpf/btf.h>
#include <cerrno>
#include <memory>

namespace nodeland {
namespace {

struct BtfDeleter {
  void operator()(btf *object) const noexcept { btf__free(object); }
};
using UniqueBtf = std::unique_ptr<btf, BtfDeleter>;

const btf *KernelBtf() {
  static const UniqueBtf loaded = [] {
    const LogScope quiet(nullptr);
    btf *object = btf__load_vmlinux_btf();
    if (object == nullptr)
      throw SystemError(errno, "btf__load_vmlinux_btf", "cannot read the kernel's BTF",
                        "The kernel needs CONFIG_DEBUG_INFO_BTF");
    return UniqueBtf(object);
  }();
  return loaded.get();
}

std::optional<EnumValue> FindIn32(const btf *kernel, const btf_type *type, const std::string &name) {
  const auto *values = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    if (name != btf__name_by_offset(kernel, values[i].name_off))
      continue;
    if (btf_kflag(type))
      return EnumValue{static_cast<std::uint64_t>(std::int64_t{values[i].val}), true};
    return EnumValue{static_cast<std::uint32_t>(values[i].val), false};
  }
  return std::nullopt;
}

std::optional<EnumValue> FindIn64(const btf *kernel, const btf_type *type, const std::string &name) {
  const auto *values = btf_enum64(type);
  for (int i = 0; i < btf_vlen(type); ++i)
    if (name == btf__name_by_offset(kernel, values[i].name_off))
      return EnumValue{btf_enum64_value(&values[i]), btf_kflag(type)};
  return std::nullopt;
}

const btf_type *FindType(const btf *kernel, const std::string &name, std::uint32_t kind) {
  const int id = btf__find_by_name_kind(kernel, name.c_str(), kind);
  return id < 0 ? nullptr : btf__type_by_id(kernel, static_cast<std::uint32_t>(id));
}

} // namespace

std::optional<EnumValue> KernelEnumValue(const std::string &enum_name, const std::string &value_name) {
  const btf *kernel = KernelBtf();
  if (const btf_type *type = FindType(kernel, enum_name, BTF_KIND_ENUM64))
    return FindIn64(kernel, type, value_name);
  if (const btf_type *type = FindType(kernel, enum_name, BTF_KIND_ENUM))
    return FindIn32(kernel, type, value_name);
  return std::nullopt;
}

bool KernelHas(KernelType type, const std::string &name) {
  const btf *kernel = KernelBtf();
  switch (type) {
  case KernelType::kFunction:
    return FindType(kernel, name, BTF_KIND_FUNC) != nullptr;
  case KernelType::kStruct:
    return FindType(kernel, name, BTF_KIND_STRUCT) != nullptr;
  case KernelType::kEnum:
    return FindType(kernel, name, BTF_KIND_ENUM) != nullptr ||
           FindType(kernel, name, BTF_KIND_ENUM64) != nullptr;
  }
  return false;
}

bool KernelHasMember(const std::string &struct_name, const std::string &member) {
  const btf *kernel = KernelBtf();
  const btf_type *type = FindType(kernel, struct_name, BTF_KIND_STRUCT);
  if (type == nullptr)
    return false;
  const btf_member *members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); ++i)
    if (member == btf__name_by_offset(kernel, members[i].name_off))
      return true;
  return false;
}

} // namespace nodeland
