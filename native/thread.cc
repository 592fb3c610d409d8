#include "thread.h"

#include "errors.h"

#include <algorithm>
#include <cerrno>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace nodeland {
namespace {

constexpr int kSchedExtPolicy = 7;

// A cpu_set_t of any size; vector keeps it aligned and frees it.
class CpuSet {
public:
  explicit CpuSet(int nr_cpus) : sets_(static_cast<std::size_t>(nr_cpus) / CPU_SETSIZE + 1) {}

  [[nodiscard]] cpu_set_t *get() noexcept { return sets_.data(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return sets_.size() * sizeof(cpu_set_t); }
  [[nodiscard]] int limit() const noexcept { return static_cast<int>(bytes() * 8); }

private:
  std::vector<cpu_set_t> sets_;
};

} // namespace

void PinThread(const std::vector<int> &cpus, int tid) {
  const int highest = cpus.empty() ? 0 : *std::max_element(cpus.begin(), cpus.end());
  CpuSet set(highest);
  for (const int cpu : cpus)
    CPU_SET_S(static_cast<std::size_t>(cpu), set.bytes(), set.get());
  if (sched_setaffinity(tid, set.bytes(), set.get()) == 0)
    return;
  const int error = errno;
  std::string list;
  for (const int cpu : cpus)
    list += (list.empty() ? "" : ",") + std::to_string(cpu);
  throw SystemError(error, "sched_setaffinity",
                    "cannot pin " + (tid == 0 ? "this thread" : "thread " + std::to_string(tid)) +
                        " to CPU " + list,
                    error == EINVAL ? "None of them is online and allowed for this process" : "");
}

std::vector<int> ThreadAffinity() {
  // The kernel refuses a set smaller than its own: double it.
  for (int nr_cpus = CPU_SETSIZE - 1;; nr_cpus = nr_cpus * 2 + 1) {
    CpuSet set(nr_cpus);
    if (sched_getaffinity(0, set.bytes(), set.get()) == 0) {
      std::vector<int> cpus;
      for (int cpu = 0; cpu < set.limit(); ++cpu)
        if (CPU_ISSET_S(static_cast<std::size_t>(cpu), set.bytes(), set.get()))
          cpus.push_back(cpu);
      return cpus;
    }
    if (errno != EINVAL || nr_cpus > (1 << 20))
      throw SystemError(errno, "sched_getaffinity", "cannot read this thread's affinity");
  }
}

int CurrentCpu() {
  const int cpu = sched_getcpu();
  if (cpu < 0)
    throw SystemError(errno, "sched_getcpu", "cannot tell the current CPU");
  return cpu;
}

int ThreadId() noexcept { return gettid(); }

void SetThreadName(const std::string &name) {
  if (prctl(PR_SET_NAME, name.c_str(), 0, 0, 0) != 0)
    throw SystemError(errno, "prctl(PR_SET_NAME)", "cannot name this thread " + name);
}

void SetSchedExt(bool on) {
  const sched_param parameter{};
  if (sched_setscheduler(0, on ? kSchedExtPolicy : SCHED_OTHER, &parameter) == 0)
    return;
  throw SystemError(errno, "sched_setscheduler",
                    on ? "cannot put this thread into SCHED_EXT" : "cannot put this thread into SCHED_OTHER",
                    on && errno == EINVAL ? "This kernel has no sched_ext" : "");
}

PageFaults ThreadPageFaults() noexcept {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return {usage.ru_minflt, usage.ru_majflt};
}

ScopedPin::ScopedPin(int cpu) : before_(ThreadAffinity()) { PinThread({cpu}); }

ScopedPin::~ScopedPin() {
  try {
    PinThread(before_);
  } catch (const SystemError &) {
    // The CPUs of before went offline meanwhile; the kernel has widened the affinity itself.
  }
}

} // namespace nodeland
