// SPDX-License-Identifier: Apache-2.0
// IAM's policy documents: read, checked, and evaluated for one request at a time.
//
// A `Policy` is parsed once and may then be evaluated from any thread. `decide` combines the kinds
// of policies in IAM's order and words a refusal as AWS does. What the request is about (who, what,
// which context keys) is handed in; nothing is looked up here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "aws/error.hpp"
#include "base/json.hpp"

namespace tarn::aws {

// The document is malformed; the text says how, in IAM's words.
class PolicyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  // MalformedPolicyDocument, for services that have no name of their own for it.
  ApiError as_api_error() const;
};

struct CaseLess {
  bool operator()(std::string_view left, std::string_view right) const;
  using is_transparent = void;
};
// Condition keys ("aws:SourceIp", "s3:prefix") and their values; keys ignore case.
using PolicyContext = std::map<std::string, std::vector<std::string>, CaseLess>;

// Who asks, as Principal elements name it.
struct PolicyPrincipal {
  std::string account;
  std::string arn;       // user, root, or assumed-role session; empty for anonymous
  std::string role_arn;  // of a session: the role behind it
  std::string service;   // "events.amazonaws.com"
  bool anonymous = false;
  bool root = false;
};

struct PolicyRequest {
  std::string action;    // "sqs:SendMessage"
  std::string resource;  // an ARN, or "*"
  PolicyPrincipal principal;
  PolicyContext context;
};

enum class Verdict { no_match, allowed, denied };

// How a resource policy's Allow came about: naming the caller grants by itself, naming the
// caller's account leaves it to the identity's policies.
enum class Grant { none, to_account, to_caller };

struct ResourceVerdict {
  bool denied = false;
  Grant grant = Grant::none;
};

class Policy {
 public:
  // Throws PolicyError. Principals may stand in any document; `check_identity` refuses them.
  static Policy parse(std::string_view document);
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;
  Policy(const Policy&);
  Policy& operator=(const Policy&);
  ~Policy();

  // An identity's policy must have resources and no principals, a resource's or a role's trust
  // policy principals; throws PolicyError.
  void check_identity() const;
  void check_resource() const;

  // As an identity-based policy, boundary or session policy: principals play no part.
  Verdict evaluate(const PolicyRequest& request) const;
  // As the policy of a resource or the trust policy of a role (which names no resource).
  ResourceVerdict evaluate_resource(const PolicyRequest& request) const;
  // Does an Allow name everybody, without a condition?
  bool is_public() const;

 private:
  struct Statement;
  explicit Policy(std::vector<Statement> statements);
  std::unique_ptr<std::vector<Statement>> statements_;
};

// All that applies to a request.
struct PolicySet {
  std::vector<Policy> identity;
  std::optional<Policy> boundary;
  std::optional<Policy> session;
  std::optional<Policy> resource;
  bool same_account = true;  // the resource belongs to the caller's account
};

struct Decision {
  bool allowed = false;
  std::string message;  // when refused, AWS's sentence
};
Decision decide(const PolicySet& policies, const PolicyRequest& request);

// "User: ARN is not authorized to perform: A on resource: R because …".
std::string denied_message(const PolicyRequest& request, std::string_view reason);

// Do `value` and the pattern, with IAM's wildcards, fit?  Actions ignore case.
bool action_matches(std::string_view pattern, std::string_view action);
// ARN patterns: wildcards stay within the colon-separated part, but for the resource's.
bool arn_matches(std::string_view pattern, std::string_view arn);

}  // namespace tarn::aws
