// SPDX-License-Identifier: Apache-2.0
// Amazon States Language text to Definition. Everything wrong is collected, with the location that
// AWS names; a definition with errors is never returned.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/strings.hpp"
#include "services/stepfunctions/definition.hpp"

namespace tarn::stepfunctions::asl {
namespace {

using Names = std::set<std::string_view>;

constexpr const char* k_schema = "SCHEMA_VALIDATION_FAILED";
constexpr const char* k_target = "MISSING_TRANSITION_TARGET";
constexpr std::int64_t k_seconds_max = 99'999'999;
constexpr std::size_t k_name_characters_max = 80;
constexpr std::size_t k_label_characters_max = 40;
constexpr int k_nesting_max = 32;

constexpr std::array<std::string_view, 8> k_type_names{"Task",    "Pass", "Choice",   "Wait",
                                                       "Succeed", "Fail", "Parallel", "Map"};

std::optional<StateType> find_type(std::string_view name) {
  for (std::size_t i = 0; i < k_type_names.size(); ++i) {
    if (k_type_names[i] == name) return static_cast<StateType>(i);
  }
  return std::nullopt;
}

const Names& fields_of(StateType type) {
  static const Names k_fail{"Type",  "Comment",   "QueryLanguage", "Error",
                            "Cause", "ErrorPath", "CausePath"};
  static const auto k_with = [](Names more) {
    more.insert({"Type", "Comment", "QueryLanguage", "InputPath", "OutputPath"});
    return more;
  };
  static const std::map<StateType, Names> k_fields{
      {StateType::succeed, k_with({})},
      {StateType::fail, k_fail},
      {StateType::pass, k_with({"Next", "End", "Parameters", "Result", "ResultPath", "Assign"})},
      {StateType::choice, k_with({"Choices", "Default", "Assign"})},
      {StateType::wait,
       k_with({"Next", "End", "Seconds", "Timestamp", "SecondsPath", "TimestampPath", "Assign"})},
      {StateType::task,
       k_with({"Next", "End", "Resource", "Parameters", "ResultSelector", "ResultPath", "Retry",
               "Catch", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds",
               "HeartbeatSecondsPath", "Credentials", "Assign"})},
      {StateType::parallel, k_with({"Next", "End", "Branches", "Parameters", "ResultSelector",
                                    "ResultPath", "Retry", "Catch", "Assign"})},
      {StateType::map, k_with({"Next",
                               "End",
                               "ItemProcessor",
                               "Iterator",
                               "ItemsPath",
                               "ItemSelector",
                               "Parameters",
                               "MaxConcurrency",
                               "MaxConcurrencyPath",
                               "ItemReader",
                               "ItemBatcher",
                               "ResultWriter",
                               "ToleratedFailureCount",
                               "ToleratedFailureCountPath",
                               "ToleratedFailurePercentage",
                               "ToleratedFailurePercentagePath",
                               "Label",
                               "ResultSelector",
                               "ResultPath",
                               "Retry",
                               "Catch",
                               "Assign"})}};
  return k_fields.at(type);
}

// Jackson's words for what is no JSON, which AWS passes on.
Diagnostic json_diagnostic(std::string_view text, const JsonError& error) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  std::string message;
  std::size_t column = error.offset + 1;
  if (begin == std::string_view::npos) {
    message = "No content to map due to end-of-input";
    column = 0;
  } else {
    const auto at = std::min(std::max(error.offset, begin), text.size() - 1);
    auto first = at;
    const auto is_word = [&](std::size_t i) {
      return std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_';
    };
    while (first > 0 && is_word(first) && is_word(first - 1)) --first;
    auto last = first;
    while (last < text.size() && is_word(last)) ++last;
    if (last > first) {
      message = fmt::format(
          "Unrecognized token '{}': was expecting (JSON String, Number, Array, Object or token "
          "'null', 'true' or 'false')",
          text.substr(first, last - first));
      column = last + 1;
    } else {
      message = fmt::format("Unexpected character ('{}' (code {}))", text[at],
                            static_cast<int>(static_cast<unsigned char>(text[at])));
    }
  }
  const auto line =
      1 + std::count(text.begin(),
                     text.begin() + static_cast<std::ptrdiff_t>(std::min(column, text.size())),
                     '\n');
  const auto where =
      fmt::format("[Source: (String)\"{}\"; line: {}, column: {}]", text, line, column);
  return {true, "INVALID_JSON_DESCRIPTION", message + "\n at " + where, where};
}

class DefinitionParser {
 public:
  explicit DefinitionParser(bool express) : express_(express) {}

