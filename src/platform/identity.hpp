// SPDX-License-Identifier: Apache-2.0
// Who calls: the principal behind a request, and what a service may ask about principals.
// Values; thread-safe where they are ports.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace tarn::platform {

inline constexpr std::string_view k_default_account = "000000000000";

struct Identity {
  enum class Kind { root, user, assumed_role, service, anonymous };
  Kind kind = Kind::anonymous;
  std::string account;       // twelve digits; empty for anonymous
  std::string arn;           // arn:aws:iam::…:root | user/… | arn:aws:sts::…:assumed-role/R/S
  std::string principal_id;  // AIDA…, AROA…:session, the account for root
  std::string access_key;    // that signed the request; empty in process
  std::string role_arn;      // the IAM role behind an assumed role
  std::string service;       // "events.amazonaws.com" where a service acts by itself
  std::string source_arn;    // aws:SourceArn of a service's call: the rule, topic, bucket
  std::string session_policy;               // inline policy given to AssumeRole; may be empty
  std::map<std::string, std::string> tags;  // aws:PrincipalTag/…
};

// The account's own root: everything allowed. For Tarn's own work on behalf of nobody else.
Identity root_identity(std::string account = std::string(k_default_account));
// A service acting by itself: what resource policies name as Principal.Service.
Identity service_identity(std::string service, std::string account, std::string source_arn);

struct Credentials {
  std::string access_key, secret_key, session_token;
  Timestamp expires{};
};

struct AssumeRoleRequest {
  std::string role_arn, session_name, external_id, session_policy;
  std::map<std::string, std::string> tags;
  Seconds lifetime{3600};
};
struct AssumedRole {
  Identity identity;
  Credentials credentials;
};

// What the gateway and the services need of IAM and STS; implemented by services/iam.
class IdentityStore {
 public:
  struct Key {
    std::string secret;
    std::string session_token;  // must match when not empty
    std::optional<Timestamp> expires;
    Identity identity;
  };
  virtual ~IdentityStore() = default;
  virtual std::optional<Key> find_key(const std::string& access_key) = 0;
  // The policy documents (JSON texts) that apply to an identity: user's, groups', role's, managed.
  struct Policies {
    std::vector<std::string> identity;
    std::optional<std::string> boundary;
  };
  virtual Policies policies_of(const Identity& identity) = 0;
  // The identity that `service` ("states.amazonaws.com") takes on with a role, after checking the
  // role's trust policy; throws the AccessDenied that AWS gives, or NoSuchEntity's text.
  virtual Identity assume_for_service(const std::string& role_arn, const std::string& service,
                                      const std::string& session_name) = 0;
  // STS AssumeRole: the trust policy and the caller's own permissions decide.
  virtual AssumedRole assume_role(const Identity& caller, const AssumeRoleRequest& request) = 0;
  // Keys for a sandbox: a session of `identity` (from assume_for_service) that expires.
  virtual Credentials issue_session(const Identity& identity, Seconds lifetime) = 0;
};

}  // namespace tarn::platform
