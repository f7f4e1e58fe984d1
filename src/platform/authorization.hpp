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

// May the caller assume a role? The role's trust policy is judged with the caller's own policies as
// any resource's policy is, but has to allow it in any case. Nothing: it may; else why not, in
// AWS's words. `identities` as above.
std::optional<std::string> refuse_to_assume(
    IdentityStore* identities, const Identity& caller, const std::string& trust_policy,
    const std::string& role_arn,
    const std::vector<std::pair<std::string, std::string>>& condition_keys, Timestamp now);

}  // namespace tarn::platform
