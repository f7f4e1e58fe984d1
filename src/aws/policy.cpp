// SPDX-License-Identifier: Apache-2.0
#include "aws/policy.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/policy_condition.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

struct Principals {
  std::vector<std::string> aws, service, federated, canonical;
  bool everybody = false;
};

constexpr std::string_view k_syntax = "Syntax errors in policy.";

// A string or an array of strings.
std::vector<std::string> strings_of(const Json& value) {
  std::vector<std::string> texts;
  const auto add = [&](const Json& item) {
    if (!item.is_string()) throw PolicyError(std::string(k_syntax));
    texts.emplace_back(json_text(item.get_string()));
  };
  if (value.is_array()) {
    for (const Json& item : value.get_array()) add(item);
  } else {
    add(value);
  }
  return texts;
}

// Conditions' values may be numbers and booleans too.
std::vector<std::string> values_of(const Json& value) {
  std::vector<std::string> texts;
  const auto add = [&](const Json& item) {
    if (item.is_string()) {
      texts.emplace_back(json_text(item.get_string()));
    } else if (item.is_bool() || item.is_number()) {
      texts.push_back(dump_json(item));
    } else {
      throw PolicyError(std::string(k_syntax));
    }
  };
  if (value.is_array()) {
    for (const Json& item : value.get_array()) add(item);
  } else {
    add(value);
  }
  return texts;
}

Principals principals_of(const Json& value) {
  Principals principals;
  if (value.is_string()) {
    if (json_text(value.get_string()) != "*") {
      throw PolicyError(
          fmt::format("Invalid principal in policy: \"{}\"", json_text(value.get_string())));
    }
    principals.everybody = true;
    return principals;
  }
  if (!value.is_object()) throw PolicyError(std::string(k_syntax));
  for (const auto& entry : value.get_object()) {
    const std::string_view kind = entry.key();
    auto texts = strings_of(entry.value());
    if (kind == "AWS") {
      principals.aws = std::move(texts);
      principals.everybody |= std::ranges::find(principals.aws, "*") != principals.aws.end();
    } else if (kind == "Service") {
      principals.service = std::move(texts);
    } else if (kind == "Federated") {
      principals.federated = std::move(texts);
    } else if (kind == "CanonicalUser") {
      principals.canonical = std::move(texts);
    } else {
      throw PolicyError(fmt::format("Invalid principal in policy: \"{}\"", kind));
    }
  }
  return principals;
}

enum class Fit { none, account, caller };

Fit fit_aws_principal(const std::string& wanted, const PolicyPrincipal& caller) {
  if (wanted == "*") return Fit::caller;
  if (caller.anonymous) return Fit::none;
  if (!caller.service.empty()) return Fit::none;
  // An account: its number, or its root's ARN.
  const bool number = wanted.size() == 12 && parse_uint(wanted);
  const auto arn = Arn::parse(wanted);
  if (number || (arn && arn->resource == "root")) {
    if ((number ? wanted : arn->account) != caller.account) return Fit::none;
    return caller.root ? Fit::caller : Fit::account;
  }
  if (wanted == caller.arn || (!caller.role_arn.empty() && wanted == caller.role_arn)) {
    return Fit::caller;
  }
  return Fit::none;
}

Fit fit_principals(const Principals& wanted, const PolicyPrincipal& caller) {
  if (wanted.everybody) return Fit::caller;
  Fit best = Fit::none;
  for (const std::string& text : wanted.aws) {
    best = std::max(best, fit_aws_principal(text, caller));
  }
  for (const std::string& text : wanted.service) {
    if (!caller.service.empty() && (text == "*" || text == caller.service)) return Fit::caller;
  }
  for (const std::string& text : wanted.federated) {
    if (!caller.arn.empty() && text == caller.arn) return Fit::caller;
  }
  return best;
}

bool resource_matches(const std::string& pattern, const PolicyRequest& request) {
  if (pattern == "*") return true;
  const auto text = substitute(pattern, request.context);
  return text && pattern_matches(*text, request.resource);
}

void check_action(const std::string& action) {
  const auto colon = action.find(':');
  const bool valid =
      action == "*" || (colon != std::string::npos && colon > 0 && colon + 1 < action.size() &&
                        action.find(':', colon + 1) == std::string::npos);
  if (!valid) {
    throw PolicyError(colon == std::string::npos
                          ? "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, "
                            "etc."
                          : std::string(k_syntax));
  }
}

void check_resource_text(const std::string& resource) {
  if (resource == "*" || resource.starts_with("arn:") || resource.starts_with("${") ||
      resource.find('*') == 0) {
    return;
  }
  throw PolicyError(fmt::format("Resource {} must be in ARN format or \"*\".", resource));
}

}  // namespace

struct Policy::Statement {
  bool allow = true;
  bool not_action = false, not_resource = false, not_principal = false;
  std::vector<std::string> actions, resources;
  std::optional<Principals> principals;
  std::vector<Condition> conditions;

