// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/template_text.hpp"

#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <sstream>

#include "base/strings.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::string_view k_yaml_tag_prefix = "tag:yaml.org,2002:";

std::string position(int line, int column) {
  return fmt::format("(line {}, column {})", line + 1, column + 1);
}

[[noreturn]] void throw_not_well_formed(const YAML::Mark& mark) {
  throw TemplateError("Template format error: YAML not well-formed. " +
                      position(mark.line, mark.column));
}

// The long name of a short tag, or empty.
std::string_view long_name(std::string_view tag) {
  static constexpr std::array<std::string_view, 25> k_functions = {
      "Fn::And",           "Fn::Base64",    "Fn::Cidr",      "Fn::Contains",
      "Fn::EachMemberIn",  "Fn::Equals",    "Fn::FindInMap", "Fn::EachMemberEquals",
      "Fn::GetAZs",        "Fn::GetAtt",    "Fn::If",        "Fn::ImportValue",
      "Fn::Join",          "Fn::Length",    "Fn::Not",       "Fn::Or",
      "Fn::RefAll",        "Fn::Select",    "Fn::Split",     "Fn::Sub",
      "Fn::ToJsonString",  "Fn::Transform", "Fn::ValueOf",   "Fn::ValueOfAll",
      "Fn::GetStackOutput"};
  if (tag == "!Ref") return "Ref";
  if (tag == "!Condition") return "Condition";
  for (const auto name : k_functions) {
    if (tag.size() > 1 && name.substr(4) == tag.substr(1)) return name;
  }
  return {};
}

bool is_boolean_word(std::string_view text, bool& value) {
  static constexpr std::array<std::string_view, 9> k_true = {"true", "True", "TRUE", "yes", "Yes",
                                                             "YES",  "on",   "On",   "ON"};
  static constexpr std::array<std::string_view, 9> k_false = {"false", "False", "FALSE", "no", "No",
                                                              "NO",    "off",   "Off",   "OFF"};
  for (const auto word : k_true) {
    if (text == word) return value = true, true;
  }
  for (const auto word : k_false) {
    if (text == word) return value = false, true;
  }
  return false;
}

Json plain_scalar(const std::string& text) {
  bool truth = false;
  if (is_boolean_word(text, truth)) return truth;
  if (const auto integer = parse_int(text); integer && std::to_string(*integer) == text) {
    return *integer;
  }
  if (text.find('.') != std::string::npos) {
    if (const auto real = parse_double(text); real && dump_double(*real) == text) return *real;
  }
  return Json(text);
}

// Builds the value while yaml-cpp reads.
class Builder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {
    throw TemplateError("Template error: YAML aliases are not allowed in CloudFormation templates");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) throw_not_well_formed(mark);
    add(nullptr);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    if (wants_key()) {
      frames_.back().key = text;
      return;
    }
    if (tag == "?" || tag.empty()) return add(plain_scalar(text));
    if (tag == "!") return add(Json(text));
    if (tag.starts_with(k_yaml_tag_prefix)) return add(standard_scalar(mark, tag, text));
    add(call(mark, tag, Json(text)));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    if (wants_key()) throw_not_well_formed(mark);
    frames_.push_back({.mark = mark, .tag = tag, .is_map = false});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    if (wants_key()) throw_not_well_formed(mark);
    frames_.push_back({.mark = mark, .tag = tag, .is_map = true});
  }
  void OnMapEnd() override { close(); }

  Json take() { return std::move(root_); }

 private:
  struct Frame {
    YAML::Mark mark;
    std::string tag;
    bool is_map = false;
    JsonArray items;
    JsonObject members;
    std::optional<std::string> key;
  };

  bool wants_key() const {
    return !frames_.empty() && frames_.back().is_map && !frames_.back().key;
  }

  void add(Json value) {
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (!frame.is_map) {
      frame.items.push_back(std::move(value));
      return;
    }
    frame.members[*frame.key] = std::move(value);  // a repeated key: the last one wins
    frame.key.reset();
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Json value = frame.is_map ? Json(std::move(frame.members)) : Json(std::move(frame.items));
    const bool tagged = frame.tag.size() > 1 && frame.tag.starts_with('!');
    if (tagged) value = call(frame.mark, frame.tag, std::move(value));
    if (!tagged && frame.tag.starts_with(k_yaml_tag_prefix)) {
      const auto name = frame.tag.substr(k_yaml_tag_prefix.size());
      if (name != "map" && name != "seq") throw_unsupported_tag(frame.mark, "!!" + name);
    }
    add(std::move(value));
  }

  [[noreturn]] static void throw_unsupported_tag(const YAML::Mark& mark, const std::string& tag) {
    throw TemplateError(fmt::format("Template format error: Unsupported YAML tag '{}'. {}", tag,
                                    position(mark.line, mark.column)));
  }

  static Json standard_scalar(const YAML::Mark& mark, const std::string& tag,
                              const std::string& text) {
    const auto name = tag.substr(k_yaml_tag_prefix.size());
    if (name == "str") return Json(text);
    if (name == "null") return nullptr;
    if (name == "int" || name == "float" || name == "bool") return plain_scalar(text);
    throw_unsupported_tag(mark, "!!" + name);
  }

  static Json call(const YAML::Mark& mark, const std::string& tag, Json argument) {
    const auto name = long_name(tag);
    if (name.empty()) throw_unsupported_tag(mark, tag);
    if (name == "Fn::GetAtt" && argument.is_string()) {
      const std::string text(json_text(argument.get_string()));
      const auto dot = text.find('.');
      if (dot != std::string::npos) {
        argument = JsonArray{Json(text.substr(0, dot)), Json(text.substr(dot + 1))};
      }
    }
    JsonObject object;
    object[name] = std::move(argument);
    return object;
  }

  std::vector<Frame> frames_;
  Json root_;
};

Json parse_yaml(std::string_view text) {
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    Builder builder;
    if (!parser.HandleNextDocument(builder)) return nullptr;
    Builder second;
    if (parser.HandleNextDocument(second)) {
      throw TemplateError("Template format error: YAML not well-formed. (more than one document)");
    }
    return builder.take();
  } catch (const YAML::Exception& error) {
    throw_not_well_formed(error.mark);
  }
}

Json parse_json_text(std::string_view text) {
  try {
    return parse_json(text);
  } catch (const JsonError& error) {
    int line = 0;
    int column = 0;
    for (std::size_t i = 0; i < std::min(error.offset, text.size()); ++i) {
      ++column;
      if (text[i] == '\n') ++line, column = 0;
    }
    throw TemplateError("Template format error: JSON not well-formed. " + position(line, column));
  }
}

}  // namespace

Json parse_template_text(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) {
    throw TemplateError("Template format error: unsupported structure.");
  }
  Json value = text[start] == '{' ? parse_json_text(text) : parse_yaml(text);
  if (!value.is_object()) throw TemplateError("Template format error: unsupported structure.");
  return value;
}

}  // namespace tarn::cloudformation
