// recorder.h: the ring buffers into which the BPF side puts what tasks do, while that is recorded
// (bpf/record.h).
//
// A Recorder is up to NL_RECORD_RINGS ring buffers. One thread at a time drains it; Drain never waits.
// Kernel 5.8 or later.
#pragma once

#include "fd.h"

#include <bpf/libbpf.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nodeland {

class Recorder {
public:
  // `ring_bytes` is a power of two of pages.
  Recorder(std::uint32_t rings, std::size_t ring_bytes);
  // The ring buffer maps, to be put into the object's map of them in this order.
  [[nodiscard]] const std::vector<UniqueFd> &map_fds() const noexcept { return maps_; }
  // Drain takes records, oldest of each ring first, as many as fit whole. Returns how many bytes it wrote.
  [[nodiscard]] std::size_t Drain(std::uint8_t *target, std::size_t bytes);

private:
  struct Target {
    std::uint8_t *at;
    std::size_t left;
  };
  struct RingBufferDeleter {
    void operator()(ring_buffer *buffer) const noexcept { ring_buffer__free(buffer); }
  };
  static int Take(void *target, void *record, std::size_t bytes);

  Target target_{};
  std::vector<UniqueFd> maps_;
  std::unique_ptr<ring_buffer, RingBufferDeleter> buffers_;
};

} // namespace nodeland
