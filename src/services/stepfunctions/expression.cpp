// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/expression.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/strings.hpp"
#include "services/stepfunctions/intrinsics.hpp"

namespace tarn::stepfunctions::asl {

struct Expression::Argument {
  std::shared_ptr<const Expression> expression;  // a path or a call; else the literal
  Json literal;
  std::string raw;  // of a string literal
  bool is_text = false;
};

struct Expression::Call {
  std::string name;
  std::vector<Argument> arguments;
};

namespace {

constexpr int k_nesting_max = 10;

class CallParser {
 public:
  explicit CallParser(std::string_view text) : text_(text) {}

  std::shared_ptr<const Expression::Call> whole() {
    auto out = call(0);
    spaces();
    if (at_ != text_.size()) fail();
    return out;
  }

 private:
  [[noreturn]] void fail() const { throw BadPath("not an intrinsic function call"); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void spaces() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  std::shared_ptr<const Expression::Call> call(int depth) {
    if (depth == k_nesting_max) fail();
    spaces();
    const auto open = text_.find('(', at_);
    if (open == std::string_view::npos) fail();
    auto out = std::make_shared<Expression::Call>();
    out->name = std::string(trim(text_.substr(at_, open - at_)));
    if (!is_intrinsic(out->name)) fail();
    at_ = open + 1;
    spaces();
    if (peek() == ')') {
      ++at_;
    } else {
      for (;;) {
        out->arguments.push_back(argument(depth));
        spaces();
        const char c = peek();
        ++at_;
        if (c == ')') break;
        if (c != ',') fail();
      }
    }
    if (!accepts_arguments(out->name, out->arguments.size())) fail();
    return out;
  }

  Expression::Argument argument(int depth) {
    spaces();
    Expression::Argument out;
    if (peek() == '\'') {
      out.is_text = true;
      out.literal = Json(quoted(out.raw));
      return out;
    }
    if (peek() == '$') {
      out.expression = std::make_shared<Expression>(Expression::path(path()));
      return out;
    }
    if (text_.substr(at_).starts_with("States.")) {
      const auto begin = at_;
      call(depth + 1);  // finds the end
      out.expression =
          std::make_shared<Expression>(Expression::parse(text_.substr(begin, at_ - begin)));
      return out;
    }
    const auto begin = at_;
    while (at_ < text_.size() &&
           std::string_view(",) \t\n\r").find(peek()) == std::string_view::npos) {
      ++at_;
    }
    try {
      out.literal = parse_json(text_.substr(begin, at_ - begin));
    } catch (const JsonError&) {
      fail();
    }
    if (out.literal.is_object() || out.literal.is_array() || out.literal.is_string()) fail();
    return out;
  }

  // Only \' \{ \} and \\ are escapes; everything else behind a backslash is an error, as in AWS.
  std::string quoted(std::string& raw) {
    std::string out;
    for (++at_; peek() != '\''; ++at_) {
      if (at_ >= text_.size()) fail();
      if (peek() == '\\') {
        raw.push_back(text_[at_++]);
        if (std::string_view("'{}\\").find(peek()) == std::string_view::npos || !peek()) fail();
      }
      raw.push_back(peek());
      out.push_back(peek());
    }
    ++at_;
    return out;
  }

  // Up to the comma or parenthesis that is not inside brackets or quotes.
  JsonPath path() {
    const auto begin = at_;
    int open = 0;
    char quote = '\0';
    for (; at_ < text_.size(); ++at_) {
      const char c = peek();
      if (quote) {
        if (c == '\\') {
          ++at_;
        } else if (c == quote) {
          quote = '\0';
        }
      } else if (open > 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == '[' || c == '(') {
        ++open;
      } else if (c == ']' || (c == ')' && open > 0)) {
        --open;
      } else if (open == 0 && (c == ',' || c == ')')) {
        break;
      }
    }
    return JsonPath::parse(trim(text_.substr(begin, at_ - begin)));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Expression Expression::parse(std::string_view text) {
  Expression out;
  out.text_ = text;
  if (text.starts_with('$')) {
    out.path_ = JsonPath::parse(text);
  } else {
    out.call_ = CallParser(text).whole();
  }
  return out;
}

Expression Expression::path(JsonPath path) {
  Expression out;
  out.text_ = path.text();
  out.path_ = std::move(path);
  return out;
}

const Json& Expression::root_of(Bindings& bindings) const {
  switch (path_.root()) {
    case JsonPath::Root::input: return bindings.input();
    case JsonPath::Root::context: return bindings.context();
    case JsonPath::Root::variable: break;
  }
  if (const Json* value = bindings.variable(path_.variable())) return *value;
  throw EvaluationError("States.Runtime",
                        fmt::format("The variable '{}' referenced by the JSONPath '{}' is not "
                                    "defined",
                                    path_.variable(), text_));
}

const Json* Expression::find_or_null(Bindings& bindings) const {
  if (path_.root() == JsonPath::Root::variable && !bindings.variable(path_.variable())) {
    return nullptr;
  }
  return path_.find_or_null(root_of(bindings));
}

void Expression::add_variables(std::set<std::string>& names) const {
  if (!call_) {
    if (path_.root() == JsonPath::Root::variable) names.insert(path_.variable());
    return;
  }
  for (const auto& argument : call_->arguments) {
    if (argument.expression) argument.expression->add_variables(names);
  }
}

Json Expression::evaluate_filter(Bindings& bindings) const {
  if (call_) return evaluate(bindings, {});
  try {
    return path_.evaluate(root_of(bindings));
  } catch (const PathNotFound& missing) {
    throw EvaluationError("States.Runtime",
                          fmt::format("Invalid path '{}' : {}", text_, missing.what()));
  }
}

Json Expression::evaluate(Bindings& bindings, std::string_view field) const {
  if (!call_) {
    const Json& root = root_of(bindings);
    try {
      return path_.evaluate(root);
    } catch (const PathNotFound&) {
      throw EvaluationError(
          "States.Runtime",
          fmt::format("The JSONPath '{}' specified for the field '{}' could not be found in the "
                      "input '{}'",
                      text_, field, bindings.input_text()));
    }
  }
  std::vector<IntrinsicArgument> arguments;
  for (const auto& argument : call_->arguments) {
    IntrinsicArgument made;
    made.value =
        argument.expression ? argument.expression->evaluate(bindings, field) : argument.literal;
    if (argument.is_text) made.literal = &argument.raw;
    arguments.push_back(std::move(made));
  }
  try {
    return call_intrinsic(call_->name, std::move(arguments), bindings.random());
  } catch (const std::runtime_error& why) {
    throw EvaluationError(
        "States.IntrinsicFailure",
        fmt::format("The function '{}' had the following error: {}", text_, why.what()));
  }
}

// ---------------------------------------------------------------- templates

struct Template::Node {
  struct Member {
    std::string key;    // without ".$"
    std::string field;  // as written
    std::shared_ptr<const Expression> expression;
    std::shared_ptr<const Node> node;
    Json constant;
  };
  bool is_object = true;
  std::vector<Member> members;  // of an object, or the items of an array
};

namespace {

bool has_expressions(const Json& source) {
  if (source.is_object()) {
    for (const auto& member : source.get_object()) {
      if (std::string_view(member.key()).ends_with(".$") || has_expressions(member.value())) {
        return true;
      }
    }
  } else if (source.is_array()) {
    for (const auto& item : source.get_array()) {
      if (has_expressions(item)) return true;
    }
  }
  return false;
}

std::shared_ptr<const Template::Node> compile(const Json& source) {
  auto out = std::make_shared<Template::Node>();
  const auto add = [&](Template::Node::Member member, const Json& value) {
    if (has_expressions(value)) {
      member.node = compile(value);
    } else {
      member.constant = value;
    }
    out->members.push_back(std::move(member));
  };
  if (source.is_array()) {
    out->is_object = false;
    for (const auto& item : source.get_array()) add({}, item);
    return out;
  }
  for (const auto& each : source.get_object()) {
    const std::string_view key = each.key();
    Template::Node::Member member;
    member.field = std::string(key);
    member.key = member.field;
    if (!key.ends_with(".$")) {
      add(std::move(member), each.value());
      continue;
    }
    member.key.resize(key.size() - 2);
    if (!each.value().is_string()) throw BadPath("not a path");
    member.expression =
        std::make_shared<Expression>(Expression::parse(json_text(each.value().get_string())));
    out->members.push_back(std::move(member));
  }
  return out;
}

Json fill(const Template::Node& node, Bindings& bindings) {
  const auto value_of = [&](const Template::Node::Member& member) -> Json {
    if (member.expression) return member.expression->evaluate(bindings, member.field);
    if (member.node) return fill(*member.node, bindings);
    return member.constant;
  };
  if (!node.is_object) {
    JsonArray items;
    for (const auto& member : node.members) items.push_back(value_of(member));
    return items;
  }
  JsonObject object;
  for (const auto& member : node.members) object.insert_or_assign(member.key, value_of(member));
  return object;
}

void check_into(const Json& source, const std::string& location,
                std::vector<Template::BadField>& out) {
  if (source.is_array()) {
    std::size_t index = 0;
    for (const auto& item : source.get_array()) {
      check_into(item, fmt::format("{}[{}]", location, index++), out);
    }
    return;
  }
  if (!source.is_object()) return;
  for (const auto& member : source.get_object()) {
    const std::string key(std::string_view(member.key()));
    if (!key.ends_with(".$")) {
      check_into(member.value(), location + "/" + key, out);
      continue;
    }
    try {
      if (!member.value().is_string()) throw BadPath("not a string");
      Expression::parse(json_text(member.value().get_string()));
    } catch (const BadPath& why) {
      out.push_back({key, location, why.what()});
    }
  }
}

}  // namespace

Template Template::parse(const Json& source) {
  Template out;
  if (has_expressions(source)) {
    out.node_ = compile(source);
  } else {
    out.constant_ = source;
  }
  return out;
}

Json Template::evaluate(Bindings& bindings) const {
  return node_ ? fill(*node_, bindings) : constant_;
}

std::vector<Template::BadField> Template::check(const Json& source) {
  std::vector<BadField> out;
  check_into(source, "", out);
  return out;
}

void Template::add_variables(const Json& source, std::set<std::string>& names) {
  if (source.is_array()) {
    for (const auto& item : source.get_array()) add_variables(item, names);
  }
  if (!source.is_object()) return;
  for (const auto& member : source.get_object()) {
    if (!std::string_view(member.key()).ends_with(".$") || !member.value().is_string()) {
      add_variables(member.value(), names);
      continue;
    }
    try {
      Expression::parse(json_text(member.value().get_string())).add_variables(names);
    } catch (const BadPath&) {  // reported by `check`
    }
  }
}

std::string java_text(const Json& value) {
  if (value.is_string()) return std::string(json_text(value.get_string()));
  std::string out;
  if (value.is_array()) {
    out = "[";
    for (const auto& item : value.get_array()) {
      if (out.size() > 1) out += ", ";
      out += java_text(item);
    }
    return out + "]";
  }
  if (value.is_object()) {
    out = "{";
    for (const auto& member : value.get_object()) {
      if (out.size() > 1) out += ", ";
      out += std::string(std::string_view(member.key())) + "=" + java_text(member.value());
    }
    return out + "}";
  }
  return dump_json(value);
}

}  // namespace tarn::stepfunctions::asl
