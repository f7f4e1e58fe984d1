// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/locks.hpp"

#include <algorithm>

namespace tarn::sql {

Task<void> TableLocks::acquire(LockOwner owner, std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  for (const std::string& key : keys) {
    OneShot<void> granted;
    {
      std::lock_guard guard(mutex_);
      Lock& lock = locks_[key];
      if (lock.holder == owner) continue;
      if (lock.holder == 0) {
        lock.holder = owner;
        held_[owner].insert(key);
        continue;
      }
      if (would_deadlock(owner, key)) {
        throw SqlError(sqlstate::k_deadlock, "deadlock detected");
      }
      lock.waiters.push_back({owner, granted});
      waits_for_[owner] = key;
    }
    try {
      co_await granted;
    } catch (...) {
      std::lock_guard guard(mutex_);
      waits_for_.erase(owner);
      std::erase_if(locks_[key].waiters, [&](const Waiter& w) { return w.owner == owner; });
      throw;
    }
  }
}

// Follows holders of what is waited for; under the mutex.
bool TableLocks::would_deadlock(LockOwner owner, const std::string& key) const {
  std::string at = key;
  for (std::size_t steps = 0; steps <= waits_for_.size(); ++steps) {
    const auto lock = locks_.find(at);
    if (lock == locks_.end() || lock->second.holder == 0) return false;
    if (lock->second.holder == owner) return true;
    const auto next = waits_for_.find(lock->second.holder);
    if (next == waits_for_.end()) return false;
    at = next->second;
  }
  return true;
}

void TableLocks::release(LockOwner owner) {
  std::lock_guard guard(mutex_);
  const auto held = held_.find(owner);
  if (held == held_.end()) return;
  const std::set<std::string> keys = std::move(held->second);
  held_.erase(held);
  for (const std::string& key : keys) {
    Lock& lock = locks_[key];
    lock.holder = 0;
    while (!lock.waiters.empty() && lock.holder == 0) {
      const Waiter next = lock.waiters.front();
      lock.waiters.erase(lock.waiters.begin());
      waits_for_.erase(next.owner);
      if (!next.granted.set()) continue;  // it was cancelled meanwhile
      lock.holder = next.owner;
      held_[next.owner].insert(key);
    }
    if (lock.holder == 0) locks_.erase(key);
  }
}

void TableLocks::cancel(LockOwner owner) {
  std::lock_guard guard(mutex_);
  const auto waits = waits_for_.find(owner);
  if (waits == waits_for_.end()) return;
  for (const Waiter& waiter : locks_[waits->second].waiters) {
    if (waiter.owner != owner) continue;
    waiter.granted.set_error(std::make_exception_ptr(
        SqlError(sqlstate::k_query_canceled, "Query cancelled on user's request")));
  }
}

}  // namespace tarn::sql