  ParsedDefinition run(std::string_view text) {
    ParsedDefinition out;
    Json root;
    try {
      root = parse_json(text);
    } catch (const JsonError& error) {
      out.diagnostics.push_back(json_diagnostic(text, error));
      return out;
    }
    machine(root);
    const bool failed = std::any_of(diagnostics_.begin(), diagnostics_.end(),
                                    [](const Diagnostic& each) { return each.error; });
    if (!failed) out.definition = std::make_shared<const Definition>(std::move(definition_));
    out.diagnostics = std::move(diagnostics_);
    return out;
  }

 private:
  void machine(const Json& root) {
    if (!root.is_object()) return report("Expected value of type Object", "/");
    if (const Json* version = find_member(root, "Version")) {
      if (!version->is_string() || json_text(version->get_string()) != "1.0") {
        report("Field 'Version' must be \"1.0\"", "/Version");
      }
    }
    if (!language(root, "")) return;  // its states follow other rules
    if (const auto seconds = positive(root, "TimeoutSeconds", "", 1)) {
      definition_.timeout_seconds = static_cast<std::int64_t>(*seconds);
    }
    static const Names k_known{"Comment",        "StartAt",       "States",         "Version",
                               "TimeoutSeconds", "QueryLanguage", "ProcessorConfig"};
    known_fields(root, k_known, "");
    flow(root, "");
  }

  // ------------------------------------------------------------ reporting
  void report(std::string message, std::string location, const char* code = k_schema) {
    diagnostics_.push_back({true, code, std::move(message), std::move(location)});
  }
  void known_fields(const Json& source, const Names& known, const std::string& location) {
    for (const auto& member : source.get_object()) {
      if (!known.contains(std::string_view(member.key()))) {
        report("Field is not supported", location + "/" + std::string(member.key()));
      }
    }
  }
  bool language(const Json& source, const std::string& location) {
    const Json* given = find_member(source, "QueryLanguage");
    if (!given) return true;
    const auto name = given->is_string() ? json_text(given->get_string()) : std::string_view();
    if (name == "JSONPath") return true;
    report(name == "JSONata"
               ? "The QueryLanguage 'JSONata' is not supported by Tarn yet"
               : "The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]",
           location + "/QueryLanguage");
    return false;
  }

