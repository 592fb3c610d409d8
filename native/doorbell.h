// doorbell.h: how a worker in wait mode `poll` sleeps until BPF or another thread wants it.
//
// A Doorbell is one 4 KiB BPF ring buffer, whose records only say "look", and an eventfd for the process's
// own threads. One thread at a time may Wait; Ring may be called from any thread. Kernel 5.8 or later.
#pragma once

#include "fd.h"

#include <bpf/libbpf.h>
#include <memory>
#include <mutex>

namespace nodeland {

class Doorbell {
public:
  Doorbell();
  // The ring buffer map, to be put into the object's map of doorbells.
  [[nodiscard]] int map_fd() const noexcept { return map_.get(); }
  // Wait blocks the thread until the doorbell rings (true) or timeout_ms has passed (false); -1 waits for
  // ever. Rings since the last Wait count. EBUSY when another thread waits already.
  [[nodiscard]] bool Wait(int timeout_ms);
  // Ring ends a Wait, or the next one when nobody waits.
  void Ring() noexcept;

private:
  struct RingBufferDeleter {
    void operator()(ring_buffer *buffer) const noexcept { ring_buffer__free(buffer); }
  };
  [[nodiscard]] bool Consume() noexcept;

  UniqueFd map_;
  UniqueFd event_;
  UniqueFd epoll_;
  std::unique_ptr<ring_buffer, RingBufferDeleter> buffer_;
  std::mutex waiting_;
};

} // namespace nodeland
