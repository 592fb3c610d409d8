#include "log.h"

#include <bpf/libbpf.h>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace nodeland {
namespace {

constexpr std::size_t kMaxLines = 200;

thread_local Log *current_log = nullptr;

int Print(libbpf_print_level level, const char *format, va_list arguments) {
  if (current_log == nullptr || level == LIBBPF_DEBUG)
    return 0;
  va_list measured;
  va_copy(measured, arguments);
  const int length = vsnprintf(nullptr, 0, format, measured);
  va_end(measured);
  if (length <= 0)
    return length;
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  current_log->Append(text);
  return length;
}

} // namespace

void Log::Append(const std::string &text) {
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos)
      end = text.size();
    if (end > begin)
      lines_.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  while (lines_.size() > kMaxLines)
    lines_.pop_front();
}

std::string Log::Tail(std::size_t lines) const {
  std::string text;
  for (std::size_t i = lines_.size() > lines ? lines_.size() - lines : 0; i < lines_.size(); ++i)
    text += (text.empty() ? "" : "\n") + lines_[i];
  return text;
}

LogScope::LogScope(Log *log) noexcept : outer_(current_log) {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(Print); });
  current_log = log;
}

LogScope::~LogScope() { current_log = outer_; }

} // namespace nodeland