  // ------------------------------------------------------------ fields
  const Json* field(const Json& source, std::string_view key, JsonKind kind,
                    const std::string& location) {
    const Json* value = find_member(source, key);
    if (!value || value->kind() == kind) return value;
    static const std::map<JsonKind, const char*> k_words{{JsonKind::string, "String"},
                                                         {JsonKind::object, "Object"},
                                                         {JsonKind::array, "Array"},
                                                         {JsonKind::bool_, "Boolean"}};
    report(fmt::format("Expected value of type {}", k_words.at(kind)),
           fmt::format("{}/{}", location, key));
    return nullptr;
  }
  std::optional<std::string> text(const Json& source, std::string_view key,
                                  const std::string& location) {
    const Json* value = field(source, key, JsonKind::string, location);
    if (!value) return std::nullopt;
    return std::string(json_text(value->get_string()));
  }
  std::optional<double> positive(const Json& source, std::string_view key,
                                 const std::string& location, double least, bool whole = true) {
    const Json* value = find_member(source, key);
    if (!value) return std::nullopt;
    const std::string here = fmt::format("{}/{}", location, key);
    if (!value->is_number() || (whole && value->is_double())) {
      report(fmt::format("Expected value of type {}", whole ? "Integer" : "Number"), here);
      return std::nullopt;
    }
    const auto number = value->to_number<double>();
    if (number < least || number > static_cast<double>(k_seconds_max)) {
      report(fmt::format("Value must be between {} and {}", least, k_seconds_max), here);
      return std::nullopt;
    }
    return number;
  }
  std::optional<Expression> path(const Json& source, std::string_view key,
                                 const std::string& location, bool calls_too = false) {
    const Json* value = field(source, key, JsonKind::string, location);
    if (!value) return std::nullopt;
    try {
      auto out = Expression::parse(json_text(value->get_string()));
      if (out.is_call() && !calls_too) throw BadPath("a call");
      out.add_variables(variables_);
      return out;
    } catch (const BadPath&) {
      report(calls_too ? fmt::format("The value for the field '{}' must be a valid JSONPath or a "
                                     "valid intrinsic function call",
                                     key)
                       : std::string("Value is not a valid JSONPath"),
             fmt::format("{}/{}", location, key));
      return std::nullopt;
    }
  }
  PathFilter path_filter(const Json& source, std::string_view key, const std::string& location) {
    const Json* value = find_member(source, key);
    if (!value) return {};
    if (value->is_null()) return {.null = true, .path = {}};
    return {.null = false, .path = path(source, key, location)};
  }
  ResultPath result_path(const Json& source, const std::string& location) {
    const Json* value = find_member(source, "ResultPath");
    if (!value) return {};
    if (value->is_null()) return {.discard = true, .where = {}};
    const auto given = path(source, "ResultPath", location);
    if (!given) return {};
    const JsonPath* where = given->as_path();
    if (!where || !where->is_reference() || where->root() != JsonPath::Root::input) {
      report("Value is not a Reference Path", location + "/ResultPath");
      return {};
    }
    if (where->is_root()) return {};
    return {.discard = false, .where = *where};
  }
  std::optional<Template> payload(const Json& source, std::string_view key,
                                  const std::string& location) {
    const Json* value = find_member(source, key);
    if (!value) return std::nullopt;
    const auto bad = Template::check(*value);
    for (const auto& each : bad) {
      report(fmt::format("The value for the field '{}' must be a valid JSONPath or a valid "
                         "intrinsic function call",
                         each.field),
             fmt::format("{}/{}{}", location, key, each.location));
    }
    if (!bad.empty()) return std::nullopt;
    Template::add_variables(*value, variables_);
    return Template::parse(*value);
  }
  Number number(const Json& source, const std::string& key, const std::string& location,
                double least, bool whole = true) {
    Number out;
    out.literal = positive(source, key, location, least, whole);
    out.path = path(source, key + "Path", location);
    if (find_member(source, key) && find_member(source, key + "Path")) {
      report(fmt::format("You cannot specify both '{}' and '{}Path' in the same state", key, key),
             location);
    }
    return out;
  }

  // ------------------------------------------------------------ flows
  // Parses the states of a machine, branch or processor; its index in the definition, if it has
  // one.
  std::optional<std::size_t> flow(const Json& source, const std::string& location) {
    std::vector<std::string> missing;
    for (const char* key : {"StartAt", "States"}) {
      if (!find_member(source, key)) missing.push_back(key);
    }
    if (!missing.empty()) {
      report(fmt::format("These fields are required: [{}]", join(missing, ", ")),
             location.empty() ? "/" : location);
      return std::nullopt;
    }
    if (++depth_ > k_nesting_max) {
      report("States are nested too deep", location);
      return std::nullopt;
    }
    const auto start = text(source, "StartAt", location);
    const Json* states = field(source, "States", JsonKind::object, location);
    if (!start || !states) return std::nullopt;
    if (states->get_object().empty()) {
      report("States must not be empty", location + "/States");
      return std::nullopt;
    }
    Scope scope;
    for (const auto& member : states->get_object()) {
      const std::string name(std::string_view(member.key()));
      const std::string here = location + "/States/" + name;
      if (!names_.insert(name).second) {
        report(fmt::format("Duplicate State name: {}", name), here, "DUPLICATE_STATE_NAME");
      }
      if (name.size() > k_name_characters_max) {
        report("State name is longer than 80 characters", here);
      }
      scope.index.emplace(name, scope.index.size());
    }
    const auto mine = definition_.flows.size();
    definition_.flows.emplace_back();
    Flow parsed;
    if (!scope.index.contains(*start)) {
      report(fmt::format("Missing 'Next' target: {}", *start), location + "/StartAt", k_target);
    } else {
      parsed.start = scope.index.at(*start);
    }
    for (const auto& member : states->get_object()) {
      const std::string name(std::string_view(member.key()));
      parsed.states.push_back(state(member.value(), name, location + "/States/" + name, scope));
    }
    reachable(parsed, location);
    definition_.flows[mine] = std::move(parsed);
    --depth_;
    return mine;
  }

