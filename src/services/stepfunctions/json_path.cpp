// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/json_path.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "base/strings.hpp"

namespace tarn::stepfunctions::asl {
namespace path {

// One side of a comparison, or a path tested for existence.
struct Operand {
  enum class Kind { literal, current, root, regex };
  Kind kind = Kind::literal;
  Json literal;
  std::vector<Step> steps;
  std::shared_ptr<const RE2> regex;
};

struct Filter {
  enum class Kind { all, any, negated, exists, compare };
  Kind kind = Kind::exists;
  std::vector<std::shared_ptr<const Filter>> parts;
  Operand left, right;
  std::string op;
};

namespace {

constexpr std::int64_t k_open = std::numeric_limits<std::int64_t>::max();

bool is_definite(const std::vector<Step>& steps) {
  return std::all_of(steps.begin(), steps.end(), [](const Step& step) {
    return step.kind == Step::Kind::name || step.kind == Step::Kind::index;
  });
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Step> steps(bool in_filter) {
    std::vector<Step> out;
    while (!done()) {
      if (peek() == '.') {
        ++at_;
        if (peek() == '.') {
          ++at_;
          out.push_back({Step::Kind::descend, {}, {}, {}});
          if (peek() == '[') continue;
        }
        out.push_back(dotted(in_filter));
      } else if (peek() == '[') {
        out.push_back(bracketed());
      } else if (in_filter) {
        break;
      } else {
        fail("unexpected character");
      }
    }
    if (!out.empty() && out.back().kind == Step::Kind::descend) fail("path must not end with ..");
    return out;
  }
  bool done() const { return at_ >= text_.size(); }
  std::string_view rest() const { return text_.substr(at_); }
  // A name that may follow `$` directly: a variable.
  std::string identifier() {
    const auto begin = at_;
    while (!done() && (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_')) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  void skip(std::size_t count) { at_ += count; }

 private:
  [[noreturn]] void fail(const char* why) const {
    throw BadPath(fmt::format("{} at position {} of '{}'", why, at_, text_));
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void spaces() {
    while (!done() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }
  void expect(char c) {
    spaces();
    if (peek() != c) fail("unexpected character");
    ++at_;
  }
  bool accept(std::string_view token) {
    spaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Step dotted(bool in_filter) {
    if (peek() == '*') {
      ++at_;
      return {Step::Kind::wildcard, {}, {}, {}};
    }
    const std::string_view stop = in_filter ? ".[]()=!<>&|, \t\n~" : ".[ \t\n\r()";
    const auto begin = at_;
    while (!done() && stop.find(peek()) == std::string_view::npos) ++at_;
    if (begin == at_) fail("a name is missing");
    return {Step::Kind::name, {std::string(text_.substr(begin, at_ - begin))}, {}, {}};
  }

  std::string quoted() {
    const char quote = peek();
    ++at_;
    std::string out;
    while (!done() && peek() != quote) {
      // Only the quote itself is escaped; other backslashes belong to the name (recorded from AWS).
      if (peek() == '\\' && peek(1) == quote) ++at_;
      out.push_back(peek());
      ++at_;
    }
    if (done()) fail("a quote is not closed");
    ++at_;
    return out;
  }

  std::optional<std::int64_t> integer() {
    spaces();
    const auto begin = at_;
    if (peek() == '-') ++at_;
    while (std::isdigit(static_cast<unsigned char>(peek()))) ++at_;
    if (begin == at_) return std::nullopt;
    const auto value = parse_int(text_.substr(begin, at_ - begin));
    if (!value) fail("not an index");
    spaces();
    return value;
  }

  Step bracketed() {
    ++at_;
    spaces();
    if (peek() == '?') return filtered();
    if (peek() == '*') {
      ++at_;
      expect(']');
      return {Step::Kind::wildcard, {}, {}, {}};
    }
    if (peek() == '\'' || peek() == '"') return named();
    Step step{Step::Kind::index, {}, {}, {}};
    const auto first = integer();
    if (peek() == ':') {
      ++at_;
      step.kind = Step::Kind::slice;
      const auto last = integer();
      if (!first && !last) fail("a slice needs a bound");
      step.indices = {first.value_or(k_open), last.value_or(k_open)};
    } else {
      if (!first) fail("an index is missing");
      step.indices.push_back(*first);
      while (peek() == ',') {
        ++at_;
        const auto next = integer();
        if (!next) fail("an index is missing");
        step.kind = Step::Kind::indices;
        step.indices.push_back(*next);
      }
    }
    expect(']');
    return step;
  }

  Step named() {
    Step step{Step::Kind::name, {quoted()}, {}, {}};
    spaces();
    while (peek() == ',') {
      ++at_;
      spaces();
      if (peek() != '\'' && peek() != '"') fail("a name is missing");
      step.kind = Step::Kind::names;
      step.names.push_back(quoted());
      spaces();
    }
    expect(']');
    return step;
  }

  Step filtered() {
    ++at_;
    expect('(');
    auto filter = any_of();
    expect(')');
    expect(']');
    return {Step::Kind::filter, {}, {}, std::move(filter)};
  }

  std::shared_ptr<const Filter> joined(Filter::Kind kind, std::string_view token,
                                       std::shared_ptr<const Filter> (Parser::*part)()) {
    auto first = (this->*part)();
    if (!accept(token)) return first;
    auto out = std::make_shared<Filter>();
    out->kind = kind;
    out->parts.push_back(std::move(first));
    do out->parts.push_back((this->*part)());
    while (accept(token));
    return out;
  }
  std::shared_ptr<const Filter> any_of() {
    return joined(Filter::Kind::any, "||", &Parser::all_of);
  }
  std::shared_ptr<const Filter> all_of() { return joined(Filter::Kind::all, "&&", &Parser::term); }

  std::shared_ptr<const Filter> term() {
    if (++depth_ > 32) fail("filters nest too deep");
    spaces();
    auto out = std::make_shared<Filter>();
    if (peek() == '!' && peek(1) != '=') {
      ++at_;
      out->kind = Filter::Kind::negated;
      out->parts.push_back(term());
      --depth_;
      return out;
    }
    if (accept("(")) {
      auto inner = any_of();
      expect(')');
      --depth_;
      return inner;
    }
    out->left = operand();
    static constexpr std::string_view k_ops[] = {"==", "!=", "<=",  ">=",       "=~",   "<",
                                                 ">",  "in", "nin", "contains", "size", "empty"};
    for (const auto op : k_ops) {
      if (!accept(op)) continue;
      out->kind = Filter::Kind::compare;
      out->op = op;
      out->right = operand();
      break;
    }
    if (out->kind == Filter::Kind::exists && out->left.kind == Operand::Kind::literal) {
      fail("a filter must compare something");
    }
    --depth_;
    return out;
  }

  Operand operand() {
    spaces();
    Operand out;
    if (peek() == '@' || peek() == '$') {
      out.kind = peek() == '@' ? Operand::Kind::current : Operand::Kind::root;
      ++at_;
      out.steps = steps(true);
      return out;
    }
    if (peek() == '\'' || peek() == '"') {
      out.literal = Json(quoted());
      return out;
    }
    if (peek() == '/') {
      out.kind = Operand::Kind::regex;
      out.regex = regex();
      return out;
    }
    out.literal = bare_literal();
    return out;
  }

  std::shared_ptr<const RE2> regex() {
    std::string pattern;
    for (++at_; !done() && peek() != '/'; ++at_) {
      if (peek() == '\\' && peek(1) == '/') ++at_;
      pattern.push_back(peek());
    }
    if (done()) fail("a regular expression is not closed");
    ++at_;
    RE2::Options options(RE2::Quiet);
    if (peek() == 'i') {
      options.set_case_sensitive(false);
      ++at_;
    }
    auto compiled = std::make_shared<RE2>(pattern, options);
    if (!compiled->ok()) fail("not a regular expression");
    return compiled;
  }

  Json bare_literal() {
    if (peek() == '[') {  // a list, for `in`
      const auto close = text_.find(']', at_);
      if (close == std::string_view::npos) fail("a list is not closed");
      std::string list(text_.substr(at_, close - at_ + 1));
      std::replace(list.begin(), list.end(), '\'', '"');
      at_ = close + 1;
      try {
        return parse_json(list);
      } catch (const JsonError&) {
        fail("not a list");
      }
    }
    const auto begin = at_;
    while (!done() && std::string_view(" )]&|=!<>,").find(peek()) == std::string_view::npos) ++at_;
    try {
      return parse_json(text_.substr(begin, at_ - begin));
    } catch (const JsonError&) {
      fail("not a literal");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

using Visit = std::function<void(const Json&)>;
void walk(const std::vector<Step>& steps, std::size_t at, const Json& node, const Json& root,
          const Visit& visit);
bool holds(const Filter& filter, const Json& current, const Json& root);

// The values of one side of a comparison: one for a definite path, a list for another.
std::optional<Json> operand_value(const Operand& operand, const Json& current, const Json& root) {
  if (operand.kind == Operand::Kind::literal) return operand.literal;
  if (operand.kind == Operand::Kind::regex) return std::nullopt;
  const Json& base = operand.kind == Operand::Kind::current ? current : root;
  JsonArray found;
  walk(operand.steps, 0, base, root, [&](const Json& value) { found.push_back(value); });
  if (!is_definite(operand.steps)) return Json(std::move(found));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::optional<int> order(const Json& left, const Json& right) {
  if (left.is_string() && right.is_string()) {
    return json_text(left.get_string()).compare(json_text(right.get_string()));
  }
  if (left.is_number() && right.is_number()) {
    const double a = left.to_number<double>();
    const double b = right.to_number<double>();
    return a < b ? -1 : (a > b ? 1 : 0);
  }
  return std::nullopt;
}

bool contains(const Json& list, const Json& item) {
  if (list.is_array()) {
    const auto& items = list.get_array();
    return std::any_of(items.begin(), items.end(),
                       [&](const Json& each) { return json_equal(each, item); });
  }
  return list.is_string() && item.is_string() &&
         json_text(list.get_string()).find(json_text(item.get_string())) != std::string_view::npos;
}

std::optional<std::size_t> length_of(const Json& value) {
  if (value.is_array()) return value.get_array().size();
  if (value.is_string()) return value.get_string().size();
  return std::nullopt;
}

bool compares(const Filter& filter, const Json& current, const Json& root) {
  const auto left = operand_value(filter.left, current, root);
  const std::string& op = filter.op;
  if (op == "=~") {
    return left && left->is_string() && filter.right.regex &&
           RE2::FullMatch(std::string(json_text(left->get_string())), *filter.right.regex);
  }
  const auto right = operand_value(filter.right, current, root);
  if (op == "==") return left && right && json_equal(*left, *right);
  if (op == "!=") return !left || !right || !json_equal(*left, *right);
  if (!left || !right) return false;
  if (op == "in") return contains(*right, *left);
  if (op == "nin") return !contains(*right, *left);
  if (op == "contains") return contains(*left, *right);
  if (op == "size") {
    const auto size = length_of(*left);
    return size && right->is_number() && right->to_number<double>() == static_cast<double>(*size);
  }
  if (op == "empty") {
    const auto size = length_of(*left);
    return size && right->is_bool() && right->get_bool() == (*size == 0);
  }
  const auto ordered = order(*left, *right);
  if (!ordered) return false;
  if (op == "<") return *ordered < 0;
  if (op == "<=") return *ordered <= 0;
  if (op == ">") return *ordered > 0;
  return *ordered >= 0;
}

bool holds(const Filter& filter, const Json& current, const Json& root) {
  switch (filter.kind) {
    case Filter::Kind::all:
      return std::all_of(filter.parts.begin(), filter.parts.end(),
                         [&](const auto& part) { return holds(*part, current, root); });
    case Filter::Kind::any:
      return std::any_of(filter.parts.begin(), filter.parts.end(),
                         [&](const auto& part) { return holds(*part, current, root); });
    case Filter::Kind::negated: return !holds(*filter.parts.front(), current, root);
    case Filter::Kind::exists: {
      const auto value = operand_value(filter.left, current, root);
      return value && (is_definite(filter.left.steps) || !value->get_array().empty());
    }
    case Filter::Kind::compare: return compares(filter, current, root);
  }
  return false;
}

const Json* item_at(const Json& node, std::int64_t index) {
  if (!node.is_array()) return nullptr;
  const auto& items = node.get_array();
  const auto size = static_cast<std::int64_t>(items.size());
  if (index < 0) index += size;
  return index >= 0 && index < size ? &items[static_cast<std::size_t>(index)] : nullptr;
}

void each_child(const Json& node, const Visit& visit) {
  if (node.is_array()) {
    for (const auto& item : node.get_array()) visit(item);
  } else if (node.is_object()) {
    for (const auto& member : node.get_object()) visit(member.value());
  }
}

void descend(const Json& node, const Visit& visit) {
  visit(node);
  each_child(node, [&](const Json& child) { descend(child, visit); });
}

void walk_slice(const Step& step, const Json& node, const Visit& next) {
  if (!node.is_array()) return;
  const auto& items = node.get_array();
  const auto size = static_cast<std::int64_t>(items.size());
  const auto bound = [&](std::int64_t value, std::int64_t open) {
    if (value == k_open) return open;
    return std::clamp<std::int64_t>(value < 0 ? value + size : value, 0, size);
  };
  const auto end = bound(step.indices[1], size);
  for (auto i = bound(step.indices[0], 0); i < end; ++i) next(items[static_cast<std::size_t>(i)]);
}

void walk(const std::vector<Step>& steps, std::size_t at, const Json& node, const Json& root,
          const Visit& visit) {
  if (at == steps.size()) return visit(node);
  const Step& step = steps[at];
  const Visit next = [&](const Json& child) { walk(steps, at + 1, child, root, visit); };
  switch (step.kind) {
    case Step::Kind::name:
    case Step::Kind::names:
      for (const auto& name : step.names) {
        if (const Json* member = find_member(node, name)) next(*member);
      }
      return;
    case Step::Kind::index:
    case Step::Kind::indices:
      for (const auto index : step.indices) {
        if (const Json* item = item_at(node, index)) next(*item);
      }
      return;
    case Step::Kind::slice: return walk_slice(step, node, next);
    case Step::Kind::wildcard: return each_child(node, next);
    case Step::Kind::filter:
      if (node.is_object()) {
        if (holds(*step.filter, node, root)) next(node);
        return;
      }
      each_child(node, [&](const Json& child) {
        if (holds(*step.filter, child, root)) next(child);
      });
      return;
    case Step::Kind::descend: return descend(node, next);
  }
}

const char* java_class(const Json& value) {
  switch (value.kind()) {
    case JsonKind::string: return "java.lang.String";
    case JsonKind::int64:
    case JsonKind::uint64: return "java.lang.Integer";
    case JsonKind::double_: return "java.lang.Double";
    case JsonKind::bool_: return "java.lang.Boolean";
    case JsonKind::array: return "java.util.ArrayList";
    default: return "null";
  }
}

std::string normalized(const std::vector<Step>& steps, std::size_t count) {
  std::string out = "$";
  for (std::size_t i = 0; i < count; ++i) {
    out += steps[i].kind == Step::Kind::name ? fmt::format("['{}']", steps[i].names.front())
                                             : fmt::format("[{}]", steps[i].indices.front());
  }
  return out;
}

[[noreturn]] void not_found(const std::vector<Step>& steps, std::size_t at, const Json& node) {
  const Step& step = steps[at];
  const bool last = at + 1 == steps.size();
  const std::string here = normalized(steps, at);
  const std::string there = normalized(steps, at + 1);
  if (step.kind == Step::Kind::name) {
    if (!node.is_object() && !node.is_null()) {
      throw PathNotFound(fmt::format(
          "Expected to find an object with property ['{}'] in path {} but found '{}'. This is not "
          "a json object according to the JsonProvider: "
          "'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
          step.names.front(), here, java_class(node)));
    }
    throw PathNotFound((last ? "No results for path: " : "Missing property in path ") + there);
  }
  if (!node.is_array()) {
    throw PathNotFound(
        fmt::format("Filter: [{}] can only be applied to arrays. Current context is: {}",
                    step.indices.front(), dump_json(node)));
  }
  throw PathNotFound("No results for path: " + there);
}

}  // namespace
}  // namespace path

JsonPath JsonPath::parse(std::string_view text) {
  JsonPath out;
  out.text_ = text;
  if (!text.starts_with('$')) throw BadPath("a path begins with $");
  path::Parser parser(text);
  parser.skip(1);
  if (parser.rest().starts_with('$')) {
    out.root_ = Root::context;
    parser.skip(1);
  } else {
    out.variable_ = parser.identifier();
    if (!out.variable_.empty()) out.root_ = Root::variable;
  }
  out.steps_ = parser.steps(false);
  out.definite_ = path::is_definite(out.steps_);
  return out;
}

bool JsonPath::is_reference() const {
  return std::all_of(steps_.begin(), steps_.end(), [](const path::Step& step) {
    return step.kind == path::Step::Kind::name ||
           (step.kind == path::Step::Kind::index && step.indices.front() >= 0);
  });
}

const Json* JsonPath::find_or_null(const Json& document) const noexcept {
  const Json* node = &document;
  for (const auto& step : steps_) {
    node = step.kind == path::Step::Kind::name ? find_member(*node, step.names.front())
                                               : path::item_at(*node, step.indices.front());
    if (!node) return nullptr;
  }
  return node;
}

const Json& JsonPath::find(const Json& document) const {
  const Json* node = &document;
  for (std::size_t at = 0; at < steps_.size(); ++at) {
    const auto& step = steps_[at];
    const Json* next = step.kind == path::Step::Kind::name
                           ? find_member(*node, step.names.front())
                           : path::item_at(*node, step.indices.front());
    if (!next) path::not_found(steps_, at, *node);
    node = next;
  }
  return *node;
}

JsonArray JsonPath::collect(const Json& document) const {
  JsonArray out;
  path::walk(steps_, 0, document, document, [&](const Json& value) { out.push_back(value); });
  return out;
}

Json JsonPath::evaluate(const Json& document) const {
  if (definite_) return find(document);
  return Json(collect(document));
}

Json put_at(Json document, const JsonPath& where, Json value) {
  Json* node = &document;
  const auto& steps = where.steps();
  for (std::size_t at = 0; at < steps.size(); ++at) {
    const auto& step = steps[at];
    if (step.kind == path::Step::Kind::name) {
      if (node->is_null()) node->emplace_object();
      if (!node->is_object()) {
        throw PathNotFound("Unable to apply ReferencePath " + where.text());
      }
      node = &node->get_object()[step.names.front()];
      continue;
    }
    const auto index = static_cast<std::size_t>(step.indices.front());
    if (!node->is_array() || index >= node->get_array().size()) {
      throw PathNotFound("Unable to apply ReferencePath " + where.text());
    }
    node = &node->get_array()[index];
  }
  *node = std::move(value);
  return document;
}

}  // namespace tarn::stepfunctions::asl
