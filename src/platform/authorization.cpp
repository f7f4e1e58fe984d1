// SPDX-License-Identifier: Apache-2.0
#include "platform/authorization.hpp"

#include <array>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/error.hpp"
#include "aws/policy.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"

namespace tarn::platform {
namespace {

void set(aws::PolicyContext& context, std::string_view key, std::string value) {
  context[std::string(key)].push_back(std::move(value));
}

void add_service_context(const Identity& identity, aws::PolicyContext& context) {
  set(context, "aws:PrincipalIsAWSService", "true");
  set(context, "aws:PrincipalServiceName", identity.service);
  if (identity.source_arn.empty()) return;
  set(context, "aws:SourceArn", identity.source_arn);
  const auto arn = aws::Arn::parse(identity.source_arn);
  const bool known = arn && !arn->account.empty();  // bucket ARNs have none
  set(context, "aws:SourceAccount", known ? arn->account : identity.account);
}

// The global condition keys that are known of every request.
aws::PolicyRequest make_request(const Identity& identity, const std::string& action,
                                const std::string& resource, Timestamp now) {
  using Kind = Identity::Kind;
  aws::PolicyRequest request;
  request.action = action;
  request.resource = resource;
  request.principal = {.account = identity.account,
                       .arn = identity.kind == Kind::service ? "" : identity.arn,
                       .role_arn = identity.role_arn,
                       .service = identity.service,
                       .anonymous = identity.kind == Kind::anonymous,
                       .root = identity.kind == Kind::root};
  auto& context = request.context;
  set(context, "aws:CurrentTime", iso8601(now, Precision::seconds));
  set(context, "aws:EpochTime", std::to_string(to_millis(now) / 1000));
  constexpr std::array<std::string_view, 5> k_types = {"Account", "User", "AssumedRole", "Service",
                                                       "Anonymous"};
  set(context, "aws:PrincipalType", std::string(k_types[static_cast<std::size_t>(identity.kind)]));
  if (identity.kind == Kind::anonymous) return request;
  if (identity.kind == Kind::service) {
    add_service_context(identity, context);
    return request;
  }
  set(context, "aws:userid", identity.principal_id);
  set(context, "aws:PrincipalIsAWSService", "false");
  set(context, "aws:PrincipalAccount", identity.account);
  const bool session = identity.kind == Kind::assumed_role;
  set(context, "aws:PrincipalArn", session ? identity.role_arn : identity.arn);
  if (identity.kind == Kind::user) {
    set(context, "aws:username", identity.arn.substr(identity.arn.rfind('/') + 1));
  }
  for (const auto& [key, value] : identity.tags) set(context, "aws:PrincipalTag/" + key, value);
  return request;
}

// Documents were checked when they were stored: one that cannot be read any more must not widen
// what is allowed.
std::optional<aws::Policy> read_policy(const std::string& document) {
  try {
    return aws::Policy::parse(document);
  } catch (const aws::PolicyError& error) {
    log::error("authorization", "a stored policy cannot be read: {}", error.what());
    throw aws::internal_failure();
  }
}

aws::PolicySet identity_policies(IdentityStore* identities, const Identity& identity) {
  aws::PolicySet set;
  const bool has_policies =
      identity.kind == Identity::Kind::user || identity.kind == Identity::Kind::assumed_role;
  if (!has_policies || !identities) return set;
  const auto policies = identities->policies_of(identity);
  for (const auto& document : policies.identity) set.identity.push_back(*read_policy(document));
  if (policies.boundary) set.boundary = read_policy(*policies.boundary);
  if (!identity.session_policy.empty()) set.session = read_policy(identity.session_policy);
  return set;
}

}  // namespace

void authorize(IdentityStore* identities, Call& call, const std::string& action,
               const std::vector<std::string>& resources,
               const std::optional<std::string>& resource_policy,
               const std::vector<std::pair<std::string, std::string>>& condition_keys) {
  const Identity& identity = call.identity();
  if (identity.kind == Identity::Kind::root) return;
  aws::PolicySet policies = identity_policies(identities, identity);
  if (resource_policy) policies.resource = read_policy(*resource_policy);
  for (const auto& resource : resources) {
    auto request = make_request(identity, action, resource, call.now());
    set(request.context, "aws:SourceIp", call.origin().source_ip);
    set(request.context, "aws:SecureTransport", call.origin().tls ? "true" : "false");
    set(request.context, "aws:RequestedRegion", call.region());
    for (const auto& [key, value] : condition_keys) set(request.context, key, value);
    const auto decision = aws::decide(policies, request);
    if (decision.allowed) continue;
    throw aws::access_denied(decision.message);
  }
}

std::optional<std::string> refuse_to_assume(
    IdentityStore* identities, const Identity& caller, const std::string& trust_policy,
    const std::string& role_arn,
    const std::vector<std::pair<std::string, std::string>>& condition_keys, Timestamp now) {
  auto request = make_request(caller, "sts:AssumeRole", role_arn, now);
  for (const auto& [key, value] : condition_keys) set(request.context, key, value);
  aws::PolicySet policies = identity_policies(identities, caller);
  policies.resource = read_policy(trust_policy);
  const auto role = aws::Arn::parse(role_arn);
  policies.same_account = role && role->account == caller.account;
  const bool trusted = policies.resource->evaluate_resource(request).grant != aws::Grant::none;
  const auto decision = aws::decide(policies, request);
  if (trusted && decision.allowed) return std::nullopt;
  // AWS tells of explicit denies only: which policy lacks what would tell of the role.
  const bool denied = decision.message.find(" with an explicit deny ") != std::string::npos;
  return denied ? decision.message : aws::denied_message(request, "");
}

}  // namespace tarn::platform
