// SPDX-License-Identifier: Apache-2.0
// Evaluates CloudFormation's functions.
//
// One evaluator serves two ends. With resources known it gives final values. Without them (change
// sets, ordering) it gives the same value with everything that depends on resources left as
// functions: a Fn::Sub with an unknown variable becomes a Fn::Join of what is known. So two
// versions of a template can be compared, and dependencies found, before anything exists.
//
// Not thread-safe; made for one evaluation.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "services/cloudformation/template.hpp"

namespace tarn::cloudformation {

struct PseudoParameters {
  std::string account, region, stack_name, stack_id;
  std::string partition = "aws";
  std::string url_suffix = "amazonaws.com";
  std::vector<std::string> notification_arns;
};

struct Surroundings {
  PseudoParameters pseudo;
  std::map<std::string, Json, std::less<>> parameters;  // text, or a list of texts
  // What is not known yet is nullopt and stays a function. Empty: nothing is known.
  std::function<std::optional<Json>(std::string_view logical_id)> ref;
  std::function<std::optional<Json>(std::string_view logical_id, std::string_view attribute)>
      attribute;
  // The value of an export, or nullopt: an error. Empty: imports stay functions.
  std::function<std::optional<std::string>(const std::string& name)> import_value;
};

class Evaluator {
 public:
  Evaluator(const Template& whole, const Surroundings& surroundings)
      : template_(whole),
        surroundings_(surroundings) {}

  // Members and items that are AWS::NoValue are left out. Throws TemplateError.
  Json evaluate(const Json& value);
  // A named condition; its circles are errors.
  bool condition(const std::string& name);
  // And, Or, Not, Equals, Condition, and the rules' Contains and EachMember….
  bool boolean(const Json& value);
  // All conditions of the template.
  std::map<std::string, bool> conditions();
  // Rules' assertions, and conditions of rules, hold; throws TemplateError for the first that
  // fails.
  void check_rules();

 private:
  Json call(std::string_view name, const Json& argument);
  Json ref(const Json& argument);
  Json attribute(const Json& argument);
  std::optional<Json> attribute_value(const std::string& logical_id, const std::string& attribute);
  std::optional<Json> ref_value(const std::string& name);
  Json sub(const Json& argument);
  Json join(const Json& argument);
  Json select(const Json& argument);
  Json split_text(const Json& argument);
  Json find_in_map(const Json& argument);
  Json base64(const Json& argument);
  Json cidr(const Json& argument);
  Json zones(const Json& argument);
  Json import_value(const Json& argument);
  Json if_else(const Json& argument);
  Json length(const Json& argument);
  Json json_string(const Json& argument);
  bool equals(const Json& argument);
  bool rule_function(std::string_view name, const Json& argument);
  std::string mapping_key(const Json& value) const;
  void require_extensions(std::string_view function) const;

  const Template& template_;
  const Surroundings& surroundings_;
  std::map<std::string, bool> known_conditions_;
  std::vector<std::string> open_conditions_;
};

}  // namespace tarn::cloudformation
