// fd.h: a file descriptor that is closed once.
#pragma once

#include <unistd.h>
#include <utility>

namespace nodeland {

class UniqueFd {
public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd &operator=(UniqueFd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  UniqueFd(const UniqueFd &) = delete;
  UniqueFd &operator=(const UniqueFd &) = delete;
  ~UniqueFd() {
    if (fd_ >= 0)
      close(fd_);
  }

  [[nodiscard]] int get() const noexcept { return fd_; }

private:
  int fd_ = -1;
};

} // namespace nodeland
