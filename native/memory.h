// memory.h: the BPF arena as this process sees it.
//
// Ownership. An Arena is the map's fd and its one mapping. It is shared by its session and by every
// JavaScript ArrayBuffer over it, and is unmapped when the last of them is gone. A session that is closed, or
// a worker that ends, therefore never pulls memory away from under another thread; memory whose ArrayBuffers
// are never collected lives as long as the process.
#pragma once

#include "fd.h"

#include <atomic>
#include <bpf/bpf.h>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nodeland {

// A range of this process's address space: begin <= address < end.
struct AddressRange {
  std::uintptr_t begin;
  std::uintptr_t end;
  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
};

// BPF_MAP_TYPE_ARENA, which the kernel headers of Debian 12 do not name yet.
constexpr auto kArenaMapType = static_cast<bpf_map_type>(33);

class Arena {
public:
  // Creates the map (kernel 6.9 or later, CAP_BPF) of `bytes` rounded up to pages, at most 4 GiB, and maps it
  // at an address whose low 32 bits are 0: an offset into the arena is then the low half of both the kernel's
  // and the process's pointer. `flags` are the map's flags as the object declares them.
  Arena(std::size_t bytes, std::uint32_t flags);
  ~Arena();
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] void *address() const noexcept { return address_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint32_t pages() const noexcept;

  // The part from the start that somebody looks at. Touching a page of the arena that the BPF side has not
  // allocated allocates it, on whatever node; so only this part is ever locked.
  [[nodiscard]] AddressRange used() const noexcept;
  void NoteUse(std::size_t bytes) noexcept;

private:
  std::size_t size_;
  UniqueFd fd_;
  void *address_ = nullptr;
  std::atomic<std::size_t> used_{0};
};

// PagesByNode counts the present pages of the mappings that begin in `range`, by NUMA node, from
// /proc/self/numa_maps. Empty on a kernel without NUMA, which lacks that file.
[[nodiscard]] std::map<int, std::uint64_t> PagesByNode(AddressRange range);

// One line of /proc/self/maps.
struct Mapping {
  AddressRange range;
  bool readable;
  bool writable;
  bool executable;
  std::string name; // path, [heap], or empty for anonymous memory
};
[[nodiscard]] std::vector<Mapping> OwnMappings();

} // namespace nodeland
