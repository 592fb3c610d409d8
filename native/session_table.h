// session_table.h: the process's sessions by number.
//
// One table for the process, not one per Node environment: the main thread opens a session and hands its
// number to the workers, which reach the same loaded object. Numbers start at 1 and are never used again. A
// Session that was closed while another thread is in a call is kept until that call ends.
#pragma once

#include "session.h"

#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace nodeland {

class SessionTable {
public:
  static SessionTable &Process();

  [[nodiscard]] int Add(std::shared_ptr<Session> session);
  // Get and Take throw SystemError (EBADF) for a number that is not open. Take forgets it.
  [[nodiscard]] std::shared_ptr<Session> Get(int id) const;
  [[nodiscard]] std::shared_ptr<Session> Take(int id);
  // Arenas of all loaded sessions.
  [[nodiscard]] std::vector<std::shared_ptr<Arena>> Arenas() const;

private:
  mutable std::mutex mutex_;
  std::map<int, std::shared_ptr<Session>> sessions_; // guarded by mutex_
  int last_ = 0;                                     // guarded by mutex_
};

} // namespace nodeland
