// SPDX-License-Identifier: Apache-2.0
#include "services/sts/service.hpp"

#include <fmt/format.h>

#include "aws/error.hpp"
#include "aws/sts/errors.hpp"

namespace tarn::sts {
namespace {

Credentials shown(const platform::Credentials& made) {
  return {.access_key_id = made.access_key,
          .secret_access_key = made.secret_key,
          .session_token = made.session_token,
          .expiration = made.expires};
}

}  // namespace

void Sts::operations(platform::OpTable& t) {
  t.op<GetCallerIdentity>(&Sts::get_caller_identity).no_authorization();
  // The trust policy and the caller's own permissions are judged together by the identity store.
  t.op<AssumeRole>(&Sts::assume_role).no_authorization();
  t.op<GetSessionToken>(&Sts::get_session_token).no_authorization();
  t.op<GetAccessKeyInfo>(&Sts::get_access_key_info);
}

platform::IdentityStore& Sts::identities() {
  return platform::Ports::require(environment_.ports.identities, "IAM");
}

GetCallerIdentityOutput Sts::get_caller_identity(Call& call, const GetCallerIdentityInput&) {
  const auto& identity = call.identity();
  return {.user_id = identity.principal_id, .account = identity.account, .arn = identity.arn};
}

AssumeRoleOutput Sts::assume_role(Call& call, const AssumeRoleInput& in) {
  if (in.policy_arns && !in.policy_arns->empty()) {
    throw aws::ApiError("NotImplemented", "sts AssumeRole: PolicyArns is not implemented by Tarn",
                        501);
  }
  if (in.serial_number || in.token_code) {
    throw aws::ApiError("NotImplemented",
                        "sts AssumeRole: multi-factor authentication is not implemented by Tarn",
                        501);
  }
  platform::AssumeRoleRequest request;
  request.role_arn = in.role_arn;
  request.session_name = in.role_session_name;
  request.external_id = in.external_id.value_or("");
  request.session_policy = in.policy.value_or("");
  if (in.tags) {
    for (const auto& tag : *in.tags) request.tags[tag.key] = tag.value;
  }
  request.lifetime = Seconds(in.duration_seconds.value_or(3600));
  const auto assumed = identities().assume_role(call.identity(), request);
  AssumeRoleOutput out;
  out.credentials = shown(assumed.credentials);
  out.assumed_role_user = AssumedRoleUser{.assumed_role_id = assumed.identity.principal_id,
                                          .arn = assumed.identity.arn};
  // As AWS reports it: how much of the packed size limit the session's policy takes, in percent.
  if (in.policy) {
    out.packed_policy_size =
        static_cast<std::int32_t>(1 + request.session_policy.size() * 100 / 2048);
  }
  out.source_identity = in.source_identity;
  return out;
}

GetSessionTokenOutput Sts::get_session_token(Call& call, const GetSessionTokenInput& in) {
  const auto& identity = call.identity();
  if (identity.kind == platform::Identity::Kind::assumed_role) {
    throw aws::ApiError("AccessDenied", "Cannot call GetSessionToken with session credentials",
                        403);
  }
  if (in.serial_number || in.token_code) {
    throw aws::ApiError(
        "NotImplemented",
        "sts GetSessionToken: multi-factor authentication is not implemented by Tarn", 501);
  }
  const bool root = identity.kind == platform::Identity::Kind::root;
  const Seconds lifetime(in.duration_seconds.value_or(root ? 3600 : 43'200));
  return {.credentials = shown(identities().issue_session(identity, lifetime))};
}

GetAccessKeyInfoOutput Sts::get_access_key_info(Call&, const GetAccessKeyInfoInput& in) {
  const auto key = identities().find_key(in.access_key_id);
  if (!key) {
    throw aws::ApiError(
        "ValidationError",
        fmt::format("Unable to determine the account of the access key {}", in.access_key_id));
  }
  return {.account = key->identity.account};
}

}  // namespace tarn::sts
