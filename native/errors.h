// errors.h: one exception for everything the operating system or libbpf refuses.
//
// The rest of native/ throws SystemError; the binding turns it into a JavaScript Error with
//   code     the errno's name, "EPERM"
//   errno    the errno, positive
//   syscall  what was called, "bpf_object__load"
//   log      for a refused load: the last lines of libbpf's log with the verifier's, else undefined
#pragma once

#include <stdexcept>
#include <string>

namespace nodeland {

class SystemError : public std::runtime_error {
public:
  // attempt says what was tried in the user's words ("cannot attach nodeland"), call is the function that
  // failed. hint, when there is one, says what to do; log is as above.
  SystemError(int errnum, std::string call, const std::string &attempt, const std::string &hint = {},
              std::string log = {});

  [[nodiscard]] int errnum() const noexcept { return errnum_; }
  [[nodiscard]] const std::string &call() const noexcept { return call_; }
  [[nodiscard]] const std::string &log() const noexcept { return log_; }

private:
  int errnum_;
  std::string call_;
  std::string log_;
};

// ErrnoName gives "EPERM" for EPERM, and "E524" for a number the C library has no name for.
[[nodiscard]] std::string ErrnoName(int errnum);

} // namespace nodeland
