// SPDX-License-Identifier: Apache-2.0
// COPY and UNLOAD. COPY lists the prefix (or reads the manifest) under the statement's identity,
// then loads all objects in one INSERT … SELECT, so that it is all or nothing and part of the
// transaction. Columns match by position (JSON: by name), as in Redshift.
#include <fmt/format.h>
#include <re2/re2.h>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/parsed_data/copy_info.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/statement/copy_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/subqueryref.hpp"
#include "engines/sql/session.hpp"

namespace tarn::sql {

namespace {

// Puts the statement's identity where the file system finds it, for one scope.
class IdentityScope {
 public:
  IdentityScope(SessionFacts& facts, ObjectIdentity identity) : facts_(facts) {
    std::lock_guard lock(facts_.identity_mutex);
    facts_.identity = std::move(identity);
  }
  ~IdentityScope() {
    std::lock_guard lock(facts_.identity_mutex);
    facts_.identity = {};
  }
  IdentityScope(const IdentityScope&) = delete;
  IdentityScope& operator=(const IdentityScope&) = delete;

 private:
  SessionFacts& facts_;
};

template <class T>
ObjectIdentity identity_of(const T& statement, const SessionOptions& options) {
  ObjectIdentity identity;
  identity.session_principal = options.principal_arn;
  identity.cluster_id = options.cluster_id;
  identity.role_arn = statement.default_role ? options.default_role_arn : statement.role_arn;
  if (statement.default_role && identity.role_arn.empty()) {
    throw SqlError(sqlstate::k_invalid_parameter_value,
                   "Default IAM role is not set for the cluster");
  }
  if (!identity.role_arn.empty() && options.role_arns &&
      std::find(options.role_arns->begin(), options.role_arns->end(), identity.role_arn) ==
          options.role_arns->end()) {
    throw SqlError(sqlstate::k_internal, "User " + options.principal_arn +
                                             " is not authorized to assume IAM Role " +
                                             identity.role_arn);
  }
  identity.access_key_id = statement.access_key_id;
  identity.secret_access_key = statement.secret_access_key;
  identity.session_token = statement.session_token;
  return identity;
}

[[noreturn]] void object_failure(const ObjectError& error) {
  throw SqlError(
      error.code == "AccessDenied" ? sqlstate::k_insufficient_privilege : sqlstate::k_internal,
      "S3ServiceException:" + std::string(error.what()) + ",Status " +
          std::to_string(error.status) + ",Error " + error.code);
}

std::string read_whole(ObjectReader& reader) {
  constexpr std::uint64_t k_manifest_bytes_max = 16 * 1024 * 1024;
  if (reader.info().size > k_manifest_bytes_max) {
    throw SqlError(sqlstate::k_invalid_parameter_value, "the manifest is too large");
  }
  std::string text(reader.info().size, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const std::size_t n = reader.read_at(done, text.data() + done, text.size() - done);
    if (n == 0) break;
    done += n;
  }
  return text;
}

std::vector<std::string> manifest_objects(ObjectStore& store, const ObjectIdentity& identity,
                                          const std::string& url) {
  const auto [bucket, key] = split_object_url(url);
  std::vector<std::string> urls;
  try {
    const Json manifest = parse_json(read_whole(*store.open(identity, bucket, key)));
    const Json* entries = find_member(manifest, "entries");
    if (!entries || !entries->is_array()) {
      throw SqlError(sqlstate::k_invalid_parameter_value, "the manifest has no entries");
    }
    for (const Json& entry : entries->as_array()) {
      const auto one = find_string(entry, "url");
      if (!one || !one->starts_with("s3://")) {
        throw SqlError(sqlstate::k_invalid_parameter_value, "a manifest entry has no s3:// url");
      }
      const Json* mandatory = find_member(entry, "mandatory");
      if (!mandatory || !mandatory->is_bool() || !mandatory->as_bool()) {
        const auto [entry_bucket, entry_key] = split_object_url(*one);
        try {
          store.open(identity, entry_bucket, entry_key);
        } catch (const ObjectError& error) {
          if (error.status == 404) continue;
          throw;
        }
      }
      urls.push_back(*one);
    }
  } catch (const JsonError& error) {
    throw SqlError(sqlstate::k_invalid_parameter_value,
                   "the manifest is no JSON: " + std::string(error.what()));
  }
  return urls;
}

std::vector<std::string> source_objects(ObjectStore& store, const ObjectIdentity& identity,
                                        const CopyFrom& copy) {
  try {
    if (copy.manifest) return manifest_objects(store, identity, copy.source);
    const auto [bucket, prefix] = split_object_url(copy.source);
    std::vector<std::string> urls;
    for (const auto& object : store.list(identity, bucket, prefix)) {
      if (object.key.ends_with("/") && object.size == 0) continue;  // a console folder
      urls.push_back("s3://" + bucket + "/" + object.key);
    }
    if (urls.empty()) {
      throw SqlError(sqlstate::k_internal,
                     "The specified S3 prefix '" + prefix + "' does not exist");
    }
    return urls;
  } catch (const ObjectError& error) {
    object_failure(error);
  }
}

std::string list_literal(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + quote_literal(value);
  return out + "]";
}

struct TargetColumn {
  std::string name, type;  // DuckDB's type
  int length = 0;
  bool fixed = false;  // CHAR: trailing blanks say nothing
};

// One value of text, as COPY converts it.
std::string conversion(const TargetColumn& column, const std::string& source,
                       const CopyFrom& copy) {
  std::string value = source;
  const bool text = column.type == "VARCHAR";
  if (text && copy.remove_quotes) value = "trim(" + value + ", '\"''')";
  if (text && (copy.trim_blanks || column.fixed)) value = "rtrim(" + value + ")";
  if (!text) value = "nullif(trim(" + value + "), '')";
  if (text && copy.blanks_as_null) {
    value = "CASE WHEN trim(" + value + ") = '' THEN NULL ELSE " + value + " END";
  } else if (text && copy.empty_as_null) {
    value = "nullif(" + value + ", '')";
  }
  if (text && copy.truncate_columns && column.length > 0) {
    value = "tarn_cast_varchar(" + value + ", " + std::to_string(column.length) + ")";
  }
  if (column.type == "DATE" && !copy.date_format.empty() && to_lower(copy.date_format) != "auto") {
    return "tarn_to_date(" + value + ", " + quote_literal(copy.date_format) + ", true)";
  }
  if (column.type.starts_with("TIMESTAMP") && !copy.time_format.empty()) {
    const std::string format = to_lower(copy.time_format);
    if (format == "epochsecs") return "make_timestamp(" + value + "::BIGINT * 1000000)";
    if (format == "epochmillisecs") return "make_timestamp(" + value + "::BIGINT * 1000)";
    if (format != "auto") {
      return "tarn_parse_time(" + value + ", " + quote_literal(copy.time_format) + ")";
    }
  }
  if (column.type == "TIMESTAMP WITH TIME ZONE") value = "tarn_zoned_text(" + value + ")";
  return text ? value : "CAST(" + value + " AS " + column.type + ")";
}

std::string text_reader(const CopyFrom& copy, const std::vector<std::string>& urls,
                        const std::vector<TargetColumn>& columns) {
  const bool csv = copy.format == CopyFrom::Format::csv;
  std::string spec;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    spec += (i ? ", " : "") + std::string("'c") + std::to_string(i) + "': 'VARCHAR'";
  }
  const char delimiter = copy.delimiter.value_or(csv ? ',' : '|');
  std::string options =
      ", header = false, auto_detect = false, hive_partitioning = false"
      ", columns = {" +
      spec + "}";
  options += ", delim = " + quote_literal(std::string(1, delimiter));
  options += ", skip = " + std::to_string(copy.ignore_header);
  if (csv) {
    const std::string quote = quote_literal(std::string(1, copy.quote));
    options += ", quote = " + quote + ", escape = " + quote;
  } else {
    options += ", quote = '', escape = ''";
  }
  // Redshift's default mark of NULL is \N.
  options += ", nullstr = " + quote_literal(copy.null_as.value_or("\\N"));
  options += ", null_padding = " + std::string(copy.fill_record ? "true" : "false");
  options += ", compression = " +
             quote_literal(copy.compression.empty() ? "uncompressed" : copy.compression);
  return "read_csv(" + list_literal(urls) + options + ")";
}

std::string json_reader(const CopyFrom& copy, const std::vector<std::string>& urls,
                        const std::vector<TargetColumn>& columns) {
  std::string spec;
  for (const auto& column : columns) {
    spec += (spec.empty() ? "" : ", ") + quote_literal(column.name) + ": 'VARCHAR'";
  }
  return "read_json(" + list_literal(urls) +
         ", format = 'auto', hive_partitioning = false, columns = {" + spec + "}, compression = " +
         quote_literal(copy.compression.empty() ? "uncompressed" : copy.compression) + ")";
}

std::string unload_suffix(const Unload& unload) {
  if (!unload.extension.empty()) return "." + unload.extension;
  if (unload.format == Unload::Format::parquet) return ".parquet";
  if (unload.compression == "gzip") return ".gz";
  if (unload.compression == "zstd") return ".zst";
  return "";
}

duckdb::unique_ptr<duckdb::CopyInfo> unload_target(const Unload& unload, const std::string& url) {
  const bool parquet = unload.format == Unload::Format::parquet;
  const bool csv = unload.format == Unload::Format::csv;
  auto info = duckdb::make_uniq<duckdb::CopyInfo>();
  info->is_from = false;
  info->file_path = url;
  info->format = parquet ? "parquet" : "csv";
  info->is_format_auto_detected = false;
  info->options["use_tmp_file"] = {duckdb::Value::BOOLEAN(false)};
  if (parquet) {
    info->options["compression"] = {duckdb::Value("snappy")};
  } else {
    info->options["header"] = {duckdb::Value::BOOLEAN(unload.header)};
    info->options["delimiter"] = {
        duckdb::Value(std::string(1, unload.delimiter.value_or(csv ? ',' : '|')))};
    if (!csv && !unload.add_quotes) info->options["quote"] = {duckdb::Value("")};
    if (!unload.null_as.empty()) info->options["nullstr"] = {duckdb::Value(unload.null_as)};
    if (!unload.compression.empty()) {
      info->options["compression"] = {duckdb::Value(unload.compression)};
    }
  }
  return info;
}

// What is there already: refused, cleaned, or left to be overwritten.
void prepare_destination(ObjectStore& store, const ObjectIdentity& identity, const Unload& unload) {
  const auto [bucket, prefix] = split_object_url(unload.target);
  try {
    const auto existing = store.list(identity, bucket, prefix);
    if (!existing.empty() && !unload.allow_overwrite && !unload.clean_path) {
      throw SqlError(sqlstate::k_internal,
                     "Specified unload destination on S3 is not empty. Consider using a different "
                     "bucket / prefix, manually removing the target files in S3, or using the "
                     "ALLOWOVERWRITE option.");
    }
    if (!unload.clean_path) return;
    for (const auto& object : existing) store.remove(identity, bucket, object.key);
  } catch (const ObjectError& error) {
    object_failure(error);
  }
}

void write_manifest(ObjectStore& store, const ObjectIdentity& identity, const Unload& unload,
                    const std::string& url) {
  const auto [bucket, prefix] = split_object_url(unload.target);
  try {
    auto writer = store.create(identity, bucket, prefix + "manifest");
    JsonArray entries;
    entries.push_back(JsonObject{{"url", url}});
    writer->write(dump_json(JsonObject{{"entries", entries}}));
    writer->finish();
  } catch (const ObjectError& error) {
    object_failure(error);
  }
}

}  // namespace

