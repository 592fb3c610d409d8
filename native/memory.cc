#include "memory.h"

#include "errors.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <sys/mman.h>

namespace nodeland {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kAlignment = std::size_t{1} << 32;

// An address range nobody else in the process can take while it is held.
class Reservation {
public:
  explicit Reservation(std::size_t bytes)
      : bytes_(bytes),
        address_(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (address_ == MAP_FAILED)
      throw SystemError(errno, "mmap", "cannot reserve address space for the arena",
                        "It needs 8 GiB of addresses (not memory); look at ulimit -v");
  }
  // Whatever has been mapped over [kept, kept + kept_bytes) stays.
  void ReleaseAround(std::uintptr_t kept, std::size_t kept_bytes) noexcept {
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(address_);
    if (kept > begin)
      munmap(address_, kept - begin);
    if (begin + bytes_ > kept + kept_bytes)
      munmap(reinterpret_cast<void *>(kept + kept_bytes), begin + bytes_ - kept - kept_bytes);
    bytes_ = 0;
  }
  ~Reservation() {
    if (bytes_ != 0)
      munmap(address_, bytes_);
  }
  Reservation(const Reservation &) = delete;
  Reservation &operator=(const Reservation &) = delete;

  [[nodiscard]] std::uintptr_t AlignedBegin() const noexcept {
    return (reinterpret_cast<std::uintptr_t>(address_) + kAlignment - 1) & ~(kAlignment - 1);
  }

private:
  std::size_t bytes_;
  void *address_;
};

} // namespace

Arena::Arena(std::size_t bytes, std::uint32_t flags) : size_((bytes + kPageBytes - 1) & ~(kPageBytes - 1)) {
  if (size_ == 0 || size_ > kAlignment)
    throw SystemError(EINVAL, "bpf_map_create", "an arena has between 1 byte and 4 GiB");
  Reservation reservation(2 * kAlignment);
  const std::uintptr_t base = reservation.AlignedBegin();

  bpf_map_create_opts options{};
  options.sz = sizeof options;
  options.map_flags = flags;
  options.map_extra = base;
  fd_ = UniqueFd(bpf_map_create(kArenaMapType, "arena", 0, 0, pages(), &options));
  if (fd_.get() < 0)
    throw SystemError(errno, "bpf_map_create",
                      "cannot create the arena of " + std::to_string(size_) + " bytes",
                      errno == EPERM    ? "It needs CAP_BPF and CAP_PERFMON, or root"
                      : errno == EINVAL ? "BPF arenas need Linux 6.9 or later on x86-64 or arm64"
                                        : "");
  void *mapped = mmap(reinterpret_cast<void *>(base), size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                      fd_.get(), 0);
  if (mapped == MAP_FAILED)
    throw SystemError(errno, "mmap", "cannot map the arena");
  address_ = mapped;
  reservation.ReleaseAround(base, size_);
}

Arena::~Arena() {
  if (address_ != nullptr)
    munmap(address_, size_);
}

std::uint32_t Arena::pages() const noexcept { return static_cast<std::uint32_t>(size_ / kPageBytes); }

AddressRange Arena::used() const noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(address_);
  const std::size_t whole_pages = (used_.load() + kPageBytes - 1) & ~(kPageBytes - 1);
  return {begin, begin + whole_pages};
}

void Arena::NoteUse(std::size_t bytes) noexcept {
  std::size_t seen = used_.load();
  while (seen < bytes && !used_.compare_exchange_weak(seen, bytes)) {
  }
}

std::map<int, std::uint64_t> PagesByNode(AddressRange range) {
  std::map<int, std::uint64_t> pages;
  std::ifstream file("/proc/self/numa_maps");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::uintptr_t begin = 0;
    if (!(fields >> std::hex >> begin) || begin < range.begin || begin >= range.end)
      continue;
    for (std::string field; fields >> field;) {
      int node = 0;
      unsigned long long count = 0;
      if (std::sscanf(field.c_str(), "N%d=%llu", &node, &count) == 2)
        pages[node] += count;
    }
  }
  return pages;
}

std::vector<Mapping> OwnMappings() {
  std::vector<Mapping> mappings;
  std::ifstream file("/proc/self/maps");
  if (!file)
    throw SystemError(errno, "open", "cannot read /proc/self/maps");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Mapping mapping{};
    char dash = 0;
    std::string permissions, offset, device, inode;
    fields >> std::hex >> mapping.range.begin >> dash >> mapping.range.end >> permissions >> offset >>
        device >> inode >> std::ws;
    if (!fields && !fields.eof())
      continue;
    std::getline(fields, mapping.name);
    mapping.readable = permissions.substr(0, 1) == "r";
    mapping.writable = permissions.substr(1, 1) == "w";
    mapping.executable = permissions.substr(2, 1) == "x";
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

} // namespace nodeland
