// SPDX-License-Identifier: Apache-2.0
// One database of a cluster: a DuckDB file that is opened with the first statement and closed when
// nobody used it for a while, so that an idle warehouse costs no memory. Thread-safe.
#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "engines/sql/engine.hpp"

namespace tarn::sql {

class Database {
 public:
  Database(std::string name, std::filesystem::path file, const WarehouseOptions& options)
      : name_(std::move(name)),
        file_(std::move(file)),
        options_(options) {}
  const std::string& name() const { return name_; }
  const std::filesystem::path& file() const { return file_; }

  // Keeps the file open while the returned pointer lives. `now`: Tarn's, in microseconds.
  std::shared_ptr<duckdb::DuckDB> open(std::int64_t now);
  bool is_open() const;
  // Closes it if nobody holds it and it was last used before `before` (microseconds).
  void close_if_idle(std::int64_t before);
  void touch(std::int64_t now) { last_used_ = now; }
  void close();

 private:
  std::shared_ptr<duckdb::DuckDB> create(std::int64_t now) const;

  const std::string name_;
  const std::filesystem::path file_;
  const WarehouseOptions& options_;
  mutable std::mutex mutex_;
  std::shared_ptr<duckdb::DuckDB> engine_;
  std::atomic<std::int64_t> last_used_{0};
};

}  // namespace tarn::sql