  bool action_fits(const PolicyRequest& request) const {
    const bool any = std::ranges::any_of(
        actions, [&](const std::string& text) { return action_matches(text, request.action); });
    return any != not_action;
  }
  bool resource_fits(const PolicyRequest& request) const {
    if (resources.empty()) return true;  // a trust policy
    const bool any = std::ranges::any_of(
        resources, [&](const std::string& text) { return resource_matches(text, request); });
    return any != not_resource;
  }
  bool conditions_hold(const PolicyRequest& request) const {
    return std::ranges::all_of(
        conditions, [&](const Condition& condition) { return condition.holds(request.context); });
  }
  bool applies(const PolicyRequest& request) const {
    return action_fits(request) && resource_fits(request) && conditions_hold(request);
  }
  Fit principal_fit(const PolicyPrincipal& caller) const {
    if (!principals) return Fit::caller;
    const Fit fit = fit_principals(*principals, caller);
    if (!not_principal) return fit;
    return fit == Fit::none ? Fit::caller : Fit::none;
  }

  static Statement parse(const Json& value);
};

Policy::Statement Policy::Statement::parse(const Json& value) {
  static const std::set<std::string_view> k_known{"Sid",         "Effect",    "Action",
                                                  "NotAction",   "Resource",  "Principal",
                                                  "NotResource", "Condition", "NotPrincipal"};
  if (!value.is_object()) throw PolicyError(std::string(k_syntax));
  for (const auto& entry : value.get_object()) {
    if (!k_known.contains(entry.key())) throw PolicyError(std::string(k_syntax));
  }
  Statement statement;
  const Json* effect = find_member(value, "Effect");
  if (!effect || !effect->is_string()) throw PolicyError("Missing required field Effect");
  const std::string_view which = json_text(effect->get_string());
  if (which != "Allow" && which != "Deny") {
    throw PolicyError(fmt::format("Invalid effect: {}", which));
  }
  statement.allow = which == "Allow";
  const auto either = [&](const char* name, const char* negated_name, bool& negated) {
    const Json* plain = find_member(value, name);
    const Json* other = find_member(value, negated_name);
    if (plain && other) throw PolicyError(std::string(k_syntax));
    negated = other != nullptr;
    return plain ? plain : other;
  };
  const Json* actions = either("Action", "NotAction", statement.not_action);
  if (!actions) throw PolicyError("Policy statement must contain actions.");
  statement.actions = strings_of(*actions);
  if (statement.actions.empty()) throw PolicyError("Policy statement must contain actions.");
  std::ranges::for_each(statement.actions, check_action);
  if (const Json* found = either("Resource", "NotResource", statement.not_resource)) {
    statement.resources = strings_of(*found);
    std::ranges::for_each(statement.resources, check_resource_text);
  }
  if (const Json* found = either("Principal", "NotPrincipal", statement.not_principal)) {
    statement.principals = principals_of(*found);
  }
  if (const Json* found = find_member(value, "Condition")) {
    if (!found->is_object()) throw PolicyError(std::string(k_syntax));
    for (const auto& operation : found->get_object()) {
      if (!operation.value().is_object()) throw PolicyError(std::string(k_syntax));
      for (const auto& key : operation.value().get_object()) {
        statement.conditions.push_back(
            parse_condition(operation.key(), key.key(), values_of(key.value())));
      }
    }
  }
  return statement;
}

bool CaseLess::operator()(std::string_view left, std::string_view right) const {
  return std::ranges::lexicographical_compare(left, right, [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) < lower(b);
  });
}

ApiError PolicyError::as_api_error() const { return ApiError("MalformedPolicyDocument", what()); }

Policy::Policy(std::vector<Statement> statements)
    : statements_(std::make_unique<std::vector<Statement>>(std::move(statements))) {}
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;
Policy::Policy(const Policy& other)
    : statements_(std::make_unique<std::vector<Statement>>(*other.statements_)) {}
Policy& Policy::operator=(const Policy& other) {
  if (this != &other) *statements_ = *other.statements_;
  return *this;
}
Policy::~Policy() = default;

Policy Policy::parse(std::string_view document) {
  Json value;
  try {
    value = parse_json(document);
  } catch (const JsonError&) {
    throw PolicyError("This policy contains invalid Json");
  }
  if (!value.is_object()) throw PolicyError(std::string(k_syntax));
  for (const auto& entry : value.get_object()) {
    const std::string_view key = entry.key();
    if (key != "Version" && key != "Id" && key != "Statement") {
      throw PolicyError(std::string(k_syntax));
    }
  }
  if (const Json* version = find_member(value, "Version")) {
    const std::string text = string_or(value, "Version");
    if (!version->is_string() || (text != "2012-10-17" && text != "2008-10-17")) {
      throw PolicyError("The policy must contain a valid version string.");
    }
  }
  const Json* list = find_member(value, "Statement");
  if (!list) throw PolicyError(std::string(k_syntax));
  std::vector<Statement> statements;
  std::set<std::string> names;
  const auto add = [&](const Json& item) {
    statements.push_back(Statement::parse(item));
    const std::string name = string_or(item, "Sid");
    if (!name.empty() && !names.insert(name).second) {
      throw PolicyError("Statement IDs (SID) in a single policy must be unique.");
    }
  };
  if (list->is_array()) {
    for (const Json& item : list->get_array()) add(item);
  } else {
    add(*list);
  }
  return Policy(std::move(statements));
}

