// SPDX-License-Identifier: Apache-2.0
// The lexical rules that Redshift shares with PostgreSQL: words, quoted identifiers, strings ('…',
// E'…', $tag$…$tag$), numbers, parameters, operators, nested comments. Each token knows its place,
// so that errors can point at it. Pure; throws SqlError 42601 for an unterminated token.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engines/sql/error.hpp"

namespace tarn::sql {

enum class TokenKind { word, quoted, string, number, parameter, op, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  // words and quoted identifiers in lower case, strings without quotes
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is(std::string_view word) const { return kind == TokenKind::word && text == word; }
  bool is_op(std::string_view op) const { return kind == TokenKind::op && text == op; }
  bool is_name() const { return kind == TokenKind::word || kind == TokenKind::quoted; }
};

// Ends with one `end` token.
std::vector<Token> tokenize(std::string_view sql);

// Walks tokens; every `expect` that fails throws PostgreSQL's `syntax error at or near "…"`.
class TokenCursor {
 public:
  TokenCursor(const std::vector<Token>& tokens, std::string_view sql)
      : tokens_(tokens),
        sql_(sql) {}
  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  std::size_t at() const { return at_; }
  void seek(std::size_t at) { at_ = at; }
  bool done() const { return peek().kind == TokenKind::end; }
  bool accept(std::string_view word);
  bool accept_op(std::string_view op);
  // All of the words in a row, or none.
  bool accept_all(std::initializer_list<std::string_view> words);
  void expect(std::string_view word);
  void expect_op(std::string_view op);
  void expect_end();
  std::string name();    // an identifier
  std::string string();  // a string literal
  std::int64_t integer();
  [[noreturn]] void fail() const { fail(peek()); }
  [[noreturn]] void fail(const Token& token) const;
  // The text between two tokens (indexes), as written.
  std::string_view slice(std::size_t from, std::size_t to) const;
  // Behind the matching ')' of the '(' at the cursor.
  void skip_parentheses();
  std::string_view sql() const { return sql_; }
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  const std::vector<Token>& tokens_;
  std::string_view sql_;
  std::size_t at_ = 0;
};

// [[database.]schema.]name
struct ObjectName {
  std::string database, schema, name;
  std::size_t position = 0;
  std::string text() const {
    return (database.empty() ? "" : database + ".") + (schema.empty() ? "" : schema + ".") + name;
  }
};
ObjectName parse_object_name(TokenCursor& cursor);

std::string quote_identifier(std::string_view name);  // "name"
std::string quote_literal(std::string_view text);     // 'text'

}  // namespace tarn::sql