// Kept whatever becomes of the transaction. What only DuckDB's CSV reader knows is empty else.
void SessionImpl::record_load_error(const Relation& table, const SqlError& error) {
  static const RE2 k_line(R"(CSV Error on Line: (\d+))"), k_raw(R"(Original Line: ([^\n]*))"),
      k_file(R"((s3://[^\s"']+))");
  std::string line = "0", raw, file;
  RE2::PartialMatch(error.detail, k_line, &line);
  RE2::PartialMatch(error.detail, k_raw, &raw);
  if (!RE2::PartialMatch(error.detail, k_file, &file)) {
    RE2::PartialMatch(error.message(), k_file, &file);
  }
  duckdb::Connection other(*engine_);
  const auto result = other.Query(
      fmt::format("INSERT INTO {}.tarn.load_errors SELECT coalesce((SELECT min(oid) FROM "
                  "tarn_system.main.relations WHERE namespace = {} AND name = {}), 0), "
                  "make_timestamp({}), {}, {}, {}, {}, {}",
                  quote_identifier(database_->name()), quote_literal(table.schema),
                  quote_literal(table.name), to_micros(cluster_.clock.now()), process_id_,
                  quote_literal(file), line, quote_literal(raw), quote_literal(error.message())));
  if (result->HasError())
    log::warning("sql", "a load error is not recorded: {}", result->GetError());
}

Answer SessionImpl::copy(const CopyFrom& copy) {
  const auto& store = cluster_.options.objects;
  if (!store) not_supported("COPY without S3");
  const Relation table = require(copy.table);
  if (table.view) {
    throw SqlError(sqlstate::k_wrong_object_type, "cannot copy to view \"" + table.name + "\"");
  }
  const ObjectIdentity identity = identity_of(copy, options_);
  const std::vector<std::string> urls = source_objects(*store, identity, copy);
  const auto tags = tags_of(table);
  const auto rows = query_internal(
      "SELECT c.column_name, c.data_type, coalesce(l.length, 0), coalesce(l.type_oid = 1042, "
      "false) FROM duckdb_columns() c LEFT JOIN "
      "tarn_system.main.attributes l ON l.relation_oid = c.table_oid AND l.name = c.column_name "
      "WHERE c.database_name = " +
      quote_literal(table.database) + " AND c.schema_name = " + quote_literal(table.schema) +
      " AND c.table_name = " + quote_literal(table.name) + " ORDER BY c.column_index");
  std::map<std::string, TargetColumn> by_name;
  std::vector<TargetColumn> columns;
  for (std::size_t i = 0; i < rows->RowCount(); ++i) {
    TargetColumn column{rows->GetValue(0, i).ToString(), rows->GetValue(1, i).ToString(),
                        rows->GetValue(2, i).GetValue<int>(),
                        rows->GetValue(3, i).GetValue<bool>()};
    by_name[column.name] = column;
    const auto identity_tag = tags.find("identity:" + column.name);
    const bool generated = identity_tag != tags.end() && !copy.explicit_ids;
    if (copy.columns.empty() && !generated) columns.push_back(column);
  }
  for (const auto& name : copy.columns) {
    if (!by_name.contains(name)) {
      throw SqlError(sqlstate::k_undefined_column,
                     "column \"" + name + "\" of relation \"" + table.name + "\" does not exist");
    }
    columns.push_back(by_name[name]);
  }
  std::string names, values, reader;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    names += (i ? ", " : "") + quote_identifier(columns[i].name);
  }
  if (copy.format == CopyFrom::Format::parquet) {
    values = "*";
    reader = "read_parquet(" + list_literal(urls) +
             ", hive_partitioning = false, binary_as_string = true)";
  } else {
    const bool json = copy.format == CopyFrom::Format::json;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string source = json ? quote_identifier(columns[i].name) : "c" + std::to_string(i);
      values += (i ? ", " : "") + conversion(columns[i], source, copy);
    }
    reader = json ? json_reader(copy, urls, columns) : text_reader(copy, urls, columns);
  }
  IdentityScope scope(*facts_, identity);
  Answer answer{"COPY"};
  try {
    answer.count = execute_internal("INSERT INTO " + table.sql() + " (" + names + ") SELECT " +
                                    values + " FROM " + reader);
  } catch (const SqlError& error) {
    if (error.message().starts_with("S3ServiceException")) throw;
    if (error.state != sqlstate::k_query_canceled) record_load_error(table, error);
    throw SqlError(error.state == sqlstate::k_internal ? sqlstate::k_internal : error.state,
                   "Load into table '" + table.name + "' failed.  " + error.message(), 0, {},
                   "Check 'stl_load_errors' system table for details.");
  }
  facts_->last_copy_count = answer.count;
  answer.notices.push_back("INFO:Load into table '" + table.name + "' completed, " +
                           std::to_string(answer.count) + " record(s) loaded successfully.");
  return answer;
}

