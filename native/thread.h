// thread.h: the calling thread: where it runs, what it is called, how it yields, what it faulted.
//
// Unless it takes a thread id, a function acts on the thread that calls it. All may be called from any
// thread. Failures are SystemError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nodeland {

// PinThread lets a thread (0: this one) run on these CPUs only. EINVAL when none of them is online and in its
// cpuset, ESRCH when there is no such thread.
void PinThread(const std::vector<int> &cpus, int tid = 0);
// ThreadAffinity lists the CPUs this thread may run on, ascending.
[[nodiscard]] std::vector<int> ThreadAffinity();
[[nodiscard]] int CurrentCpu();
// ThreadId is the kernel's number of this thread (gettid), the pid of BPF programs.
[[nodiscard]] int ThreadId() noexcept;
// SetThreadName sets the comm; the kernel keeps 15 bytes.
void SetThreadName(const std::string &name);
// SetSchedExt puts this thread into SCHED_EXT (policy 7), or back into SCHED_OTHER. EINVAL on a kernel
// without sched_ext. Needed only under a scheduler that takes SCHED_EXT tasks alone.
void SetSchedExt(bool on);

struct PageFaults {
  std::int64_t minor;
  std::int64_t major;
};
// ThreadPageFaults counts since the thread began (getrusage RUSAGE_THREAD).
[[nodiscard]] PageFaults ThreadPageFaults() noexcept;

// ScopedPin pins this thread to one CPU and puts its affinity back at the end.
class ScopedPin {
public:
  explicit ScopedPin(int cpu);
  ~ScopedPin();
  ScopedPin(const ScopedPin &) = delete;
  ScopedPin &operator=(const ScopedPin &) = delete;

private:
  std::vector<int> before_;
};

} // namespace nodeland
