// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/query_text.hpp"

#include "base/strings.hpp"

namespace tarn::sql {

std::size_t QueryText::original_position(std::size_t offset) const {
  const Piece* best = nullptr;
  for (const Piece& piece : pieces) {
    if (piece.offset > offset) break;
    best = &piece;
  }
  return best ? best->original + 1 : 0;
}

namespace {

// DuckDB's own words that Redshift lets a column have, or whose DuckDB syntax it does not know.
bool must_be_quoted(const std::string& word) {
  static const std::vector<std::string_view> k_words = {
      "asof",         "anti",       "semi",        "positional",    "glob",    "lambda",
      "describe",     "summarize",  "variadic",    "macro",         "struct",  "map",
      "try_cast",     "columns",    "pivot_wider", "pivot_longer",  "sample",  "tablesample",
      "symmetric",    "asymmetric", "placing",     "authorization", "binary",  "collation",
      "concurrently", "freeze",     "generated",   "overlaps",      "try",     "unpack",
      "show",         "ignore",     "data",        "type",          "year",    "month",
      "day",          "hour",       "minute",      "second",        "quarter", "week"};
  return std::find(k_words.begin(), k_words.end(), word) != k_words.end();
}

class Writer {
 public:
  Writer(std::string_view sql, const std::vector<Token>& tokens) : sql_(sql), tokens_(tokens) {}

  QueryText run(TokenRange range) {
    write(range.from, range.to);
    return std::move(out_);
  }

 private:
  const Token& at(std::size_t i, std::size_t to) const {
    static const Token k_end;
    return i < to ? tokens_[i] : k_end;
  }

  void emit(const Token& token) { emit(token, spelling(token)); }
  void emit(const Token& token, std::string_view text) {
    // Blanks as in the original where tokens touched, so that `a.b` and `a . b` both survive.
    if (!out_.text.empty() && (out_.pieces.empty() || token.begin != last_end_)) out_.text += ' ';
    out_.pieces.push_back({out_.text.size(), token.begin});
    out_.text += text;
    last_end_ = token.end;
  }
  void emit(std::string_view text) {
    out_.text += ' ';
    out_.text += text;
    out_.text += ' ';
    last_end_ = std::string_view::npos;
  }

  std::string spelling(const Token& token) const {
    switch (token.kind) {
      case TokenKind::quoted: return quote_identifier(token.text);
      case TokenKind::word: return token.text[0] == '#' ? quote_identifier(token.text) : token.text;
      case TokenKind::string: return quote_literal(token.text);
      default: return std::string(sql_.substr(token.begin, token.end - token.begin));
    }
  }

  // The index behind the ')' that closes the '(' at `open`.
  std::size_t close_of(std::size_t open, std::size_t to) const {
    int depth = 0;
    for (std::size_t i = open; i < to; ++i) {
      if (tokens_[i].is_op("(")) ++depth;
      if (tokens_[i].is_op(")") && --depth == 0) return i + 1;
    }
    TokenCursor(tokens_, sql_).fail(tokens_[to]);
  }

  void write(std::size_t from, std::size_t to) {
    std::string limit;  // of the SELECT at this depth
    for (std::size_t i = from; i < to;) {
      const Token& token = tokens_[i];
      if (token.is_op("(")) {
        const std::size_t close = close_of(i, to);
        emit(token);
        write(i + 1, close - 1);
        i = close;
        // f(x) ignore nulls over → f(x ignore nulls) over
        if ((at(close, to).is("ignore") || at(close, to).is("respect")) &&
            at(close + 1, to).is("nulls")) {
          emit(tokens_[close].text + " nulls");
          i = close + 2;
        }
        emit(tokens_[close - 1]);
      } else if (token.kind == TokenKind::word) {
        i = write_word(i, from, to, limit);
      } else {
        check_operator(token);
        emit(token);
        ++i;
      }
    }
    if (!limit.empty()) emit("limit " + limit);
  }

  static void check_operator(const Token& token) {
    if (token.kind != TokenKind::op) return;
    for (const char* op : {"//", "->", "->>", "**", ":=", "?", "{", "}", "@"}) {
      if (token.text == op) not_supported(std::string("operator ") + op, token.begin + 1);
    }
  }

