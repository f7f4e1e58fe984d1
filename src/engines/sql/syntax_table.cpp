// SPDX-License-Identifier: Apache-2.0
// CREATE TABLE and ALTER TABLE with Redshift's attributes. Keys and encodings have no effect on
// results: they are kept as tags of the table, from which the catalog views report them. Primary,
// unique and foreign keys are informational in Redshift and never enforced: kept likewise.
#include "base/strings.hpp"
#include "engines/sql/syntax_parts.hpp"

namespace tarn::sql {

std::vector<std::string> parse_name_list(TokenCursor& cursor) {
  std::vector<std::string> names;
  cursor.expect_op("(");
  do {
    names.push_back(cursor.name());
  } while (cursor.accept_op(","));
  cursor.expect_op(")");
  return names;
}

namespace {

void parse_references(TokenCursor& cursor, std::string& into) {
  into += parse_object_name(cursor).text();
  if (cursor.peek().is_op("(")) into += "(" + join(parse_name_list(cursor), ",") + ")";
}

// The end of a default's expression: a word that begins another attribute, or , or ).
bool ends_default(const Token& token) {
  static const std::vector<std::string_view> k_words = {
      "not",    "null",       "encode",   "distkey", "sortkey",  "primary",
      "unique", "references", "identity", "collate", "generated"};
  if (token.kind == TokenKind::end || token.is_op(",") || token.is_op(")") || token.is_op(";")) {
    return true;
  }
  return token.kind == TokenKind::word &&
         std::find(k_words.begin(), k_words.end(), token.text) != k_words.end();
}

TokenRange parse_default(TokenCursor& cursor) {
  TokenRange range{cursor.at(), cursor.at()};
  do {
    if (cursor.peek().is_op("(")) {
      cursor.skip_parentheses();
    } else {
      if (cursor.done()) cursor.fail();
      cursor.next();  // also `default null`
    }
  } while (!ends_default(cursor.peek()));
  range.to = cursor.at();
  return range;
}

std::pair<std::int64_t, std::int64_t> parse_identity(TokenCursor& cursor) {
  cursor.expect_op("(");
  const std::int64_t seed = cursor.integer();
  cursor.expect_op(",");
  const std::int64_t step = cursor.integer();
  cursor.expect_op(")");
  return {seed, step};
}

bool parse_column_attribute(TokenCursor& cursor, ColumnSpec& column,
                            std::map<std::string, std::string>& tags) {
  if (cursor.accept_all({"not", "null"})) {
    column.not_null = true;
  } else if (cursor.accept("null")) {
  } else if (cursor.accept("default")) {
    column.default_value = parse_default(cursor);
  } else if (cursor.accept("identity")) {
    column.identity = parse_identity(cursor);
    column.not_null = true;
  } else if (cursor.accept_all({"generated", "by", "default", "as", "identity"})) {
    column.identity = parse_identity(cursor);
    column.identity_by_default = true;
    column.not_null = true;
  } else if (cursor.accept("encode")) {
    column.encode = cursor.name();
    tags["encode:" + column.name] = column.encode;
  } else if (cursor.accept("distkey")) {
    column.distkey = true;
    tags["distkey"] = column.name;
  } else if (cursor.accept("sortkey")) {
    column.sortkey = true;
    tags["sortkey"] = column.name;
  } else if (cursor.accept_all({"primary", "key"})) {
    column.not_null = true;
    tags["primary key"] = column.name;
  } else if (cursor.accept("unique")) {
    tags["unique:" + column.name] = column.name;
  } else if (cursor.accept("references")) {
    parse_references(cursor, tags["foreign key:" + column.name]);
  } else {
    if (cursor.peek().is("collate")) not_supported("COLLATE", cursor.peek().begin + 1);
    return false;
  }
  return true;
}

bool parse_table_constraint(TokenCursor& cursor, CreateTable& table) {
  const std::size_t start = cursor.at();
  if (cursor.accept("constraint")) cursor.name();
  if (cursor.accept_all({"primary", "key"})) {
    const auto names = parse_name_list(cursor);
    for (auto& column : table.columns) {
      if (std::find(names.begin(), names.end(), column.name) != names.end()) column.not_null = true;
    }
    table.tags["primary key"] = join(names, ",");
  } else if (cursor.peek().is("unique") && cursor.peek(1).is_op("(")) {
    cursor.next();
    const std::string names = join(parse_name_list(cursor), ",");
    table.tags["unique:" + names] = names;
  } else if (cursor.accept_all({"foreign", "key"})) {
    const std::string names = join(parse_name_list(cursor), ",");
    cursor.expect("references");
    parse_references(cursor, table.tags["foreign key:" + names]);
  } else if (cursor.peek().is("check") && cursor.peek(1).is_op("(")) {
    not_supported("CHECK constraint", cursor.peek().begin + 1);
  } else {
    cursor.seek(start);
    return false;
  }
  return true;
}

void parse_table_element(TokenCursor& cursor, CreateTable& table) {
  if (cursor.accept("like")) {
    table.like = parse_object_name(cursor);
    if (cursor.accept_all({"including", "defaults"}))
      table.like_defaults = true;
    else
      cursor.accept_all({"excluding", "defaults"});
    return;
  }
  if (parse_table_constraint(cursor, table)) return;
  ColumnSpec column = parse_column(cursor, table.tags);
  for (const auto& other : table.columns) {
    if (other.name == column.name) {
      throw SqlError(sqlstate::k_duplicate_column, "column \"" + column.name + "\" duplicated");
    }
  }
  table.columns.push_back(std::move(column));
}

bool parse_table_attribute(TokenCursor& cursor, std::map<std::string, std::string>& tags) {
  if (cursor.accept("diststyle")) {
    const Token token = cursor.next();
    if (!token.is("even") && !token.is("all") && !token.is("key") && !token.is("auto")) {
      cursor.fail(token);
    }
    tags["diststyle"] = token.text;
  } else if (cursor.accept("distkey")) {
    cursor.expect_op("(");
    tags["distkey"] = cursor.name();
    cursor.expect_op(")");
  } else if (cursor.peek().is("compound") || cursor.peek().is("interleaved") ||
             cursor.peek().is("sortkey")) {
    const bool interleaved = cursor.accept("interleaved");
    if (!interleaved) cursor.accept("compound");
    cursor.expect("sortkey");
    if (cursor.accept("auto"))
      tags["sortkey"] = "auto";
    else
      tags["sortkey"] = join(parse_name_list(cursor), ",");
    if (interleaved) tags["sortstyle"] = "interleaved";
  } else if (cursor.accept("encode")) {
    cursor.expect("auto");
  } else if (cursor.accept("backup")) {
    if (!cursor.accept("no")) cursor.expect("yes");
  } else {
    return false;
  }
  return true;
}

// CREATE TABLE t (a, b) AS: names alone, without types.
bool is_name_list(const TokenCursor& cursor) {
  return cursor.peek().is_op("(") && cursor.peek(1).is_name() &&
         (cursor.peek(2).is_op(",") || cursor.peek(2).is_op(")"));
}

}  // namespace

ColumnSpec parse_column(TokenCursor& cursor, std::map<std::string, std::string>& tags) {
  ColumnSpec column;
  column.name = cursor.name();
  column.type = parse_type(cursor, true);
  while (parse_column_attribute(cursor, column, tags)) {}
  return column;
}

CreateTable parse_create_table(TokenCursor& cursor) {
  CreateTable table;
  table.if_not_exists = cursor.accept_all({"if", "not", "exists"});
  table.name = parse_object_name(cursor);
  if (is_name_list(cursor)) {
    table.column_names = parse_name_list(cursor);
  } else if (cursor.peek().is_op("(")) {
    cursor.next();
    do {
      parse_table_element(cursor, table);
    } while (cursor.accept_op(","));
    cursor.expect_op(")");
  }
  while (parse_table_attribute(cursor, table.tags)) {}
  if (cursor.accept("as")) {
    if (!table.columns.empty()) cursor.fail();
    table.query.from = cursor.at();
    while (!cursor.done() && !cursor.peek().is_op(";")) cursor.next();
    table.query.to = cursor.at();
  } else if (table.columns.empty() && !table.like) {
    cursor.fail();
  }
  return table;
}

AlterTable parse_alter_table(TokenCursor& cursor, bool view) {
  using Action = AlterTable::Action;
  AlterTable alter;
  alter.view = view;
  alter.name = parse_object_name(cursor);
  const Token token = cursor.peek();
  if (cursor.accept("add")) {
    if (cursor.peek().is("constraint") || cursor.peek().is("primary") ||
        cursor.peek().is("unique") || cursor.peek().is("foreign")) {
      not_supported("ALTER TABLE ADD constraint", token.begin + 1);
    }
    cursor.accept("column");
    std::map<std::string, std::string> tags;
    alter.action = Action::add_column;
    alter.column = parse_column(cursor, tags);
  } else if (cursor.accept("drop")) {
    if (cursor.peek().is("constraint")) not_supported("ALTER TABLE DROP constraint");
    cursor.accept("column");
    alter.action = Action::drop_column;
    alter.column_name = cursor.name();
    alter.cascade = cursor.accept("cascade");
    if (!alter.cascade) cursor.accept("restrict");
  } else if (cursor.accept_all({"rename", "to"})) {
    alter.action = Action::rename_table;
    alter.new_name = cursor.name();
  } else if (cursor.accept("rename")) {
    cursor.accept("column");
    alter.action = Action::rename_column;
    alter.column_name = cursor.name();
    cursor.expect("to");
    alter.new_name = cursor.name();
  } else if (cursor.accept_all({"owner", "to"})) {
    alter.action = Action::owner;
    alter.new_name = cursor.name();
  } else if (cursor.accept("alter") && cursor.peek().is_name()) {
    cursor.accept("column");
    alter.column_name = cursor.name();
    const Token next = cursor.peek();
    if (!cursor.accept("type"))
      not_supported("ALTER COLUMN " + to_upper(next.text), next.begin + 1);
    alter.action = Action::column_type;
    alter.type = parse_type(cursor, true);
  } else {
    not_supported("ALTER TABLE " + to_upper(token.text), token.begin + 1);
  }
  return alter;
}

}  // namespace tarn::sql
