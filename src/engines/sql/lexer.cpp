// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/lexer.hpp"

#include <charconv>
#include <cstring>

#include "base/strings.hpp"
#include "engines/sql/warehouse.hpp"

namespace tarn::sql {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '$'; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Lexer {
 public:
  explicit Lexer(std::string_view sql) : sql_(sql) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      skip_blanks();
      Token token = next();
      const bool last = token.kind == TokenKind::end;
      tokens.push_back(std::move(token));
      if (last) return tokens;
    }
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }

  void skip_blanks() {
    while (at_ < sql_.size()) {
      if (is_blank(peek())) {
        ++at_;
      } else if (peek() == '-' && peek(1) == '-') {
        while (at_ < sql_.size() && peek() != '\n') ++at_;
      } else if (peek() == '/' && peek(1) == '*') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() {  // nested, as in PostgreSQL
    const std::size_t begin = at_;
    int depth = 0;
    do {
      if (at_ >= sql_.size()) {
        throw SqlError(sqlstate::k_syntax_error, "unterminated /* comment", begin + 1);
      }
      if (peek() == '/' && peek(1) == '*') {
        ++depth;
        at_ += 2;
      } else if (peek() == '*' && peek(1) == '/') {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    } while (depth > 0);
  }

  Token next() {
    Token token;
    token.begin = at_;
    const char c = peek();
    if (at_ >= sql_.size()) {
      token.kind = TokenKind::end;
    } else if ((c == 'e' || c == 'E') && peek(1) == '\'') {
      ++at_;
      string(token);
    } else if (c == '\'') {
      string(token);
    } else if (c == '"') {
      quoted(token);
    } else if (is_letter(c) || (c == '#' && is_letter(peek(1)))) {
      token.kind = TokenKind::word;
      ++at_;
      while (is_name_part(peek())) ++at_;
      token.text = to_lower(sql_.substr(token.begin, at_ - token.begin));
    } else if (c == '$' && is_digit(peek(1))) {
      token.kind = TokenKind::parameter;
      ++at_;
      while (is_digit(peek())) ++at_;
      token.text = sql_.substr(token.begin + 1, at_ - token.begin - 1);
    } else if (c == '$' && dollar_string(token)) {
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number(token);
    } else {
      op(token);
    }
    token.end = at_;
    return token;
  }

  // A backslash escapes in every literal, as in PostgreSQL 8.0 and Redshift ('\\d' is \d).
  void string(Token& token) {
    token.kind = TokenKind::string;
    ++at_;
    for (;;) {
      if (at_ >= sql_.size()) {
        throw SqlError(sqlstate::k_syntax_error, "unterminated quoted string", token.begin + 1);
      }
      const char c = sql_[at_++];
      if (c == '\'') {
        if (peek() != '\'') return;
        ++at_;
        token.text += '\'';
      } else if (c == '\\') {
        token.text += escape();
      } else {
        token.text += c;
      }
    }
  }

  char escape() {
    const char c = peek();
    if (c >= '0' && c <= '7') {
      int value = 0;
      for (int i = 0; i < 3 && peek() >= '0' && peek() <= '7'; ++i) {
        value = value * 8 + (sql_[at_++] - '0');
      }
      return static_cast<char>(value);
    }
    ++at_;
    switch (c) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'b': return '\b';
      case 'f': return '\f';
      default: return c;
    }
  }

  void quoted(Token& token) {
    token.kind = TokenKind::quoted;
    ++at_;
    for (;;) {
      if (at_ >= sql_.size()) {
        throw SqlError(sqlstate::k_syntax_error, "unterminated quoted identifier", token.begin + 1);
      }
      const char c = sql_[at_++];
      if (c == '"') {
        if (peek() != '"') break;
        ++at_;
      }
      token.text += c;
    }
    if (token.text.empty()) {
      throw SqlError(sqlstate::k_syntax_error, "zero-length delimited identifier", token.begin + 1);
    }
    // Redshift folds quoted identifiers too (enable_case_sensitive_identifier is off).
    token.text = to_lower(token.text);
  }

  bool dollar_string(Token& token) {
    std::size_t end = at_ + 1;
    while (end < sql_.size() && (is_letter(sql_[end]) || is_digit(sql_[end]))) ++end;
    if (end >= sql_.size() || sql_[end] != '$') return false;
    const std::string_view tag = sql_.substr(at_, end + 1 - at_);
    const std::size_t close = sql_.find(tag, end + 1);
    if (close == std::string_view::npos) {
      throw SqlError(sqlstate::k_syntax_error, "unterminated dollar-quoted string", at_ + 1);
    }
    token.kind = TokenKind::string;
    token.text = sql_.substr(end + 1, close - end - 1);
    at_ = close + tag.size();
    return true;
  }

  void number(Token& token) {
    token.kind = TokenKind::number;
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && peek(1) != '.') {
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    if ((peek() == 'e' || peek() == 'E') &&
        (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
      at_ += 2;
      while (is_digit(peek())) ++at_;
    }
    token.text = sql_.substr(token.begin, at_ - token.begin);
  }

  void op(Token& token) {
    static constexpr std::string_view k_long[] = {
        "!~~*", "!~~", "!~*", "~~*", "::", "<=", ">=", "<>", "!=", "||", "~~",
        "~*",   "!~",  ":=",  "->>", "->", "**", "//", "|/", "<<", ">>"};
    token.kind = TokenKind::op;
    for (const auto op : k_long) {
      if (sql_.substr(at_).starts_with(op)) {
        token.text = op;
        at_ += op.size();
        return;
      }
    }
    token.text = std::string(1, sql_[at_++]);
  }

  std::string_view sql_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Token> tokenize(std::string_view sql) { return Lexer(sql).run(); }

bool TokenCursor::accept(std::string_view word) {
  if (!peek().is(word)) return false;
  next();
  return true;
}
bool TokenCursor::accept_op(std::string_view op) {
  if (!peek().is_op(op)) return false;
  next();
  return true;
}
bool TokenCursor::accept_all(std::initializer_list<std::string_view> words) {
  std::size_t ahead = 0;
  for (const auto word : words) {
    if (!peek(ahead++).is(word)) return false;
  }
  at_ += ahead;
  return true;
}
void TokenCursor::expect(std::string_view word) {
  if (!accept(word)) fail();
}
void TokenCursor::expect_op(std::string_view op) {
  if (!accept_op(op)) fail();
}
void TokenCursor::expect_end() {
  accept_op(";");
  if (!done()) fail();
}
std::string TokenCursor::name() {
  if (!peek().is_name()) fail();
  return next().text;
}
std::string TokenCursor::string() {
  if (peek().kind != TokenKind::string) fail();
  return next().text;
}
std::int64_t TokenCursor::integer() {
  const bool negative = accept_op("-");
  const auto value =
      peek().kind == TokenKind::number ? parse_int(peek().text) : std::optional<std::int64_t>();
  if (!value) fail();
  next();
  return negative ? -*value : *value;
}

void TokenCursor::fail(const Token& token) const {
  if (token.kind == TokenKind::end) {
    throw SqlError(sqlstate::k_syntax_error, "syntax error at end of input", sql_.size() + 1);
  }
  throw SqlError(sqlstate::k_syntax_error,
                 "syntax error at or near \"" +
                     std::string(sql_.substr(token.begin, token.end - token.begin)) + "\"",
                 token.begin + 1);
}

std::string_view TokenCursor::slice(std::size_t from, std::size_t to) const {
  if (from >= to) return {};
  return sql_.substr(tokens_[from].begin, tokens_[to - 1].end - tokens_[from].begin);
}

void TokenCursor::skip_parentheses() {
  expect_op("(");
  for (int depth = 1; depth > 0;) {
    if (done()) fail();
    const Token& token = next();
    if (token.is_op("(")) ++depth;
    if (token.is_op(")")) --depth;
  }
}

ObjectName parse_object_name(TokenCursor& cursor) {
  ObjectName name;
  name.position = cursor.peek().begin + 1;
  name.name = cursor.name();
  if (cursor.accept_op(".")) {
    name.schema = std::exchange(name.name, cursor.name());
    if (cursor.accept_op(".")) {
      name.database = std::exchange(name.schema, std::exchange(name.name, cursor.name()));
    }
  }
  return name;
}

std::string quote_identifier(std::string_view name) {
  return '"' + replace_all(name, "\"", "\"\"") + '"';
}
std::string quote_literal(std::string_view text) {
  return '\'' + replace_all(text, "'", "''") + '\'';
}

std::vector<std::string> split_statements(const std::string& script) {
  std::vector<std::string> statements;
  const auto tokens = tokenize(script);
  std::size_t begin = 0;  // token index
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].is_op(";") && tokens[i].kind != TokenKind::end) continue;
    if (i > begin) {
      statements.push_back(
          script.substr(tokens[begin].begin, tokens[i - 1].end - tokens[begin].begin));
    }
    begin = i + 1;
  }
  return statements;
}

std::string number_parameters(const std::string& text, std::vector<std::string>& names) {
  std::string out;
  std::size_t copied = 0;
  const auto tokens = tokenize(text);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const Token& name = tokens[i + 1];
    // `a::type` is one token, and an array slice has no word right behind its colon.
    if (!tokens[i].is_op(":") || name.begin != tokens[i].end || name.kind != TokenKind::word) {
      continue;
    }
    const std::string exact = text.substr(name.begin, name.end - name.begin);
    auto found = std::find(names.begin(), names.end(), exact);
    if (found == names.end()) found = names.insert(names.end(), exact);
    out += text.substr(copied, tokens[i].begin - copied);
    out += '$' + std::to_string(found - names.begin() + 1);
    copied = name.end;
  }
  return out + text.substr(copied);
}

}  // namespace tarn::sql
