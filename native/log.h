// log.h: what libbpf and the verifier say, kept per session.
//
// libbpf has one log callback for the process. Calls into it are synchronous, so the callback finds the log
// of the session that is calling through a thread-local pointer, set by LogScope. Nothing is written to
// stderr.
#pragma once

#include <deque>
#include <string>

namespace nodeland {

class Log {
public:
  void Append(const std::string &text);
  void Clear() { lines_.clear(); }
  // Tail returns the last `lines` lines, joined with newlines.
  [[nodiscard]] std::string Tail(std::size_t lines) const;

private:
  std::deque<std::string> lines_;
};

// LogScope sends this thread's libbpf messages to `log` until it ends. Scopes nest.
class LogScope {
public:
  explicit LogScope(Log *log) noexcept;
  ~LogScope();
  LogScope(const LogScope &) = delete;
  LogScope &operator=(const LogScope &) = delete;

private:
  Log *outer_;
};

} // namespace nodeland
