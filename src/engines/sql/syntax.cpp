// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/syntax.hpp"

#include "base/strings.hpp"
#include "engines/sql/syntax_parts.hpp"

namespace tarn::sql {

namespace {

TokenRange rest(TokenCursor& cursor) {
  TokenRange range{cursor.at(), cursor.at()};
  while (!cursor.done() && !cursor.peek().is_op(";")) cursor.next();
  range.to = cursor.at();
  if (range.empty()) cursor.fail();
  return range;
}

CreateView parse_create_view(TokenCursor& cursor, bool replace) {
  CreateView view;
  view.replace = replace;
  view.name = parse_object_name(cursor);
  if (cursor.peek().is_op("(")) view.columns = parse_name_list(cursor);
  cursor.expect("as");
  view.query = rest(cursor);
  const auto& tokens = cursor.tokens();
  const std::size_t to = view.query.to;
  if (to >= view.query.from + 4 && tokens[to - 4].is("with") && tokens[to - 3].is("no") &&
      tokens[to - 2].is("schema") && tokens[to - 1].is("binding")) {
    view.late_binding = true;
    view.query.to -= 4;
  }
  return view;
}

CreateSchema parse_create_schema(TokenCursor& cursor) {
  CreateSchema schema;
  schema.if_not_exists = cursor.accept_all({"if", "not", "exists"});
  schema.name = cursor.name();
  if (cursor.accept("authorization")) cursor.name();
  if (cursor.peek().is("quota")) not_supported("CREATE SCHEMA … QUOTA", cursor.peek().begin + 1);
  return schema;
}

[[noreturn]] void refuse(TokenCursor& cursor, const std::string& verb) {
  const Token token = cursor.peek();
  std::string what = verb;
  for (int i = 0; i < 2 && cursor.peek().kind == TokenKind::word; ++i) {
    what += " " + to_upper(cursor.next().text);
    if (i == 0 && !cursor.peek().is("view") && !cursor.peek().is("function") &&
        !cursor.peek().is("schema") && !cursor.peek().is("table")) {
      break;
    }
  }
  not_supported(what, token.begin + 1);
}

Syntax parse_create(TokenCursor& cursor) {
  const bool replace = cursor.accept_all({"or", "replace"});
  const std::size_t start = cursor.at();
  bool temporary =
      cursor.accept_all({"local", "temporary"}) || cursor.accept_all({"local", "temp"});
  temporary = temporary || cursor.accept("temporary") || cursor.accept("temp");
  if (cursor.accept("table")) {
    if (replace) cursor.fail();
    CreateTable table = parse_create_table(cursor);
    table.temporary = temporary || table.name.name.starts_with("#");
    return table;
  }
  if (!temporary && cursor.accept("view")) return parse_create_view(cursor, replace);
  if (!temporary && !replace && cursor.accept("schema")) return parse_create_schema(cursor);
  if (!temporary && !replace && cursor.accept("database")) {
    return CreateDatabase{cursor.name()};
  }
  cursor.seek(start);
  refuse(cursor, "CREATE");
}

Syntax parse_drop(TokenCursor& cursor) {
  const Token token = cursor.peek();
  if (!token.is("table") && !token.is("view") && !token.is("schema") && !token.is("database")) {
    refuse(cursor, "DROP");
  }
  Drop drop;
  drop.kind = to_upper(cursor.next().text);
  drop.if_exists = cursor.accept_all({"if", "exists"});
  do {
    drop.names.push_back(parse_object_name(cursor));
  } while (cursor.accept_op(","));
  drop.cascade = cursor.accept("cascade");
  if (!drop.cascade) cursor.accept("restrict");
  return drop;
}

Syntax parse_alter(TokenCursor& cursor) {
  if (cursor.accept("table")) return parse_alter_table(cursor, false);
  if (cursor.accept("view")) return parse_alter_table(cursor, true);
  if (cursor.peek().is("schema") && cursor.peek(2).is("rename")) {
    cursor.next();
    AlterSchema alter;
    alter.name = cursor.name();
    cursor.expect("rename");
    cursor.expect("to");
    alter.new_name = cursor.name();
    return alter;
  }
  refuse(cursor, "ALTER");
}

Syntax parse_comment(TokenCursor& cursor) {
  cursor.expect("on");
  Comment comment;
  const Token token = cursor.peek();
  comment.kind = to_upper(cursor.name());
  if (comment.kind != "TABLE" && comment.kind != "VIEW" && comment.kind != "COLUMN" &&
      comment.kind != "SCHEMA" && comment.kind != "DATABASE") {
    not_supported("COMMENT ON " + comment.kind, token.begin + 1);
  }
  if (comment.kind == "COLUMN") {
    std::vector<std::string> parts{cursor.name()};
    while (cursor.accept_op(".")) parts.push_back(cursor.name());
    if (parts.size() < 2 || parts.size() > 4) cursor.fail();
    comment.column = parts.back();
    comment.name.name = parts[parts.size() - 2];
    if (parts.size() > 2) comment.name.schema = parts[parts.size() - 3];
    if (parts.size() > 3) comment.name.database = parts[0];
  } else {
    comment.name = parse_object_name(cursor);
  }
  cursor.expect("is");
  if (!cursor.accept("null")) comment.text = cursor.string();
  return comment;
}

// BEGIN, START TRANSACTION and their modes.
TransactionControl parse_begin(TokenCursor& cursor, const char* tag) {
  TransactionControl begin{TransactionControl::Action::begin, tag, false};
  for (;;) {
    if (cursor.accept_all({"isolation", "level"})) {
      // Redshift accepts each level and runs them all as serializable.
      if (!cursor.accept("serializable") && !cursor.accept_all({"read", "committed"}) &&
          !cursor.accept_all({"read", "uncommitted"}) &&
          !cursor.accept_all({"repeatable", "read"})) {
        cursor.fail();
      }
    } else if (cursor.accept_all({"read", "only"})) {
      begin.read_only = true;
    } else if (!cursor.accept_all({"read", "write"}) && !cursor.accept_op(",")) {
      return begin;
    }
  }
}

Syntax parse_transaction(TokenCursor& cursor) {
  using Action = TransactionControl::Action;
  const std::string word = cursor.next().text;
  if (word == "start") {
    cursor.expect("transaction");
    return parse_begin(cursor, "START TRANSACTION");
  }
  if (!cursor.accept("work")) cursor.accept("transaction");
  if (word == "begin") return parse_begin(cursor, "BEGIN");
  if (word == "rollback" && cursor.peek().is("to")) not_supported("SAVEPOINT");
  if (word == "commit" || word == "end") return TransactionControl{Action::commit, "COMMIT"};
  return TransactionControl{Action::rollback, "ROLLBACK"};
}

Syntax parse_set(TokenCursor& cursor) {
  cursor.accept("session");
  const bool local = cursor.accept("local");
  SetVariable set;
  if (cursor.accept_all({"time", "zone"})) {
    set.name = "timezone";
  } else if (cursor.peek().is("characteristics") || cursor.peek().is("transaction")) {
    cursor.seek(cursor.tokens().size() - 1);
    return NoEffect{"SET", {}};
  } else if (cursor.peek().is("authorization")) {
    not_supported("SET SESSION AUTHORIZATION", cursor.peek().begin + 1);
  } else {
    set.name = cursor.name();
    while (cursor.accept_op(".")) set.name += "." + cursor.name();
    if (!cursor.accept_op("=")) cursor.expect("to");
  }
  if (local) not_supported("SET LOCAL");
  if (cursor.accept("default")) {
    set.to_default = true;
    return set;
  }
  do {
    const Token token = cursor.peek();
    const bool negative = cursor.accept_op("-");
    if (cursor.peek().kind == TokenKind::op || cursor.done()) cursor.fail(token);
    set.values.push_back((negative ? "-" : "") + cursor.next().text);
  } while (cursor.accept_op(","));
  return set;
}

Syntax parse_no_effect(TokenCursor& cursor) {
  const std::string verb = cursor.next().text;
  NoEffect effect{to_upper(verb), {}};
  if (verb == "analyze" && cursor.peek().is("compression")) not_supported("ANALYZE COMPRESSION");
  for (const char* word : {"full", "sort", "delete", "only", "reindex", "recluster", "verbose"}) {
    cursor.accept(word);
  }
  if (cursor.peek().is_name()) effect.table = parse_object_name(cursor);
  if (cursor.peek().is_op("(")) cursor.skip_parentheses();
  if (cursor.accept("to")) {
    cursor.integer();
    cursor.expect("percent");
  }
  if (!cursor.accept_all({"predicate", "columns"})) cursor.accept_all({"all", "columns"});
  cursor.accept("boost");
  return effect;
}

Syntax parse_explain(TokenCursor& cursor) {
  cursor.next();
  Explain explain;
  explain.analyze = cursor.accept("analyze");
  if (explain.analyze) not_supported("EXPLAIN ANALYZE");
  cursor.accept("verbose");
  explain.query = rest(cursor);
  return explain;
}

Syntax parse_lock(TokenCursor& cursor) {
  cursor.next();
  cursor.accept("table");
  Lock lock;
  do {
    lock.names.push_back(parse_object_name(cursor));
  } while (cursor.accept_op(","));
  if (cursor.accept("in")) {
    while (!cursor.done() && !cursor.peek().is_op(";")) cursor.next();
  }
  return lock;
}

Syntax parse_truncate(TokenCursor& cursor) {
  cursor.next();
  cursor.accept("table");
  return Truncate{parse_object_name(cursor)};
}

Syntax parse_show(TokenCursor& cursor) {
  cursor.next();
  if (cursor.accept_all({"time", "zone"})) return ShowVariable{"timezone"};
  if (cursor.accept_all({"transaction", "isolation", "level"})) {
    return ShowVariable{"transaction_isolation"};
  }
  const Token token = cursor.peek();
  std::string name = cursor.name();
  while (cursor.accept_op(".")) name += "." + cursor.name();
  if (!cursor.done() && !cursor.peek().is_op(";")) {
    not_supported("SHOW " + to_upper(name), token.begin + 1);
  }
  return ShowVariable{name};
}

bool is_query(const Token& token) {
  for (const char* word : {"select", "with", "values", "insert", "update", "delete", "merge"}) {
    if (token.is(word)) return true;
  }
  return token.is_op("(");
}

Query parse_query(TokenCursor& cursor) {
  Query query;
  const Token first = cursor.peek();
  query.kind =
      to_upper(first.is_op("(") || first.is("with") || first.is("values") ? "select" : first.text);
  query.text = rest(cursor);
  return query;
}

Syntax parse_by_word(TokenCursor& cursor) {
  const Token token = cursor.peek();
  const std::string& word = token.text;
  if (word == "copy") return parse_copy(cursor);
  if (word == "unload") return parse_unload(cursor);
  if (word == "set") return cursor.next(), parse_set(cursor);
  if (word == "reset") {
    cursor.next();
    return SetVariable{cursor.name(), {}, true};
  }
  if (word == "show") return parse_show(cursor);
  if (word == "begin" || word == "start" || word == "commit" || word == "end" ||
      word == "rollback" || word == "abort") {
    return parse_transaction(cursor);
  }
  if (word == "create") return cursor.next(), parse_create(cursor);
  if (word == "drop") return cursor.next(), parse_drop(cursor);
  if (word == "alter") return cursor.next(), parse_alter(cursor);
  if (word == "truncate") return parse_truncate(cursor);
  if (word == "comment") return cursor.next(), parse_comment(cursor);
  if (word == "vacuum" || word == "analyze" || word == "analyse") return parse_no_effect(cursor);
  if (word == "explain") return parse_explain(cursor);
  if (word == "lock") return parse_lock(cursor);
  if (word == "grant" || word == "revoke") {
    const TokenRange all = rest(cursor);
    return Grant{word == "revoke", std::string(cursor.slice(all.from, all.to))};
  }
  if (word == "discard") return cursor.next(), cursor.expect("all"), NoEffect{"DISCARD ALL", {}};
  static const std::vector<std::string_view> k_known = {
      "call",    "declare", "fetch", "close",   "prepare", "execute", "deallocate", "savepoint",
      "release", "cancel",  "use",   "refresh", "attach",  "detach",  "insert"};
  if (std::find(k_known.begin(), k_known.end(), word) != k_known.end()) {
    not_supported(to_upper(word), token.begin + 1);
  }
  cursor.fail();
}

}  // namespace

Syntax parse_statement(TokenCursor& cursor) {
  while (cursor.accept_op(";")) {}
  if (cursor.done()) return Nothing{};
  Syntax syntax = is_query(cursor.peek())                 ? Syntax(parse_query(cursor))
                  : cursor.peek().kind == TokenKind::word ? parse_by_word(cursor)
                                                          : (cursor.fail(), Syntax());
  while (cursor.accept_op(";")) {}
  if (!cursor.done()) {
    if (std::holds_alternative<Query>(syntax)) {
      throw SqlError(sqlstate::k_syntax_error,
                     "cannot insert multiple commands into a prepared statement",
                     cursor.peek().begin + 1);
    }
    cursor.fail();
  }
  return syntax;
}

}  // namespace tarn::sql
