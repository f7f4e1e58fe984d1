// SPDX-License-Identifier: Apache-2.0
// The statements that our own parser understands: everything but queries and row changes. Those
// stay token ranges here (`TokenRange`) and go to query.cpp.
//
// Why by hand: DuckDB's grammar knows neither COPY … IAM_ROLE nor DISTKEY, and what Redshift says
// without effect (VACUUM, ENCODE) must never reach DuckDB. What is not listed here is refused with
// 0A000 by name. Pure: no catalog, no engine. Avoids: meaning; session.cpp executes.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engines/sql/lexer.hpp"
#include "engines/sql/types.hpp"

namespace tarn::sql {

// Half-open range of token indexes.
struct TokenRange {
  std::size_t from = 0, to = 0;
  bool empty() const { return from == to; }
};

// A Redshift type, with DuckDB's spelling of its storage.
struct TypeSpec {
  ColumnType type;
  std::string storage;  // "VARCHAR", "DECIMAL(10,2)", …
  int length = 0;       // of strings: bytes at most; 0: none
};
// `name` in lower case; refuses what is not in the list.
TypeSpec resolve_type(const std::string& name, const std::vector<std::int64_t>& modifiers,
                      bool in_table, std::size_t position);
TypeSpec parse_type(TokenCursor& cursor, bool in_table);

struct ColumnSpec {
  std::string name;
  TypeSpec type;
  bool not_null = false;
  TokenRange default_value;
  std::optional<std::pair<std::int64_t, std::int64_t>> identity;  // seed, step
  bool identity_by_default = false;
  std::string encode;
  bool distkey = false, sortkey = false;
};

struct CreateTable {
  ObjectName name;
  bool temporary = false, if_not_exists = false;
  std::vector<ColumnSpec> columns;
  std::vector<std::string> column_names;  // CREATE TABLE t (a, b) AS …
  std::optional<ObjectName> like;
  bool like_defaults = false;
  TokenRange query;                         // AS …
  std::map<std::string, std::string> tags;  // diststyle, distkey, sortkey, primary key, …
};
struct CreateView {
  ObjectName name;
  std::vector<std::string> columns;
  bool replace = false, late_binding = false;
  TokenRange query;
};
struct CreateSchema {
  std::string name;
  bool if_not_exists = false;
};
struct CreateDatabase {
  std::string name;
};
struct Drop {
  std::string kind;  // TABLE, VIEW, SCHEMA, DATABASE
  std::vector<ObjectName> names;
  bool if_exists = false, cascade = false;
};
struct AlterTable {
  enum class Action { add_column, drop_column, rename_table, rename_column, column_type, owner };
  ObjectName name;
  bool view = false;
  Action action = Action::add_column;
  ColumnSpec column;        // add_column
  std::string column_name;  // drop, rename, type
  std::string new_name;     // renames, owner
  TypeSpec type;            // column_type
  bool cascade = false;
};
struct AlterSchema {
  std::string name, new_name;
};
struct Truncate {
  ObjectName name;
};
struct Comment {
  std::string kind;  // TABLE, VIEW, COLUMN, SCHEMA, DATABASE
  ObjectName name;
  std::string column;
  std::optional<std::string> text;
};
struct TransactionControl {
  enum class Action { begin, commit, rollback };
  Action action = Action::begin;
  std::string tag;
  bool read_only = false;
};
struct SetVariable {
  std::string name;
  std::vector<std::string> values;
  bool to_default = false;
};
struct ShowVariable {
  std::string name;
};
struct Lock {
  std::vector<ObjectName> names;
};
struct Grant {
  bool revoke = false;
  std::string text;
};
struct NoEffect {
  std::string tag;
  std::optional<ObjectName> table;
};
struct Explain {
  TokenRange query;
  bool analyze = false;
};
struct CopyFrom {
  ObjectName table;
  std::vector<std::string> columns;
  std::string source;  // s3://…
  std::string role_arn, access_key_id, secret_access_key, session_token;
  bool default_role = false;
  enum class Format { delimited, csv, json, parquet } format = Format::delimited;
  std::string json_option = "auto";
  std::optional<char> delimiter;
  char quote = '"';
  std::int64_t ignore_header = 0;
  std::string compression;  // gzip, zstd, bzip2
  std::string date_format, time_format;
  std::optional<std::string> null_as;
  bool manifest = false, empty_as_null = false, blanks_as_null = false, trim_blanks = false;
  bool remove_quotes = false, truncate_columns = false, fill_record = false;
  bool explicit_ids = false;
};
struct Unload {
  TokenRange query;
  std::string query_text;  // the literal's content
  std::string target;
  std::string role_arn, access_key_id, secret_access_key, session_token;
  bool default_role = false;
  enum class Format { delimited, csv, parquet } format = Format::delimited;
  std::optional<char> delimiter;
  bool header = false, parallel = true, allow_overwrite = false, clean_path = false;
  bool manifest = false, add_quotes = false;
  std::string compression, null_as, extension;
};
// A query or row change, for query.cpp.
struct Query {
  TokenRange text;
  std::string kind;
};
struct Nothing {};

using Syntax =
    std::variant<Nothing, Query, CreateTable, CreateView, CreateSchema, CreateDatabase, Drop,
                 AlterTable, AlterSchema, Truncate, Comment, TransactionControl, SetVariable,
                 ShowVariable, Lock, Grant, NoEffect, Explain, CopyFrom, Unload>;

// One statement (a trailing semicolon is fine).
Syntax parse_statement(TokenCursor& cursor);

}  // namespace tarn::sql
