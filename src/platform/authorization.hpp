// SPDX-License-Identifier: Apache-2.0
// May this caller do that? IAM's evaluation order over identity policies, permissions boundary,
// session policy and the resource's own policy; the root of an account may do everything that no
// resource policy denies. https://docs.aws.amazon.com/IAM/latest/UserGuide/
// reference_policies_evaluation-logic.html
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "platform/call.hpp"

namespace tarn::platform {

// Throws aws::ApiError AccessDenied with AWS's text when any of `resources` is not allowed.
// `identities` may be null only for callers without policies (root, services).
void authorize(IdentityStore* identities, Call& call, const std::string& action,
               const std::vector<std::string>& resources,
               const std::optional<std::string>& resource_policy,
               const std::vector<std::pair<std::string, std::string>>& condition_keys = {});

// What a role's trust policy says of a caller: it names the caller, or only the caller's account,
// which leaves the decision to the caller's own policies.
enum class Trust { none, account, caller };
Trust judge_trust(const std::string& trust_policy, const Identity& caller,
                  const std::string& role_arn, const std::string& external_id, Timestamp now);
// Do the caller's own policies (identity, boundary, session) allow one action on one resource?
bool identity_allows(IdentityStore& identities, const Identity& caller, const std::string& action,
                     const std::string& resource, Timestamp now);

}  // namespace tarn::platform