void Policy::check_identity() const {
  for (const Statement& statement : *statements_) {
    if (statement.principals) {
      throw PolicyError("Policy document should not specify a principal.");
    }
    if (statement.resources.empty()) {
      throw PolicyError("Policy statement must contain resources.");
    }
  }
}

void Policy::check_resource() const {
  for (const Statement& statement : *statements_) {
    if (!statement.principals) throw PolicyError("Missing required field Principal");
  }
}

Verdict Policy::evaluate(const PolicyRequest& request) const {
  Verdict verdict = Verdict::no_match;
  for (const Statement& statement : *statements_) {
    if (!statement.applies(request)) continue;
    if (!statement.allow) return Verdict::denied;
    verdict = Verdict::allowed;
  }
  return verdict;
}

ResourceVerdict Policy::evaluate_resource(const PolicyRequest& request) const {
  ResourceVerdict verdict;
  for (const Statement& statement : *statements_) {
    const Fit fit = statement.principal_fit(request.principal);
    if (fit == Fit::none || !statement.applies(request)) continue;
    if (!statement.allow) {
      verdict.denied = true;
      return verdict;
    }
    verdict.grant =
        std::max(verdict.grant, fit == Fit::caller ? Grant::to_caller : Grant::to_account);
  }
  return verdict;
}

bool Policy::is_public() const {
  return std::ranges::any_of(*statements_, [](const Statement& statement) {
    return statement.allow && statement.principals && statement.principals->everybody &&
           !statement.not_principal && statement.conditions.empty();
  });
}

bool action_matches(std::string_view pattern, std::string_view action) {
  return pattern_matches({std::string(pattern), std::vector<bool>(pattern.size())}, action, true);
}

std::string denied_message(const PolicyRequest& request, std::string_view reason) {
  const std::string who = request.principal.anonymous ? "anonymous" : request.principal.arn;
  std::string text = fmt::format("User: {} is not authorized to perform: {}", who, request.action);
  if (request.resource != "*" && !request.resource.empty()) {
    text += " on resource: " + request.resource;
  }
  return reason.empty() ? text : fmt::format("{} {}", text, reason);
}

namespace {

std::string none_allows(std::string_view kind, const PolicyRequest& request) {
  return denied_message(
      request, fmt::format("because no {} policy allows the {} action", kind, request.action));
}

std::string explicit_deny(std::string_view kind, const PolicyRequest& request) {
  return denied_message(request, fmt::format("with an explicit deny in {}", kind));
}

// Allows and denies of the identity's policies; empty text: not refused here.
std::string explicit_denies(const PolicySet& policies, const PolicyRequest& request,
                            const ResourceVerdict& resource) {
  for (const Policy& policy : policies.identity) {
    if (policy.evaluate(request) == Verdict::denied) {
      return explicit_deny("an identity-based policy", request);
    }
  }
  if (resource.denied) return explicit_deny("a resource-based policy", request);
  if (policies.boundary && policies.boundary->evaluate(request) == Verdict::denied) {
    return explicit_deny("a permissions boundary", request);
  }
  if (policies.session && policies.session->evaluate(request) == Verdict::denied) {
    return explicit_deny("a session policy", request);
  }
  return {};
}

}  // namespace

Decision decide(const PolicySet& policies, const PolicyRequest& request) {
  const ResourceVerdict resource =
      policies.resource ? policies.resource->evaluate_resource(request) : ResourceVerdict{};
  if (auto refused = explicit_denies(policies, request, resource); !refused.empty()) {
    return {false, std::move(refused)};
  }
  // Anonymous callers and services have no policies of their own: the resource's decides.
  if (request.principal.anonymous || !request.principal.service.empty()) {
    if (resource.grant == Grant::to_caller) return {true, {}};
    return {false, none_allows("resource-based", request)};
  }
  const bool by_identity = std::ranges::any_of(policies.identity, [&](const Policy& policy) {
    return policy.evaluate(request) == Verdict::allowed;
  });
  const bool identity_allows = by_identity || request.principal.root;
  if (policies.same_account) {
    // In one account either side is enough. A grant that names the session or user itself is not
    // limited by the boundary or session policy; one that names everybody or the role is, but
    // Tarn does not tell these apart and takes the stricter reading.
    if (!identity_allows && resource.grant != Grant::to_caller) {
      return {false, none_allows("identity-based", request)};
    }
  } else {
    if (!identity_allows) return {false, none_allows("identity-based", request)};
    if (resource.grant == Grant::none) return {false, none_allows("resource-based", request)};
  }
  if (policies.boundary && policies.boundary->evaluate(request) != Verdict::allowed) {
    return {false, denied_message(request, fmt::format("because no permissions boundary allows "
                                                       "the {} action",
                                                       request.action))};
  }
  if (policies.session && policies.session->evaluate(request) != Verdict::allowed) {
    return {false, none_allows("session", request)};
  }
  return {true, {}};
}

}  // namespace tarn::aws
