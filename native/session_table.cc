#include "session_table.h"

#include "errors.h"

#include <cerrno>

namespace nodeland {
namespace {

[[noreturn]] void ThrowNotOpen(int id) {
  throw SystemError(EBADF, "session", "session " + std::to_string(id) + " is not open");
}

} // namespace

SessionTable &SessionTable::Process() {
  static SessionTable table;
  return table;
}

int SessionTable::Add(std::shared_ptr<Session> session) {
  const std::lock_guard guard(mutex_);
  sessions_[++last_] = std::move(session);
  return last_;
}

std::shared_ptr<Session> SessionTable::Get(int id) const {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end())
    ThrowNotOpen(id);
  return found->second;
}

std::shared_ptr<Session> SessionTable::Take(int id) {
  const std::lock_guard guard(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end())
    ThrowNotOpen(id);
  std::shared_ptr<Session> session = std::move(found->second);
  sessions_.erase(found);
  return session;
}

std::vector<std::shared_ptr<Arena>> SessionTable::Arenas() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::shared_ptr<Arena>> arenas;
  for (const auto &entry : sessions_)
    if (std::shared_ptr<Arena> arena = entry.second->FindArena())
      arenas.push_back(std::move(arena));
  return arenas;
}

} // namespace nodeland
