// SPDX-License-Identifier: Apache-2.0
// A result that streams: rows are computed as they are asked for. When the session goes on to
// another statement, the rest is kept in memory first (DuckDB has one open stream a connection).
#pragma once
#include "engines/sql/session.hpp"

namespace tarn::sql {

class ResultImpl : public Result, public std::enable_shared_from_this<ResultImpl> {
 public:
  ResultImpl(std::shared_ptr<SessionImpl> session, Answer answer);
  const std::vector<Column>& columns() const override { return answer_.columns; }
  Task<RowBatchPtr> next() override;
  std::int64_t row_count() const override { return answer_.count; }
  std::string command_tag() const override;
  std::vector<std::string> notices() const override { return answer_.notices; }

  // On the query pool: reads the rest into memory.
  void detach();

 private:
  RowBatchPtr fetch();

  std::shared_ptr<SessionImpl> session_;
  Answer answer_;
  std::vector<ColumnType> types_;
  std::deque<duckdb::unique_ptr<duckdb::DataChunk>> kept_;
};

}  // namespace tarn::sql
