// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/database.hpp"

#include "base/log.hpp"
#include "base/strings.hpp"
#include "duckdb/main/config.hpp"

namespace tarn::sql {

namespace {

constexpr int k_format = 1;

void must(duckdb::Connection& connection, const std::string& sql) {
  const auto result = connection.Query(sql);
  if (result->HasError()) {
    throw SqlError(sqlstate::k_internal, "cannot open the database: " + result->GetError());
  }
}

// See docs/formats/warehouse.md.
void check_format(duckdb::Connection& connection, const std::string& database) {
  const std::string table = database + ".tarn.format";
  must(connection, "CREATE TABLE IF NOT EXISTS " + table + " (version INTEGER)");
  const auto stored = connection.Query("SELECT max(version) FROM " + table);
  if (stored->HasError()) throw SqlError(sqlstate::k_internal, stored->GetError());
  const auto version = stored->GetValue(0, 0);
  if (version.IsNull()) {
    must(connection, "INSERT INTO " + table + " VALUES (" + std::to_string(k_format) + ")");
  } else if (version.GetValue<int>() > k_format) {
    throw SqlError(sqlstate::k_internal, "the database was written by a newer Tarn (format " +
                                             version.ToString() + ", this one reads up to " +
                                             std::to_string(k_format) +
                                             "): use that version again");
  }
}

// Nobody asks for an effect this old any more, and STL tables keep a week. By Tarn's clock, which
// wrote the times.
void forget_old(duckdb::Connection& connection, const std::string& database, std::int64_t now) {
  constexpr std::int64_t k_day_micros = 24ll * 3600 * 1'000'000;
  must(connection, "DELETE FROM " + database + ".tarn.applied WHERE epoch_us(applied_at) < " +
                       std::to_string(now - 30 * k_day_micros));
  must(connection, "DELETE FROM " + database + ".tarn.load_errors WHERE epoch_us(started_at) < " +
                       std::to_string(now - 7 * k_day_micros));
}

}  // namespace

std::shared_ptr<duckdb::DuckDB> Database::create(std::int64_t now) const {
  std::filesystem::create_directories(file_.parent_path());
  duckdb::DBConfig config;
  config.SetOptionByName("threads", duckdb::Value::INTEGER(std::max(1, options_.threads)));
  config.SetOptionByName("memory_limit",
                         duckdb::Value(std::to_string(options_.memory_bytes_max) + "B"));
  config.SetOptionByName("temp_directory", duckdb::Value((file_.parent_path() / "spill").string()));
  config.SetOptionByName("autoinstall_known_extensions", duckdb::Value::BOOLEAN(false));
  config.SetOptionByName("autoload_known_extensions", duckdb::Value::BOOLEAN(false));
  auto engine = std::make_shared<duckdb::DuckDB>(nullptr, &config);
  auto& instance = *engine->instance;
  // A table name that is no table must never become a file of this machine.
  duckdb::DBConfig::GetConfig(instance).replacement_scans.clear();
  engine->GetFileSystem().RegisterSubSystem(make_object_files(options_.objects));
  register_functions(instance);  // before the file: its checks and defaults call them
  duckdb::Connection connection(*engine);
  const std::string name = quote_identifier(name_);
  must(connection, "ATTACH " + quote_literal(file_.string()) + " AS " + name);
  must(connection, "ATTACH ':memory:' AS tarn_system");
  must(connection, "CREATE SCHEMA IF NOT EXISTS " + name + ".public");
  must(connection, "CREATE SCHEMA IF NOT EXISTS " + name + ".tarn");
  must(connection, "CREATE TABLE IF NOT EXISTS " + name +
                       ".tarn.applied (effect_id VARCHAR, answer VARCHAR, applied_at TIMESTAMP)");
  must(connection, "CREATE TABLE IF NOT EXISTS " + name +
                       ".tarn.grants (text VARCHAR, by_user VARCHAR, granted_at TIMESTAMP)");
  must(connection, "CREATE TABLE IF NOT EXISTS " + name +
                       ".tarn.load_errors (relation BIGINT, started_at TIMESTAMP, process INTEGER, "
                       "file VARCHAR, line BIGINT, raw_line VARCHAR, reason VARCHAR)");
  check_format(connection, name);
  forget_old(connection, name, now);
  std::string script = replace_all(catalog_script(), "{db}", replace_all(name_, "'", "''"));
  script = replace_all(script, "{user}", replace_all(options_.admin_user, "'", "''"));
  must(connection, script);
  must(connection, "SET GLOBAL errors_as_json = true");  // which keeps errors' positions
  must(connection, "SET GLOBAL integer_division = true");
  must(connection, "SET GLOBAL TimeZone = 'UTC'");
  log::debug("sql", "opened {}", file_.string());
  return engine;
}

std::shared_ptr<duckdb::DuckDB> Database::open(std::int64_t now) {
  std::lock_guard lock(mutex_);
  if (!engine_) {
    try {
      engine_ = create(now);
    } catch (const duckdb::Exception&) {
      rethrow_translated(nullptr);
    }
  }
  return engine_;
}

bool Database::is_open() const {
  std::lock_guard lock(mutex_);
  return engine_ != nullptr;
}

void Database::close_if_idle(std::int64_t before) {
  std::lock_guard lock(mutex_);
  if (engine_ && engine_.use_count() == 1 && last_used_ <= before) engine_.reset();
}

void Database::close() {
  std::lock_guard lock(mutex_);
  engine_.reset();
}

}  // namespace tarn::sql