  // Writes what begins with the word at `i`; returns the index behind it.
  std::size_t write_word(std::size_t i, std::size_t from, std::size_t to, std::string& limit) {
    const Token& token = tokens_[i];
    const Token& next = at(i + 1, to);
    const bool after_dot = i > from && tokens_[i - 1].is_op(".");
    if (after_dot) {
      emit(token, quote_identifier(token.text));
      return i + 1;
    }
    if (token.is("select")) return write_select(i, to, limit);
    if (token.is("union") || token.is("intersect") || token.is("except") || token.is("minus")) {
      return write_set_operation(i, to, limit);
    }
    if (token.is("approximate") && (next.is("count") || next.is("percentile_disc"))) return i + 1;
    if (token.is("listagg") && next.is_op("(")) return write_listagg(i, to);
    if (token.is("convert") && next.is_op("(")) return write_convert(i, to);
    if (token.is("operator") && next.is_op("(")) {
      const std::size_t close = close_of(i + 1, to);
      emit(tokens_[close - 2]);
      return close;
    }
    if ((token.is("varchar") || token.is("varying")) && next.is_op("(") &&
        at(i + 2, to).is("max")) {
      emit(token);
      return i + 4;
    }
    if (token.is("similar") && next.is("to")) not_supported("SIMILAR TO", token.begin + 1);
    if (token.is("delete") && i == from && next.is_name() && !next.is("from")) {
      emit(token);
      emit("from");
      return i + 1;
    }
    if (next.kind == TokenKind::string && (token.is("date") || token.is("time") ||
                                           token.is("timestamp") || token.is("timestamptz"))) {
      return write_literal(i, i + 1, token.text);
    }
    if (token.is("timestamp") && next.is("with") && at(i + 2, to).is("time") &&
        at(i + 3, to).is("zone") && at(i + 4, to).kind == TokenKind::string) {
      return write_literal(i, i + 4, "timestamptz");
    }
    if (token.is("timestamp") || token.is("time") || token.is("interval")) {
      const bool zoned = next.is("with") && at(i + 2, to).is("time") && at(i + 3, to).is("zone");
      emit(token, zoned && token.is("timestamp") ? "timestamptz" : token.text);
      return zoned && token.is("timestamp") ? i + 4 : i + 1;
    }
    if ((token.is("char") || token.is("character") || token.is("nchar")) && i > from &&
        (tokens_[i - 1].is_op("::") ||
         (tokens_[i - 1].is("as") && (next.is_op("(") || i + 1 == to))) &&
        !next.is("varying")) {
      // DuckDB's grammar takes CHAR for VARCHAR.
      emit(token, next.is_op("(") ? "tarn_char" : "tarn_char(1)");
      return i + 1;
    }
    if (token.is("at") && !next.is("time")) {
      emit(token, "\"at\"");
      return i + 1;
    }
    if (must_be_quoted(token.text) && !next.is_op("(") && !is_unit(i, from)) {
      emit(token, quote_identifier(token.text));
      return i + 1;
    }
    emit(token);
    return i + 1;
  }

  // date '…' → cast('…' as date): DuckDB's parser would read the text itself.
  std::size_t write_literal(std::size_t i, std::size_t text, std::string_view type) {
    emit(tokens_[i], "cast(");
    emit(tokens_[text]);
    emit("as");
    emit(type);
    emit(")");
    return text + 1;
  }

  // `interval '1' day` and `extract(year from …)`: the word is a unit there.
  bool is_unit(std::size_t i, std::size_t from) const {
    if (i < from + 2) return false;
    const Token& before = tokens_[i - 1];
    if (before.kind == TokenKind::string && tokens_[i - 2].is("interval")) return true;
    if (before.is("ignore") || tokens_[i].is("ignore")) return true;  // IGNORE NULLS
    return false;
  }

  std::size_t write_select(std::size_t i, std::size_t to, std::string& limit) {
    emit(tokens_[i++]);
    if (at(i, to).is("distinct") || at(i, to).is("all")) emit(tokens_[i++]);
    if (!at(i, to).is("top")) return i;
    const bool parenthesised = at(i + 1, to).is_op("(");
    const Token& count = at(i + (parenthesised ? 2 : 1), to);
    if (count.kind != TokenKind::number && count.kind != TokenKind::parameter) return i;
    limit = spelling(count);
    return i + (parenthesised ? 4 : 2);
  }

  std::size_t write_set_operation(std::size_t i, std::size_t to, const std::string& limit) {
    if (!limit.empty()) not_supported("TOP inside of a set operation", tokens_[i].begin + 1);
    const Token& next = at(i + 1, to);
    if (tokens_[i].is("minus")) {
      if (next.is("select") || next.is("all") || next.is_op("("))
        emit(tokens_[i], "except");
      else
        emit(tokens_[i], "\"minus\"");
    } else {
      emit(tokens_[i]);
    }
    return i + 1;
  }

  // listagg(x, ',') within group (order by y) → listagg(x, ',' order by y)
  std::size_t write_listagg(std::size_t i, std::size_t to) {
    const std::size_t close = close_of(i + 1, to);
    emit(tokens_[i]);
    emit(tokens_[i + 1]);
    write(i + 2, close - 1);
    if (!at(close, to).is("within") || !at(close + 1, to).is("group")) {
      emit(tokens_[close - 1]);
      return close;
    }
    const std::size_t group_close = close_of(close + 2, to);
    write(close + 3, group_close - 1);
    emit(tokens_[group_close - 1]);
    return group_close;
  }

  // convert(type, x) → cast(x as type)
  std::size_t write_convert(std::size_t i, std::size_t to) {
    const std::size_t close = close_of(i + 1, to);
    int depth = 0;
    std::size_t comma = i + 2;
    for (; comma < close; ++comma) {
      if (tokens_[comma].is_op("(")) ++depth;
      if (tokens_[comma].is_op(")")) --depth;
      if (depth == 0 && tokens_[comma].is_op(",")) break;
    }
    if (comma >= close) TokenCursor(tokens_, sql_).fail(tokens_[i]);
    emit(tokens_[i], "cast");
    emit(tokens_[i + 1]);
    write(comma + 1, close - 1);
    emit("as");
    write(i + 2, comma);
    emit(tokens_[close - 1]);
    return close;
  }

  std::string_view sql_;
  const std::vector<Token>& tokens_;
  QueryText out_;
  std::size_t last_end_ = 0;
};

}  // namespace

QueryText write_query(std::string_view sql, const std::vector<Token>& tokens, TokenRange range) {
  return Writer(sql, tokens).run(range);
}

}  // namespace tarn::sql
