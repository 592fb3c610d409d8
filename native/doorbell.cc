#include "doorbell.h"

#include "errors.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <cstdint>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace nodeland {
namespace {

constexpr const char *kAttempt = "cannot make a doorbell";

std::uint32_t PageBytes() { return static_cast<std::uint32_t>(sysconf(_SC_PAGESIZE)); }

int Checked(int result, const char *call) {
  if (result < 0)
    throw SystemError(errno, call, kAttempt);
  return result;
}

void Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  Checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

int CountRecord(void *, void *, std::size_t) { return 0; }

} // namespace

Doorbell::Doorbell()
    : map_(Checked(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "doorbell", 0, 0, PageBytes(), nullptr),
                   "bpf_map_create")),
      event_(Checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      epoll_(Checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      buffer_(ring_buffer__new(map_.get(), CountRecord, nullptr, nullptr)) {
  if (buffer_ == nullptr)
    throw SystemError(errno, "ring_buffer__new", kAttempt);
  Watch(epoll_.get(), map_.get());
  Watch(epoll_.get(), event_.get());
}

bool Doorbell::Consume() noexcept {
  std::uint64_t rings = 0;
  const bool event = read(event_.get(), &rings, sizeof rings) == sizeof rings;
  return ring_buffer__consume(buffer_.get()) > 0 || event;
}

bool Doorbell::Wait(int timeout_ms) {
  const std::unique_lock only(waiting_, std::try_to_lock);
  if (!only.owns_lock())
    throw SystemError(EBUSY, "epoll_wait", "another thread waits on this doorbell");
  if (Consume())
    return true;
  epoll_event events[2];
  const int ready = epoll_wait(epoll_.get(), events, 2, timeout_ms);
  if (ready < 0 && errno != EINTR)
    throw SystemError(errno, "epoll_wait", "cannot wait on the doorbell");
  return ready > 0 && Consume();
}

void Doorbell::Ring() noexcept {
  const std::uint64_t one = 1;
  // Full means that it rings already.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

} // namespace nodeland
