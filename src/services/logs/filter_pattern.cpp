// SPDX-License-Identifier: Apache-2.0
#include "services/logs/filter_pattern.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <cctype>
#include <optional>

#include "base/strings.hpp"

namespace tarn::logs {
namespace {

using Condition = std::function<bool(const Json&)>;

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  char take() { return text_[at_++]; }
  void skip_space() {
    while (!done() && std::isspace(static_cast<unsigned char>(peek()))) ++at_;
  }
  // The next non-space text, if it is `word`; a word must end where it ends.
  bool accept(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    if (std::isalpha(static_cast<unsigned char>(word.back())) && end < text_.size() &&
        std::isalnum(static_cast<unsigned char>(text_[end]))) {
      return false;
    }
    at_ = end;
    return true;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw BadPattern(fmt::format("Invalid filter pattern: {} at position {}", what, at_ + 1));
  }
  void expect(std::string_view word) {
    if (!accept(word)) fail(fmt::format("expected '{}'", word));
  }
  // After the opening quote.
  std::string quoted(char end) {
    std::string text;
    for (;;) {
      if (done()) fail("a quote is not closed");
      const char c = take();
      if (c == end) return text;
      if (c == '\\' && (peek() == end || peek() == '\\'))
        text.push_back(take());
      else
        text.push_back(c);
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::shared_ptr<const re2::RE2> compile(const std::string& expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<const re2::RE2>(expression, options);
  if (!compiled->ok()) {
    throw BadPattern(fmt::format("Invalid filter pattern: {}", compiled->error()));
  }
  return compiled;
}

bool ordered(double left, double right, std::string_view op) {
  if (op == "=") return left == right;
  if (op == "!=") return left != right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

// ---- { $.selector = value && … }

using Selector = std::vector<std::string>;  // "[3]" is an index

const Json* select(const Json& root, const Selector& selector) {
  const Json* value = &root;
  for (const auto& step : selector) {
    if (step.starts_with('[')) {
      const auto index = parse_uint(std::string_view(step).substr(1, step.size() - 2));
      const auto* items = value->if_array();
      if (!items || !index || *index >= items->size()) return nullptr;
      value = &(*items)[*index];
    } else {
      value = find_member(*value, step);
      if (!value) return nullptr;
    }
  }
  return value;
}

class JsonConditionParser {
 public:
  explicit JsonConditionParser(std::string_view text) : cursor_(text) {}

  Condition run() {
    cursor_.expect("{");
    Condition condition = any_of();
    cursor_.expect("}");
    cursor_.skip_space();
    if (!cursor_.done()) cursor_.fail("text behind '}'");
    return condition;
  }

 private:
  Condition any_of() {
    Condition left = all_of();
    while (cursor_.accept("||")) {
      left = [left, right = all_of()](const Json& json) { return left(json) || right(json); };
    }
    return left;
  }

  Condition all_of() {
    Condition left = one();
    while (cursor_.accept("&&")) {
      left = [left, right = one()](const Json& json) { return left(json) && right(json); };
    }
    return left;
  }

  Condition one() {
    if (cursor_.accept("(")) {
      Condition inner = any_of();
      cursor_.expect(")");
      return inner;
    }
    Selector selector = read_selector();
    if (cursor_.accept("NOT EXISTS")) {
      return [selector](const Json& json) { return select(json, selector) == nullptr; };
    }
    if (cursor_.accept("EXISTS")) {
      return [selector](const Json& json) { return select(json, selector) != nullptr; };
    }
    if (cursor_.accept("IS")) return is(std::move(selector));
    for (const char* op : {"!=", "<=", ">=", "=", "<", ">"}) {
      if (cursor_.accept(op)) return compare(std::move(selector), op);
    }
    cursor_.fail("expected a comparison");
  }

  Condition is(Selector selector) {
    for (const char* word : {"NULL", "TRUE", "FALSE"}) {
      if (!cursor_.accept(word)) continue;
      const std::string wanted = word;
      return [selector, wanted](const Json& json) {
        const Json* value = select(json, selector);
        if (!value) return false;
        if (wanted == "NULL") return value->is_null();
        return value->is_bool() && value->get_bool() == (wanted == "TRUE");
      };
    }
    cursor_.fail("expected NULL, TRUE or FALSE");
  }

  Selector read_selector() {
    cursor_.expect("$");
    Selector selector;
    for (;;) {
      if (cursor_.peek() == '.') {
        cursor_.take();
        if (cursor_.peek() != '[') {
          selector.push_back(read_name());
          continue;
        }
      }
      if (cursor_.peek() != '[') return selector;
      cursor_.take();
      if (cursor_.peek() == '\'' || cursor_.peek() == '"') {
        selector.push_back(cursor_.quoted(cursor_.take()));
      } else {
        selector.push_back("[" + read_name() + "]");
      }
      cursor_.expect("]");
    }
  }

  std::string read_name() {
    std::string name;
    while (std::isalnum(static_cast<unsigned char>(cursor_.peek())) || cursor_.peek() == '_' ||
           cursor_.peek() == '-' || cursor_.peek() == '@') {
      name.push_back(cursor_.take());
    }
    if (name.empty()) cursor_.fail("expected a property");
    return name;
  }

  std::string read_bare() {
    std::string text;
    while (!cursor_.done() &&
           std::string_view(" \t\n)}&|").find(cursor_.peek()) == std::string_view::npos) {
      text.push_back(cursor_.take());
    }
    if (text.empty()) cursor_.fail("expected a value");
    return text;
  }

  Condition compare(Selector selector, std::string op) {
    cursor_.skip_space();
    if (cursor_.peek() == '%') {
      cursor_.take();
      return compare_expression(std::move(selector), op, cursor_.quoted('%'));
    }
    const bool quoted = cursor_.peek() == '"';
    if (quoted) cursor_.take();
    const std::string text = quoted ? cursor_.quoted('"') : read_bare();
    const auto number = quoted ? std::nullopt : parse_double(text);
    if (op != "=" && op != "!=" && !number) cursor_.fail("only numbers can be ordered");
    return [selector, op, text, number](const Json& json) {
      const Json* value = select(json, selector);
      if (!value) return false;
      if (number && value->is_number()) return ordered(value->to_number<double>(), *number, op);
      if (op != "=" && op != "!=") return false;
      const bool equal = value->is_string()   ? glob_match(text, json_text(value->get_string()))
                         : value->is_number() ? glob_match(text, dump_json(*value))
                                              : false;
      return equal == (op == "=");
    };
  }

  Condition compare_expression(Selector selector, const std::string& op, const std::string& text) {
    if (op != "=" && op != "!=") cursor_.fail("expressions can only be equal or not");
    const auto expression = compile(text);
    return [selector, expression, wanted = op == "="](const Json& json) {
      const Json* value = select(json, selector);
      if (!value || !value->is_string()) return false;
      return re2::RE2::PartialMatch(std::string(json_text(value->get_string())), *expression) ==
             wanted;
    };
  }

  Cursor cursor_;
};

// ---- [ip, user, ..., status = 4*, bytes > 1000]

using Fields = std::vector<std::string>;

// A line's fields: between spaces, or within "…" or […].
Fields fields_of(std::string_view message) {
  Fields fields;
  std::size_t at = 0;
  while (at < message.size()) {
    if (std::isspace(static_cast<unsigned char>(message[at]))) {
      ++at;
      continue;
    }
    const char open = message[at];
    const char close = open == '"' ? '"' : open == '[' ? ']' : ' ';
    if (close != ' ') ++at;
    const auto end = std::min(message.find(close, at), message.size());
    fields.emplace_back(message.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

class FieldsParser {
 public:
  explicit FieldsParser(std::string_view text) : cursor_(text) {}

  std::function<bool(const Fields&)> run() {
    cursor_.expect("[");
    do {
      if (cursor_.accept("...")) {
        if (gap_) cursor_.fail("a second '...'");
        gap_ = conditions_.size();
        continue;
      }
      conditions_.push_back(any_of());
    } while (cursor_.accept(","));
    cursor_.expect("]");
    cursor_.skip_space();
    if (!cursor_.done()) cursor_.fail("text behind ']'");
    return [conditions = conditions_, gap = gap_](const Fields& fields) {
      if (gap ? fields.size() < conditions.size() : fields.size() != conditions.size()) {
        return false;
      }
      const std::size_t skipped = fields.size() - conditions.size();
      for (std::size_t i = 0; i < conditions.size(); ++i) {
        if (!conditions[i](fields[gap && i >= *gap ? i + skipped : i])) return false;
      }
      return true;
    };
  }

 private:
  using FieldCondition = std::function<bool(const std::string&)>;

  FieldCondition any_of() {
    FieldCondition left = all_of();
    while (cursor_.accept("||")) {
      left = [left, right = all_of()](const std::string& field) {
        return left(field) || right(field);
      };
    }
    return left;
  }

  FieldCondition all_of() {
    FieldCondition left = one();
    while (cursor_.accept("&&")) {
      left = [left, right = one()](const std::string& field) {
        return left(field) && right(field);
      };
    }
    return left;
  }

  // "name", or "name op value". The names say nothing but where they stand.
  FieldCondition one() {
    if (cursor_.accept("(")) {
      FieldCondition inner = any_of();
      cursor_.expect(")");
      return inner;
    }
    cursor_.skip_space();
    if (word("=<>!").empty()) cursor_.fail("expected a field's name");
    for (const std::string op : {"!=", "<=", ">=", "=", "<", ">"}) {
      if (cursor_.accept(op)) return compare(op);
    }
    return [](const std::string&) { return true; };
  }

  FieldCondition compare(const std::string& op) {
    cursor_.skip_space();
    const bool equality = op == "=" || op == "!=";
    const char quote = cursor_.peek();
    if (quote == '%' && equality) {
      cursor_.take();
      const auto expression = compile(cursor_.quoted('%'));
      return [expression, wanted = op == "="](const std::string& field) {
        return re2::RE2::PartialMatch(field, *expression) == wanted;
      };
    }
    if (quote == '"') cursor_.take();
    const std::string text = quote == '"' ? cursor_.quoted('"') : word("");
    if (text.empty() && quote != '"') cursor_.fail("expected a value");
    const auto number = quote == '"' ? std::nullopt : parse_double(text);
    if (!equality && !number) cursor_.fail("only numbers can be ordered");
    return [op, text, number, equality](const std::string& field) {
      const auto value = number ? parse_double(field) : std::nullopt;
      if (value) return ordered(*value, *number, op);
      return equality && glob_match(text, field) == (op == "=");
    };
  }

  std::string word(std::string_view more_ends) {
    std::string text;
    while (!cursor_.done() && !std::isspace(static_cast<unsigned char>(cursor_.peek())) &&
           std::string_view(",])(&|").find(cursor_.peek()) == std::string_view::npos &&
           more_ends.find(cursor_.peek()) == std::string_view::npos) {
      text.push_back(cursor_.take());
    }
    return text;
  }

  Cursor cursor_;
  std::vector<FieldCondition> conditions_;
  std::optional<std::size_t> gap_;
};

}  // namespace

// ---- ERROR "not found" -debug

class TermParser {
 public:
  using Term = FilterPattern::Term;
  explicit TermParser(std::string_view text) : cursor_(text) {}

  std::vector<Term> run() {
    std::vector<Term> terms;
    bool required = false;
    for (cursor_.skip_space(); !cursor_.done(); cursor_.skip_space()) {
      terms.push_back(one());
      required |= terms.back().role == Term::Role::required;
    }
    // As in AWS, optional terms beside required ones have no effect.
    if (required) {
      std::erase_if(terms, [](const Term& term) { return term.role == Term::Role::any; });
    }
    return terms;
  }

 private:
  Term one() {
    Term term;
    if (cursor_.peek() == '-') term.role = Term::Role::excluded;
    if (cursor_.peek() == '?') term.role = Term::Role::any;
    if (term.role != Term::Role::required) cursor_.take();
    if (cursor_.peek() == '"') {
      cursor_.take();
      term.text = cursor_.quoted('"');
    } else if (cursor_.peek() == '%') {
      cursor_.take();
      term.expression = compile(cursor_.quoted('%'));
    } else {
      while (std::isalnum(static_cast<unsigned char>(cursor_.peek())) || cursor_.peek() == '_' ||
             static_cast<unsigned char>(cursor_.peek()) >= 0x80) {
        term.text.push_back(cursor_.take());
      }
      if (term.text.empty() ||
          (!cursor_.done() && !std::isspace(static_cast<unsigned char>(cursor_.peek())))) {
        cursor_.fail("a term with other characters than letters and digits must be in quotes");
      }
    }
    return term;
  }

  Cursor cursor_;
};

bool FilterPattern::Term::found_in(std::string_view message) const {
  if (expression) {
    return re2::RE2::PartialMatch(re2::StringPiece(message.data(), message.size()), *expression);
  }
  return message.find(text) != std::string_view::npos;
}

FilterPattern FilterPattern::parse(std::string_view text) {
  FilterPattern pattern;
  const std::string_view trimmed = trim(text);
  if (trimmed.starts_with('{')) {
    pattern.json_ = JsonConditionParser(trimmed).run();
  } else if (trimmed.starts_with('[')) {
    pattern.fields_ = [wanted = FieldsParser(trimmed).run()](std::string_view message) {
      return wanted(fields_of(message));
    };
  } else {
    pattern.terms_ = TermParser(trimmed).run();
  }
  return pattern;
}

bool FilterPattern::matches(std::string_view message) const {
  if (fields_) return fields_(message);
  if (json_) {
    const std::string_view text = trim(message);
    if (!text.starts_with('{') && !text.starts_with('[')) return false;
    try {
      return json_(parse_json(text));
    } catch (const JsonError&) {
      return false;
    }
  }
  bool any_wanted = false, any_found = false;
  for (const auto& term : terms_) {
    const bool found = term.found_in(message);
    if (term.role == Term::Role::required && !found) return false;
    if (term.role == Term::Role::excluded && found) return false;
    if (term.role == Term::Role::any) {
      any_wanted = true;
      any_found |= found;
    }
  }
  return !any_wanted || any_found;
}

}  // namespace tarn::logs
