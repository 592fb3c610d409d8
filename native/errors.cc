#include "errors.h"

#include <cstring>
#include <utility>

namespace nodeland {
namespace {

// The kernel's own ENOTSUPP leaks out of bpf() but has no name in the C library.
constexpr int kKernelNotSupported = 524;

std::string Describe(int errnum, const std::string &call, const std::string &attempt, const std::string &hint,
                     const std::string &log) {
  const char *text = strerrordesc_np(errnum);
  std::string message = attempt + ": " + ErrnoName(errnum);
  if (text != nullptr)
    message += std::string(", ") + text;
  message += " (" + call + ")";
  if (!hint.empty())
    message += ". " + hint;
  if (!log.empty())
    message += "\n" + log;
  return message;
}

// The end of a verifier log says why; more than this belongs into `log` only.
std::string LastLines(const std::string &log, int count) {
  std::size_t at = log.size();
  for (; at > 0 && count > 0; --count) {
    const std::size_t newline = log.rfind('\n', at - 1);
    if (newline == std::string::npos)
      return log;
    at = newline;
  }
  return log.substr(at == 0 ? 0 : at + 1);
}

constexpr int kMessageLogLines = 12;

} // namespace

SystemError::SystemError(int errnum, std::string call, const std::string &attempt, const std::string &hint,
                         std::string log)
    : std::runtime_error(Describe(errnum, call, attempt, hint, LastLines(log, kMessageLogLines))),
      errnum_(errnum), call_(std::move(call)), log_(std::move(log)) {}

std::string ErrnoName(int errnum) {
  const char *name = strerrorname_np(errnum);
  if (name != nullptr)
    return name;
  return errnum == kKernelNotSupported ? "ENOTSUPP" : "E" + std::to_string(errnum);
}

} // namespace nodeland
