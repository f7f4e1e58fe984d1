// SPDX-License-Identifier: Apache-2.0
// The Data API's durable records: a statement with its parts, and its results page by page. Results
// and statements are kept for a day, as in AWS.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::redshift_data {

enum class Status : std::uint8_t { submitted, picked, started, finished, failed, aborted };

struct ResultColumn {
  std::string name, type_name;
  std::int32_t precision = 0, scale = 0;
  bool nullable = true;
  void fields(auto& f) { f(name, type_name, precision, scale, nullable); }
};

// One SQL statement: the only one of ExecuteStatement, or one of a batch.
struct Part {
  std::string sql, error;
  Status status = Status::submitted;
  Timestamp created{}, updated{};
  std::int64_t duration_ns = 0;
  std::int64_t rows = -1;  // returned or changed; -1: neither applies
  std::int64_t bytes = 0;  // of the result
  std::int32_t pages = 0;
  bool has_result = false;
  std::vector<ResultColumn> columns;
  void fields(auto& f) {
    f(sql, error, status, created, updated, duration_ns, rows, bytes, pages, has_result, columns);
  }
};

struct StatementRecord {
  static constexpr kernel::RecordKind k_kind{"redshift-data", "statement", 1};
  std::string id, cluster, database, secret_arn, db_user, session_user, name, client_token;
  std::string principal_arn;
  bool batch = false, with_event = false;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<Part> parts;
  Status status = Status::submitted;
  std::string error;
  Timestamp created{}, updated{};
  std::int32_t process_id = 0;
  bool cancel_requested = false;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) {
    f(id, cluster, database, secret_arn, db_user, session_user, name, client_token, principal_arn,
      batch, with_event, parameters, parts, status, error, created, updated, process_id,
      cancel_requested);
  }
};

// Which statement a ClientToken made: a repeat gets the same.
struct TokenRecord {
  static constexpr kernel::RecordKind k_kind{"redshift-data", "token", 1};
  std::string token, id;
  auto key() const { return kernel::Key(token); }
  void fields(auto& f) { f(token, id); }
};

// For listings: the newest first.
struct OrderRecord {
  static constexpr kernel::RecordKind k_kind{"redshift-data", "order", 1};
  std::int64_t negative_time = 0;
  std::string id;
  auto key() const { return kernel::Key(negative_time, id); }
  void fields(auto& f) { f(negative_time, id); }
};

// Rows as the API gives them: a list of lists of fields.
struct ResultPage {
  static constexpr kernel::RecordKind k_kind{"redshift-data", "page", 1, kernel::Family::events};
  std::string id;
  std::int32_t part = 0, page = 0;
  std::string rows_json;
  auto key() const { return kernel::Key(id, part, page); }
  void fields(auto& f) { f(id, part, page, rows_json); }
};

}  // namespace tarn::redshift_data
