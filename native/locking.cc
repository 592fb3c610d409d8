#include "locking.h"

#include "errors.h"
#include "thread.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/mempolicy.h>
#include <map>
#include <mutex>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nodeland {
namespace {

std::mutex mutex;
std::map<int, AddressRange> stacks;              // by thread id; guarded by mutex
std::map<std::uintptr_t, std::uintptr_t> locked; // begin to end; guarded by mutex
constexpr std::size_t kMaxErrors = 8;
// Of larger read-only mappings of files (node's data: locales, sources, the snapshot) most is never read.
constexpr std::size_t kMaxReadOnlyBytes = 4 << 20;
// V8's pages have 256 KiB; its larger ones hold one array each, which was filled.
constexpr std::size_t kMaxHeapPageBytes = 512 << 10;

AddressRange OwnStack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0)
    return {0, 0};
  void *begin = nullptr;
  std::size_t bytes = 0;
  pthread_attr_getstack(&attributes, &begin, &bytes);
  pthread_attr_destroy(&attributes);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  return {address, address + bytes};
}

void RaiseLimit() {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
    return;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &limit);
  }
}

bool IsAnonymous(const Mapping &mapping) { return mapping.name.empty(); }

// A file with a path. Maps of BPF, io_uring and the like are "anon_inode:..." and go by their own rules; a
// memfd or a device is somebody else's.
bool IsFile(const Mapping &mapping) {
  const auto begins = [&](const char *prefix) { return mapping.name.rfind(prefix, 0) == 0; };
  return begins("/") && !begins("/memfd:") && !begins("/dev/") && !begins("/SYSV");
}

bool IsLargeData(const Mapping &mapping) {
  return IsFile(mapping) && !mapping.writable && !mapping.executable &&
         mapping.range.size() > kMaxReadOnlyBytes;
}

// All its pages, or those it has and will have (as_touched). A range that was locked before has its pages:
// walking them all again would stop this thread for long. Were it another mapping by now, its pages would be
// locked as they are touched.
void LockRange(AddressRange range, const std::string &name, LockReport &report, bool as_touched = false) {
  const auto known = locked.find(range.begin);
  const bool is_known = known != locked.end() && known->second >= range.end;
  const unsigned flags = is_known || as_touched ? MLOCK_ONFAULT : 0;
  if (mlock2(reinterpret_cast<void *>(range.begin), range.size(), flags) == 0) {
    ++report.mappings;
    report.bytes += range.size();
    locked[range.begin] = range.end;
    return;
  }
  const int error = errno;
  // A half-locked mapping must not stay behind.
  munlock(reinterpret_cast<void *>(range.begin), range.size());
  ++report.refused;
  if (report.errors.size() < kMaxErrors)
    report.errors.push_back((name.empty() ? "anonymous" : name) + " (" + std::to_string(range.size()) +
                            " bytes): " + ErrnoName(error) + ", " + std::strerror(error));
}

// Automatic NUMA balancing takes pages away for a moment to see who touches them; a worker would fault on
// each. It leaves memory with a policy of its own alone. "Local" is what the memory had anyway. Refused: no
// harm.
void KeepFromBalancing(const Mapping &mapping) {
#ifdef SYS_mbind
  syscall(SYS_mbind, mapping.range.begin, mapping.range.size(), MPOL_LOCAL, nullptr, 0UL, 0U);
#else
  (void)mapping;
#endif
}

// V8's memory may lie right beside a stack and be one mapping with it: only the stack's own bytes are locked.
void LockStacks(const Mapping &mapping, LockReport &report) {
  for (const auto &[thread, stack] : stacks) {
    const AddressRange part{std::max(stack.begin, mapping.range.begin),
                            std::min(stack.end, mapping.range.end)};
    if (part.begin < part.end)
      LockRange(part, "stack of thread " + std::to_string(thread), report);
  }
}

// A page of V8's heap or code, which it grows into little by little: code that it compiles late would fault
// on it. Larger mappings are stacks, or areas of malloc. Not locked, so V8 may give it back. Refused (before
// Linux 5.14): a fault later, counted like any other.
void TouchHeapPages() {
  for (const Mapping &mapping : OwnMappings())
    if (IsAnonymous(mapping) && mapping.writable && mapping.range.size() <= kMaxHeapPageBytes)
      madvise(reinterpret_cast<void *>(mapping.range.begin), mapping.range.size(), MADV_POPULATE_WRITE);
}

} // namespace

LockReport LockMemory(const std::vector<AddressRange> &arenas) {
  const std::lock_guard guard(mutex);
  RaiseLimit();
  LockReport report;
  for (const Mapping &mapping : OwnMappings()) {
    if (!mapping.readable)
      continue;
    KeepFromBalancing(mapping);
    if (IsFile(mapping) || mapping.name == "[heap]" || mapping.name == "[stack]")
      LockRange(mapping.range, mapping.name, report, IsLargeData(mapping));
    else if (IsAnonymous(mapping) && mapping.writable)
      LockStacks(mapping, report);
  }
  for (const AddressRange &arena : arenas)
    if (arena.size() > 0)
      LockRange(arena, "arena", report);
  TouchHeapPages();
  return report;
}

void UnlockMemory() {
  const std::lock_guard guard(mutex);
  for (const auto &[begin, end] : locked)
    munlock(reinterpret_cast<void *>(begin), end - begin); // gone meanwhile: refused, which is as well
  locked.clear();
}

void DisableTransparentHugepages() {
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
    throw SystemError(errno, "prctl(PR_SET_THP_DISABLE)", "cannot turn transparent huge pages off");
}

ThreadStack::ThreadStack() {
  if (gettid() == getpid())
    return; // [stack] in /proc/self/maps; what pthread says of it is its limit
  const AddressRange own = OwnStack();
  const std::lock_guard guard(mutex);
  stacks[ThreadId()] = own;
}

ThreadStack::~ThreadStack() {
  const std::lock_guard guard(mutex);
  const auto own = stacks.find(ThreadId());
  if (own == stacks.end())
    return;
  // The C library keeps stacks of ended threads for new ones and gives their pages back: not while locked.
  munlock(reinterpret_cast<void *>(own->second.begin), own->second.size());
  locked.erase(own->second.begin);
  stacks.erase(own);
}

} // namespace nodeland