// DuckDB writes true, 1.0 and such where Redshift writes t and 1.
void SessionImpl::as_unloaded_texts(duckdb::SelectStatement& query) {
  const auto prepared = connection().Prepare(query.Copy());
  if (prepared->HasError()) throw translate(prepared->error, nullptr);
  auto inner = duckdb::make_uniq<duckdb::SelectStatement>();
  inner->node = std::move(query.node);
  auto from = duckdb::make_uniq<duckdb::SubqueryRef>(std::move(inner), "unloaded");
  auto outer = duckdb::make_uniq<duckdb::SelectNode>();
  for (std::size_t i = 0; i < prepared->GetNames().size(); ++i) {
    const std::string name = "c" + std::to_string(i);
    from->column_name_alias.push_back(name);
    duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> value;
    value.push_back(duckdb::make_uniq<duckdb::ColumnRefExpression>(name));
    outer->select_list.push_back(
        duckdb::make_uniq<duckdb::FunctionExpression>("tarn_unloaded", std::move(value)));
    outer->select_list.back()->SetAlias(prepared->GetNames()[i]);
  }
  outer->from_table = std::move(from);
  query.node = std::move(outer);
}

Answer SessionImpl::unload(const Unload& unload) {
  const auto& store = cluster_.options.objects;
  if (!store) not_supported("UNLOAD without S3");
  const ObjectIdentity identity = identity_of(unload, options_);
  const auto tokens = tokenize(unload.query_text);
  TokenCursor cursor(tokens, unload.query_text);
  const Syntax syntax = parse_statement(cursor);
  const auto* query = std::get_if<Query>(&syntax);
  if (!query || query->kind != "SELECT") {
    throw SqlError(sqlstate::k_syntax_error, "UNLOAD needs a SELECT");
  }
  const QueryText text = write_query(unload.query_text, tokens, query->text);
  auto lowered = lower_query(text, lower_options(false));
  check_relations(lowered);
  const std::string url =
      unload.target + (unload.parallel ? "0000_part_00" : "000") + unload_suffix(unload);
  prepare_destination(*store, identity, unload);
  auto info = unload_target(unload, url);
  if (unload.format != Unload::Format::parquet) {
    as_unloaded_texts(lowered.statement->Cast<duckdb::SelectStatement>());
  }
  info->select_statement = std::move(lowered.statement->Cast<duckdb::SelectStatement>().node);
  auto statement = duckdb::make_uniq<duckdb::CopyStatement>();
  statement->info = std::move(info);
  IdentityScope scope(*facts_, identity);
  Answer answer{"UNLOAD"};
  answer.count = execute_tree(std::move(statement), &text);
  if (unload.manifest) write_manifest(*store, identity, unload, url);
  facts_->last_unload_count = answer.count;
  answer.notices.push_back("INFO:UNLOAD completed, " + std::to_string(answer.count) +
                           " record(s) unloaded successfully.");
  return answer;
}

}  // namespace tarn::sql