  struct Scope {
    std::map<std::string, std::size_t, std::less<>> index;
  };

  std::size_t target(const std::string& name, const std::string& location, const Scope& scope) {
    const auto found = scope.index.find(name);
    if (found != scope.index.end()) return found->second;
    report(fmt::format("Missing 'Next' target: {}", name), location, k_target);
    return 0;
  }

  void reachable(const Flow& flow, const std::string& location) {
    std::vector<bool> seen(flow.states.size());
    std::vector<std::size_t> open{flow.start};
    while (!open.empty()) {
      const auto at = open.back();
      open.pop_back();
      if (at >= seen.size() || seen[at]) continue;
      seen[at] = true;
      const State& state = flow.states[at];
      if (state.next) open.push_back(*state.next);
      if (state.default_next) open.push_back(*state.default_next);
      for (const auto& rule : state.choices) open.push_back(rule.next);
      for (const auto& catcher : state.catchers) open.push_back(catcher.next);
    }
    if (std::any_of(diagnostics_.begin(), diagnostics_.end(),
                    [](const Diagnostic& each) { return each.error; })) {
      return;  // what is broken elsewhere may be why
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i]) continue;
      report(fmt::format("State \"{}\" is not reachable.", flow.states[i].name),
             location + "/States/" + flow.states[i].name, k_target);
    }
  }

  // ------------------------------------------------------------ states
  State state(const Json& source, const std::string& name, const std::string& here,
              const Scope& scope) {
    auto outer = std::exchange(variables_, {});
    State out = state_fields(source, name, here, scope);
    if (!variables_.empty()) definition_.variables[name] = std::move(variables_);
    variables_ = std::move(outer);
    return out;
  }
  State state_fields(const Json& source, const std::string& name, const std::string& here,
                     const Scope& scope) {
    State out;
    out.name = name;
    if (!source.is_object()) {
      report("Expected value of type Object", here);
      return out;
    }
    if (!find_member(source, "Type")) {
      report("These fields are required: [Type]", here);
      return out;
    }
    const auto type = text(source, "Type", here);
    if (!type) return out;
    const auto known = find_type(*type);
    if (!known) {
      report(
          "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, "
          "Choice, Parallel, Map]",
          here + "/Type");
      return out;
    }
    out.type = *known;
    if (!language(source, here)) return out;
    known_fields(source, fields_of(out.type), here);
    out.input_path = path_filter(source, "InputPath", here);
    out.output_path = path_filter(source, "OutputPath", here);
    if (fields_of(out.type).contains("Next")) transition(source, out, here, scope);
    if (fields_of(out.type).contains("ResultPath")) out.result_path = result_path(source, here);
    if (fields_of(out.type).contains("Assign")) out.assign = assignments(source, here);
    if (out.type != StateType::map) out.parameters = payload(source, "Parameters", here);
    out.result_selector = payload(source, "ResultSelector", here);
    if (fields_of(out.type).contains("Retry")) {
      retriers(source, out, here);
      catchers(source, out, here, scope);
    }
    specific(source, out, here, scope);
    return out;
  }

  void specific(const Json& source, State& out, const std::string& here, const Scope& scope) {
    switch (out.type) {
      case StateType::pass:
        if (const Json* result = find_member(source, "Result")) {
          out.result = Datum(*result).settle();
        }
        return;
      case StateType::task: return task(source, out, here);
      case StateType::choice: return choice(source, out, here, scope);
      case StateType::wait: return wait(source, out, here);
      case StateType::fail: return fail(source, out, here);
      case StateType::parallel: return parallel(source, out, here);
      case StateType::map: return map(source, out, here);
      case StateType::succeed: return;
    }
  }

  void transition(const Json& source, State& out, const std::string& here, const Scope& scope) {
    const auto next = text(source, "Next", here);
    const Json* end = field(source, "End", JsonKind::bool_, here);
    const bool ends = end && end->get_bool();
    if (next && ends) {
      report("Only one of 'Next' and 'End' may be given", here);
    } else if (next) {
      out.next = target(*next, here + "/Next", scope);
    } else if (!ends && !find_member(source, "Next")) {
      report("One of these fields is required: [Next, End]", here);
    }
  }

  std::optional<Template> assignments(const Json& source, const std::string& here) {
    const Json* given = field(source, "Assign", JsonKind::object, here);
    if (!given) return std::nullopt;
    for (const auto& member : given->get_object()) {
      std::string_view name = member.key();
      if (name.ends_with(".$")) name.remove_suffix(2);
      const bool fits = !name.empty() && name != "states" && name.size() <= 80 &&
                        !std::isdigit(static_cast<unsigned char>(name.front())) &&
                        std::all_of(name.begin(), name.end(),
                                    [](unsigned char c) { return std::isalnum(c) || c == '_'; });
      if (!fits) report(fmt::format("'{}' is not a valid variable name", name), here + "/Assign");
    }
    return payload(source, "Assign", here);
  }

  std::vector<std::string> errors_of(const Json& source, const std::string& here, bool last) {
    std::vector<std::string> out;
    const Json* errors = field(source, "ErrorEquals", JsonKind::array, here);
    if (!errors) {
      if (!find_member(source, "ErrorEquals")) {
        report("The field 'ErrorEquals' is required but was missing", here);
      }
      return out;
    }
    for (const auto& error : errors->get_array()) {
      if (error.is_string()) {
        out.emplace_back(json_text(error.get_string()));
      } else {
        report("Expected value of type String", here + "/ErrorEquals");
      }
    }
    if (out.empty()) report("ErrorEquals must not be empty", here + "/ErrorEquals");
    const bool all = std::find(out.begin(), out.end(), "States.ALL") != out.end();
    if (all && out.size() > 1) {
      report("States.ALL must appear alone in ErrorEquals", here + "/ErrorEquals");
    } else if (all && !last) {
      report("States.ALL must be in the last element", here + "/ErrorEquals");
    }
    return out;
  }

  void retriers(const Json& source, State& out, const std::string& here) {
    const Json* given = field(source, "Retry", JsonKind::array, here);
    if (!given) return;
    static const Names k_known{"ErrorEquals",     "IntervalSeconds", "MaxAttempts", "BackoffRate",
                               "MaxDelaySeconds", "JitterStrategy",  "Comment"};
    const auto& items = given->get_array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string at = fmt::format("{}/Retry[{}]", here, i);
      if (!items[i].is_object()) {
        report("Expected value of type Object", at);
        continue;
      }
      known_fields(items[i], k_known, at);
      Retrier retrier;
      retrier.errors = errors_of(items[i], at, i + 1 == items.size());
      if (const auto value = positive(items[i], "IntervalSeconds", at, 1)) {
        retrier.interval_seconds = *value;
      }
      if (const auto value = positive(items[i], "MaxAttempts", at, 0)) {
        retrier.attempts_max = static_cast<std::int64_t>(*value);
      }
      if (const auto value = positive(items[i], "BackoffRate", at, 1, false)) {
        retrier.backoff_rate = *value;
      }
      retrier.delay_seconds_max = positive(items[i], "MaxDelaySeconds", at, 1);
      if (const auto jitter = text(items[i], "JitterStrategy", at)) {
        retrier.full_jitter = *jitter == "FULL";
        if (*jitter != "FULL" && *jitter != "NONE") {
          report("The field 'JitterStrategy' should have one of these values: [FULL, NONE]",
                 at + "/JitterStrategy");
        }
      }
      out.retriers.push_back(std::move(retrier));
    }
  }

  void catchers(const Json& source, State& out, const std::string& here, const Scope& scope) {
    const Json* given = field(source, "Catch", JsonKind::array, here);
    if (!given) return;
    static const Names k_known{"ErrorEquals", "ResultPath", "Next", "Comment", "Assign"};
    const auto& items = given->get_array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string at = fmt::format("{}/Catch[{}]", here, i);
      if (!items[i].is_object()) {
        report("Expected value of type Object", at);
        continue;
      }
      known_fields(items[i], k_known, at);
      Catcher catcher;
      catcher.errors = errors_of(items[i], at, i + 1 == items.size());
      catcher.result_path = result_path(items[i], at);
      catcher.assign = assignments(items[i], at);
      if (const auto next = text(items[i], "Next", at)) {
        catcher.next = target(*next, at + "/Next", scope);
      } else if (!find_member(items[i], "Next")) {
        report("The field 'Next' is required but was missing", at);
      }
      out.catchers.push_back(std::move(catcher));
    }
  }

  void task(const Json& source, State& out, const std::string& here) {
    const auto arn = text(source, "Resource", here);
    if (!find_member(source, "Resource")) report("These fields are required: [Resource]", here);
    if (arn) {
      const auto resource = parse_resource(*arn);
      if (resource) {
        out.resource = *resource;
        express_limits(out.resource, here + "/Resource");
      } else {
        report(fmt::format("The resource provided {} is not recognized. The value is not a valid "
                           "resource ARN, or the resource is not available in this region.",
                           *arn),
               here + "/Resource");
      }
    }
    out.timeout = number(source, "TimeoutSeconds", here, 1);
    out.heartbeat = number(source, "HeartbeatSeconds", here, 1);
    if (out.timeout.literal && out.heartbeat.literal &&
        *out.heartbeat.literal >= *out.timeout.literal) {
      report("HeartbeatSeconds must be smaller than TimeoutSeconds", here + "/HeartbeatSeconds");
    }
    if (const Json* given = field(source, "Credentials", JsonKind::object, here)) {
      if (!find_member(*given, "RoleArn") && !find_member(*given, "RoleArn.$")) {
        report("The field 'RoleArn' is required but was missing", here + "/Credentials");
      } else {
        out.credentials = payload(source, "Credentials", here);
      }
    }
  }

  void express_limits(const Resource& resource, const std::string& here) {
    if (!express_) return;
    if (resource.kind == Resource::Kind::activity) {
      report("Express state machine does not support Activity ARN", here);
    } else if (resource.pattern == Resource::Pattern::sync) {
      report("Express state machine does not support '.sync' service integration", here);
    } else if (resource.pattern == Resource::Pattern::token) {
      // The second space is AWS's own.
      report("Express state machine does not support '.waitForTaskToken' service integration ",
             here);
    }
  }

  void choice(const Json& source, State& out, const std::string& here, const Scope& scope) {
    const Json* rules = field(source, "Choices", JsonKind::array, here);
    if (!find_member(source, "Choices")) report("These fields are required: [Choices]", here);
    if (rules && rules->get_array().empty()) {
      report("Choices must not be empty", here + "/Choices");
    }
    if (rules) {
      std::size_t index = 0;
      for (const auto& rule : rules->get_array()) {
        const std::string at = fmt::format("{}/Choices[{}]", here, index++);
        if (!rule.is_object()) {
          report("Expected value of type Object", at);
          continue;
        }
        ChoiceRule parsed;
        parsed.condition = condition(rule, at, true);
        parsed.assign = assignments(rule, at);
        if (const auto next = text(rule, "Next", at)) {
          parsed.next = target(*next, at + "/Next", scope);
        } else if (!find_member(rule, "Next")) {
          report("The field 'Next' is required but was missing", at);
        }
        out.choices.push_back(std::move(parsed));
      }
    }
    if (const auto next = text(source, "Default", here)) {
      out.default_next = target(*next, here + "/Default", scope);
    }
  }

  Condition condition(const Json& rule, const std::string& here, bool top) {
    Condition out;
    int found = 0;
    for (const auto& member : rule.get_object()) {
      const std::string_view key = member.key();
      const std::string at = fmt::format("{}/{}", here, key);
      if (key == "Comment" || key == "Variable" || (top && (key == "Next" || key == "Assign"))) {
        continue;
      }
      ++found;
      if (key == "And" || key == "Or") {
        out.kind = key == "And" ? Condition::Kind::all : Condition::Kind::any;
        parts(member.value(), out, at);
      } else if (key == "Not") {
        out.kind = Condition::Kind::none;
        if (member.value().is_object()) {
          out.parts.push_back(condition(member.value(), at, false));
        } else {
          report("Expected value of type Object", at);
        }
      } else if (const auto op = find_operator(key)) {
        out.op = *op;
        operand(rule, member.value(), out, std::string(key), here);
      } else {
        report("Field is not supported", at);
      }
    }
    if (found != 1) report("Exactly one comparison or one of And, Or, Not is required", here);
    if (out.kind == Condition::Kind::test && found == 1) {
      out.variable = path(rule, "Variable", here);
      if (!find_member(rule, "Variable")) {
        report("The field 'Variable' is required but was missing", here);
      }
    }
    return out;
  }
  void parts(const Json& value, Condition& out, const std::string& here) {
    if (!value.is_array() || value.get_array().empty()) {
      return report("Expected value of type Array with at least one rule", here);
    }
    std::size_t index = 0;
    for (const auto& part : value.get_array()) {
      const std::string at = fmt::format("{}[{}]", here, index++);
      if (part.is_object()) {
        out.parts.push_back(condition(part, at, false));
      } else {
        report("Expected value of type Object", at);
      }
    }
  }
  void operand(const Json& rule, const Json& value, Condition& out, const std::string& key,
               const std::string& here) {
    const std::string at = here + "/" + key;
    if (out.op.path) {
      out.other = path(rule, key, here);
      return;
    }
    out.literal = value;
    const auto expect = [&](bool fits, const char* kind) {
      if (!fits) report(fmt::format("Expected value of type {}", kind), at);
    };
    switch (out.op.comparison) {
      case Comparison::string:
      case Comparison::matches: return expect(value.is_string(), "String");
      case Comparison::numeric: return expect(value.is_number(), "Number");
      case Comparison::timestamp:
        expect(value.is_string(), "String");
        if (value.is_string() && !parse_rfc3339(json_text(value.get_string()))) {
          report("String does not match RFC3339 timestamp", at);
        }
        return;
      default: return expect(value.is_bool(), "Boolean");
    }
  }

  void wait(const Json& source, State& out, const std::string& here) {
    int given = 0;
    for (const char* key : {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"}) {
      if (find_member(source, key)) ++given;
    }
    if (given != 1) {
      report(
          "Exactly one of these fields is required: [Seconds, Timestamp, SecondsPath, "
          "TimestampPath]",
          here);
    }
    out.seconds = number(source, "Seconds", here, 0);
    out.timestamp_path = path(source, "TimestampPath", here);
    if (const auto time = text(source, "Timestamp", here)) {
      out.timestamp = parse_rfc3339(*time);
      if (!out.timestamp) {
        report("String does not match RFC3339 timestamp", here + "/Timestamp");
      }
    }
  }

  void fail(const Json& source, State& out, const std::string& here) {
    out.error = text(source, "Error", here);
    out.cause = text(source, "Cause", here);
    out.error_path = path(source, "ErrorPath", here, true);
    out.cause_path = path(source, "CausePath", here, true);
    for (const char* key : {"Error", "Cause"}) {
      if (find_member(source, key) && find_member(source, std::string(key) + "Path")) {
        report(fmt::format("You cannot specify both '{}' and '{}Path' in the same state", key, key),
               here);
      }
    }
  }

  void parallel(const Json& source, State& out, const std::string& here) {
    const Json* branches = field(source, "Branches", JsonKind::array, here);
    if (!find_member(source, "Branches")) report("These fields are required: [Branches]", here);
    if (!branches) return;
    std::size_t index = 0;
    for (const auto& branch : branches->get_array()) {
      const std::string at = fmt::format("{}/Branches[{}]", here, index++);
      static const Names k_known{"StartAt", "States", "Comment"};
      if (!branch.is_object()) {
        report("Expected value of type Object", at);
        continue;
      }
      known_fields(branch, k_known, at);
      if (const auto made = flow(branch, at)) out.flows.push_back(*made);
    }
  }

  void map(const Json& source, State& out, const std::string& here) {
    const char* key = find_member(source, "ItemProcessor") ? "ItemProcessor" : "Iterator";
    const Json* processor = field(source, key, JsonKind::object, here);
    if (!find_member(source, key)) report("These fields are required: [ItemProcessor]", here);
    if (processor) {
      const std::string at = fmt::format("{}/{}", here, key);
      static const Names k_known{"StartAt", "States", "Comment", "ProcessorConfig"};
      known_fields(*processor, k_known, at);
      processor_config(*processor, out, at);
      if (const auto made = flow(*processor, at)) out.flows.push_back(*made);
    }
    out.map.items_path = path(source, "ItemsPath", here);
    const char* selector = find_member(source, "ItemSelector") ? "ItemSelector" : "Parameters";
    out.map.item_selector = payload(source, selector, here);
    out.map.concurrency_max = number(source, "MaxConcurrency", here, 0);
    out.map.tolerated_count = number(source, "ToleratedFailureCount", here, 0);
    out.map.tolerated_percentage = number(source, "ToleratedFailurePercentage", here, 0, false);
    label(source, out, here);
    for (const char* each : {"ItemReader", "ItemBatcher", "ResultWriter"}) {
      if (!find_member(source, each)) continue;
      out.map.unsupported = each;
      if (!out.map.distributed) {
        report(fmt::format("The field '{}' is only supported in a distributed Map", each), here);
      }
    }
  }

  void processor_config(const Json& processor, State& out, const std::string& here) {
    const Json* config = field(processor, "ProcessorConfig", JsonKind::object, here);
    if (!config) return;
    const std::string at = here + "/ProcessorConfig";
    const auto mode = text(*config, "Mode", at);
    if (mode && *mode != "INLINE" && *mode != "DISTRIBUTED") {
      report("The field 'Mode' should have one of these values: [INLINE, DISTRIBUTED]",
             at + "/Mode");
    }
    out.map.distributed = mode && *mode == "DISTRIBUTED";
    if (out.map.distributed && !find_member(*config, "ExecutionType")) {
      report("The field 'ExecutionType' is required but was missing", at);
    }
  }

  void label(const Json& source, State& out, const std::string& here) {
    const auto label = text(source, "Label", here);
    if (!label) return;
    out.map.label = *label;
    std::size_t characters = 0;
    for (const unsigned char c : *label) {
      characters += (c & 0xC0) != 0x80;
      if (c <= 0x20 || c == 0x7F ||
          std::string_view("?*<>{}[]:;,\\|^~$#%&`\"").find(static_cast<char>(c)) !=
              std::string_view::npos) {
        return report(fmt::format("Label contains invalid character: '{}'", static_cast<char>(c)),
                      here + "/Label");
      }
    }
    if (characters > k_label_characters_max) {
      report("Label cannot exceed 40 characters", here + "/Label");
    }
  }

  const bool express_;
  int depth_ = 0;
  Definition definition_;
  std::set<std::string> names_;
  std::set<std::string> variables_;  // that the present state reads
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

std::string_view state_type_name(StateType type) {
  return k_type_names[static_cast<std::size_t>(type)];
}

std::string ParsedDefinition::error_message() const {
  std::vector<std::string> texts;
  for (const auto& each : diagnostics) {
    if (each.error)
      texts.push_back(fmt::format("{}: {} at {}", each.code, each.message, each.location));
  }
  return fmt::format("Invalid State Machine Definition: '{}'", join(texts, ", "));
}

ParsedDefinition parse_definition(std::string_view text, bool express) {
  return DefinitionParser(express).run(text);
}

}  // namespace tarn::stepfunctions::asl
