// kernel_btf.h: what the running kernel's BTF (/sys/kernel/btf/vmlinux) knows.
//
// Read once per process, then immutable: every function may be called from any thread. All throw SystemError
// (ENOENT) where the kernel offers no BTF. A lookup walks all types, some milliseconds: not for hot paths.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nodeland {

struct EnumValue {
  std::uint64_t bits;
  bool is_signed; // bits then hold a std::int64_t
};

// KernelEnumValue finds an enumerator of `enum enum_name`, 32 or 64 bits wide.
[[nodiscard]] std::optional<EnumValue> KernelEnumValue(const std::string &enum_name,
                                                       const std::string &value_name);

enum class KernelType { kFunction, kStruct, kEnum };

// KernelHas says whether the kernel has this function (kfuncs included), struct or enum.
[[nodiscard]] bool KernelHas(KernelType type, const std::string &name);

// KernelHasMember says whether `struct struct_name` exists and has such a member.
[[nodiscard]] bool KernelHasMember(const std::string &struct_name, const std::string &member);

} // namespace nodeland
