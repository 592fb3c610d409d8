#include "recorder.h"

#include "errors.h"

#include <linux/types.h>

#include "abi.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <cstring>

namespace nodeland {
namespace {

constexpr const char *kAttempt = "cannot make a ring buffer for records";
constexpr std::size_t kRecordBytes = sizeof(nl_record);

} // namespace

Recorder::Recorder(std::uint32_t rings, std::size_t ring_bytes) {
  for (std::uint32_t ring = 0; ring < rings; ++ring) {
    UniqueFd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "record_ring", 0, 0,
                                static_cast<std::uint32_t>(ring_bytes), nullptr));
    if (map.get() < 0)
      throw SystemError(errno, "bpf_map_create", kAttempt);
    if (buffers_ == nullptr) {
      buffers_.reset(ring_buffer__new(map.get(), Take, &target_, nullptr));
      if (buffers_ == nullptr)
        throw SystemError(errno, "ring_buffer__new", kAttempt);
    } else if (const int error = ring_buffer__add(buffers_.get(), map.get(), Take, &target_); error != 0) {
      throw SystemError(-error, "ring_buffer__add", kAttempt);
    }
    maps_.push_back(std::move(map));
  }
}

// What it returns below 0 ends the round; the record it was called with counts as taken.
int Recorder::Take(void *target, void *record, std::size_t bytes) {
  auto *const into = static_cast<Target *>(target);
  if (bytes != kRecordBytes)
    return 0;
  std::memcpy(into->at, record, kRecordBytes);
  into->at += kRecordBytes;
  into->left -= kRecordBytes;
  return into->left < kRecordBytes ? -ENOSPC : 0;
}

std::size_t Recorder::Drain(std::uint8_t *target, std::size_t bytes) {
  if (bytes < kRecordBytes)
    return 0;
  target_ = {target, bytes};
  const int taken = ring_buffer__consume(buffers_.get());
  const std::size_t written = bytes - target_.left;
  target_ = {};
  if (taken < 0 && taken != -ENOSPC)
    throw SystemError(-taken, "ring_buffer__consume", "cannot read records");
  return written;
}

} // namespace nodeland
