// SPDX-License-Identifier: Apache-2.0
// Write locks on tables, above DuckDB: Redshift makes a second writer wait where DuckDB would fail
// at once. Held until the transaction ends; readers take none. A wait that would close a circle is
// refused with 40P01. Waiting owns no thread. Thread-safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "engines/sql/error.hpp"

namespace tarn::sql {

using LockOwner = std::int64_t;

class TableLocks {
 public:
  // Returns when `owner` holds all of `keys`; throws SqlError (deadlock, cancelled).
  Task<void> acquire(LockOwner owner, std::vector<std::string> keys);
  void release(LockOwner owner);
  // Ends the owner's wait, if it waits, with 57014.
  void cancel(LockOwner owner);

 private:
  struct Waiter {
    LockOwner owner;
    OneShot<void> granted;
  };
  struct Lock {
    LockOwner holder = 0;
    std::vector<Waiter> waiters;
  };
  bool would_deadlock(LockOwner owner, const std::string& key) const;

  std::mutex mutex_;
  std::map<std::string, Lock> locks_;
  std::map<LockOwner, std::set<std::string>> held_;
  std::map<LockOwner, std::string> waits_for_;
};

}  // namespace tarn::sql
