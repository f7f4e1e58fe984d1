// SPDX-License-Identifier: Apache-2.0
// Records as the Data API shows them, and result rows as fields and back. Pure functions.
#pragma once
#include <string>

#include "aws/redshift_data/operations.hpp"
#include "engines/sql/warehouse.hpp"
#include "services/redshift_data/records.hpp"

namespace tarn::redshift_data {

std::string_view status_name(Status status);
// Which part "id" or "id:2" means; throws ResourceNotFoundException.
std::size_t part_index(const StatementRecord& record, const std::string& id);
DescribeStatementOutput shown(const StatementRecord& record, const std::string& id);
StatementData shown_in_list(const StatementRecord& record);
std::vector<ColumnMetadata> shown_columns(const std::vector<ResultColumn>& columns);
ResultColumn result_column(const sql::Column& column);

// One row as compact JSON: a list of null, true, 1, 1.5 or "text".
Json row_json(const sql::RowBatch& batch, const std::vector<sql::Column>& columns, std::size_t row);
std::vector<std::vector<Field>> read_rows(const std::string& rows_json);

template <class Out>
void give_submitted(const StatementRecord& record, Out& out) {
  out.id = record.id;
  out.created_at = record.created;
  out.cluster_identifier = record.cluster;
  out.database = record.database;
  if (!record.db_user.empty()) out.db_user = record.db_user;
  if (!record.secret_arn.empty()) out.secret_arn = record.secret_arn;
}

}  // namespace tarn::redshift_data
