// locking.h: keeps in memory what a scheduler's thread touches, without mlockall.
//
// Locked: file-backed mappings (node itself, its libraries, this addon), [heap], [stack], the stacks of
// threads that registered, and the parts of arenas in use. Large read-only data of files (node's own has 57
// MB) only as far as it was touched, and as it will be. Not locked: V8's anonymous memory and PROT_NONE
// areas. V8 gives pages back with mprotect and madvise under a CHECK, and madvise refuses locked memory, so
// that mlockall in any form kills the process when an isolate ends or code is freed. V8's heap is kept from
// faulting by fixed sizes and warm-up instead; what is left free in its 256 KiB pages is touched.
//
// All readable memory, V8's included, is also taken out of automatic NUMA balancing, whose hinting faults
// would stop a worker for as long as they last.
//
// Call it again after workers have started or code was loaded: it locks what has come since.
// All functions may be called from any thread.
#pragma once

#include "memory.h"

#include <string>
#include <vector>

namespace nodeland {

struct LockReport {
  std::size_t mappings = 0; // locked
  std::uint64_t bytes = 0;
  std::size_t refused = 0;         // mappings the kernel would not lock
  std::vector<std::string> errors; // why, one line each
};

// LockMemory raises RLIMIT_MEMLOCK where it may, then locks. `arenas` are the ranges of open sessions.
LockReport LockMemory(const std::vector<AddressRange> &arenas);
// UnlockMemory takes back everything LockMemory did. Nothing happens when nothing is locked.
void UnlockMemory();
// DisableTransparentHugepages: a huge page assembled under a worker stalls it. Holds for the whole process.
void DisableTransparentHugepages();

// ThreadStack makes the calling thread's stack known to LockMemory until it is destroyed, on the same thread.
class ThreadStack {
public:
  ThreadStack();
  ~ThreadStack();
  ThreadStack(const ThreadStack &) = delete;
  ThreadStack &operator=(const ThreadStack &) = delete;
};

} // namespace nodeland
