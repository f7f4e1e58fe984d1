// SPDX-License-Identifier: Apache-2.0
#include "services/redshift_data/shown.hpp"

#include <fmt/format.h>

#include "aws/redshift_data/errors.hpp"
#include "base/strings.hpp"

namespace tarn::redshift_data {
namespace {

template <class Out>
void give_part(const Part& part, Out& out) {
  out.query_string = part.sql;
  out.has_result_set = part.has_result;
  out.result_rows = part.rows;
  out.result_size = part.has_result ? part.bytes : -1;
  out.duration = part.duration_ns;
  if (!part.error.empty()) out.error = part.error;
  out.status = std::string(status_name(part.status));
  out.created_at = part.created;
  out.updated_at = part.updated;
}

}  // namespace

std::string_view status_name(Status status) {
  switch (status) {
    case Status::submitted: return "SUBMITTED";
    case Status::picked: return "PICKED";
    case Status::started: return "STARTED";
    case Status::finished: return "FINISHED";
    case Status::failed: return "FAILED";
    case Status::aborted: return "ABORTED";
  }
  return "FAILED";
}

std::size_t part_index(const StatementRecord& record, const std::string& id) {
  const auto colon = id.find(':');
  if (colon == std::string::npos) {
    if (!record.batch) return 0;
    // Of a batch the last result, as the whole's.
    for (std::size_t i = record.parts.size(); i-- > 0;) {
      if (record.parts[i].has_result) return i;
    }
    return record.parts.size() - 1;
  }
  const auto number = parse_int(id.substr(colon + 1));
  if (!number || *number < 1 || static_cast<std::size_t>(*number) > record.parts.size()) {
    throw ResourceNotFoundException("Query does not exist.");
  }
  return static_cast<std::size_t>(*number - 1);
}

DescribeStatementOutput shown(const StatementRecord& record, const std::string& id) {
  DescribeStatementOutput out;
  out.id = id;
  out.cluster_identifier = record.cluster;
  out.database = record.database;
  if (!record.db_user.empty()) out.db_user = record.db_user;
  if (!record.secret_arn.empty()) out.secret_arn = record.secret_arn;
  out.redshift_pid = record.process_id;
  out.redshift_query_id = 0;
  out.result_format = "json";
  if (!record.parameters.empty()) {
    out.query_parameters.emplace();
    for (const auto& [name, value] : record.parameters) {
      out.query_parameters->push_back({name, value});
    }
  }
  if (!record.batch || id.find(':') != std::string::npos) {
    give_part(record.parts[part_index(record, id)], out);
    if (!record.batch) out.status = std::string(status_name(record.status));
    if (!record.error.empty()) out.error = record.error;
    return out;
  }
  out.status = std::string(status_name(record.status));
  out.created_at = record.created;
  out.updated_at = record.updated;
  out.query_string = "";
  if (!record.error.empty()) out.error = record.error;
  out.has_result_set = false;
  out.result_rows = -1;
  out.result_size = -1;
  std::int64_t duration = 0;
  out.sub_statements.emplace();
  for (std::size_t i = 0; i < record.parts.size(); ++i) {
    const Part& part = record.parts[i];
    duration += part.duration_ns;
    if (part.has_result) {
      out.has_result_set = true;
      out.result_rows = part.rows;
      out.result_size = part.bytes;
    }
    SubStatementData& sub = out.sub_statements->emplace_back();
    sub.id = fmt::format("{}:{}", record.id, i + 1);
    give_part(part, sub);
    sub.redshift_query_id = 0;
  }
  out.duration = duration;
  return out;
}

StatementData shown_in_list(const StatementRecord& record) {
  StatementData out;
  out.id = record.id;
  out.is_batch_statement = record.batch;
  if (record.batch) {
    out.query_strings.emplace();
    for (const auto& part : record.parts) out.query_strings->push_back(part.sql);
  } else {
    out.query_string = record.parts.front().sql;
  }
  if (!record.secret_arn.empty()) out.secret_arn = record.secret_arn;
  if (!record.name.empty()) out.statement_name = record.name;
  out.status = std::string(status_name(record.status));
  out.created_at = record.created;
  out.updated_at = record.updated;
  out.result_format = "json";
  return out;
}

ResultColumn result_column(const sql::Column& column) {
  return {.name = column.name,
          .type_name = std::string(column.type.name()),
          .precision = column.type.precision(),
          .scale = column.type.scale(),
          .nullable = column.nullable};
}

std::vector<ColumnMetadata> shown_columns(const std::vector<ResultColumn>& columns) {
  std::vector<ColumnMetadata> list;
  for (const auto& column : columns) {
    ColumnMetadata& shown = list.emplace_back();
    const bool text =
        column.type_name == "varchar" || column.type_name == "bpchar" || column.type_name == "text";
    shown.name = column.name;
    shown.label = column.name;
    shown.type_name = column.type_name;
    shown.precision = column.precision;
    shown.scale = column.scale;
    shown.nullable = column.nullable ? 1 : 0;
    shown.is_case_sensitive = text;
    shown.is_currency = false;
    shown.is_signed = column.type_name.starts_with("int") ||
                      column.type_name.starts_with("float") || column.type_name == "numeric";
    shown.length = 0;
    shown.schema_name = "";
    shown.table_name = "";
  }
  return list;
}

Json row_json(const sql::RowBatch& batch, const std::vector<sql::Column>& columns,
              std::size_t row) {
  JsonArray values;
  values.reserve(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (batch.is_null(i, row)) {
      values.emplace_back(nullptr);
      continue;
    }
    switch (columns[i].type.oid) {
      case sql::oid::k_bool: values.emplace_back(batch.boolean(i, row)); continue;
      case sql::oid::k_int2:
      case sql::oid::k_int4:
      case sql::oid::k_int8:
      case sql::oid::k_oid: values.emplace_back(batch.integer(i, row)); continue;
      case sql::oid::k_float4:
      case sql::oid::k_float8: values.emplace_back(batch.real(i, row)); continue;
      default: break;
    }
    std::string text;
    batch.text(i, row, text);
    values.emplace_back(std::string_view(text));
  }
  return values;
}

std::vector<std::vector<Field>> read_rows(const std::string& rows_json) {
  std::vector<std::vector<Field>> rows;
  const Json all = parse_json(rows_json);
  for (const Json& row : all.as_array()) {
    auto& fields = rows.emplace_back();
    for (const Json& value : row.as_array()) {
      Field& field = fields.emplace_back();
      if (value.is_null()) {
        field.is_null = true;
      } else if (value.is_bool()) {
        field.boolean_value = value.get_bool();
      } else if (value.is_double()) {
        field.double_value = value.get_double();
      } else if (value.is_number()) {
        field.long_value = value.to_number<std::int64_t>();
      } else {
        field.string_value = std::string(json_text(value.get_string()));
      }
    }
  }
  return rows;
}

}  // namespace tarn::redshift_data
