// SPDX-License-Identifier: Apache-2.0
#include "services/iam/identity_store.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/error.hpp"
#include "aws/policy.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "platform/authorization.hpp"
#include "services/iam/managed_policies.hpp"

namespace tarn::iam {
namespace {

using platform::Identity;

constexpr std::string_view k_key_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view k_secret_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t k_cache_max = 10'000;

std::string key_context(const std::string& id) { return "iam/access-key/" + id; }

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The record of which key is the root's.
struct RootKeyRecord {
  static constexpr kernel::RecordKind k_kind{"iam", "root-key", 1};
  std::string id, secret_sealed;
  auto key() const { return kernel::Key("root"); }
  void fields(auto& f) { f(id, secret_sealed); }
};

Identity role_session(const RoleRecord& role, const std::string& account,
                      const std::string& session) {
  Identity identity;
  identity.kind = Identity::Kind::assumed_role;
  identity.account = account;
  identity.role_arn = role.arn;
  identity.principal_id = role.id + ":" + session;
  identity.arn = fmt::format("arn:aws:sts::{}:assumed-role/{}/{}", account, role.name, session);
  identity.tags = role.tags;
  return identity;
}

[[noreturn]] void throw_may_not_assume(const std::string& who, const std::string& role_arn) {
  throw aws::ApiError("AccessDenied",
                      fmt::format("User: {} is not authorized to perform: sts:AssumeRole on "
                                  "resource: {}",
                                  who, role_arn),
                      403);
}

bool valid_session_name(std::string_view name) {
  return name.size() >= 2 && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) ||
                  std::string_view("_+=,.@-").find(c) != std::string_view::npos;
         });
}

}  // namespace

void StoredIdentities::start() {
  root_key();
  clear_expired_sessions();
}

platform::Credentials StoredIdentities::root_key() {
  auto& store = environment_.store;
  const std::string wanted_id = environment_text("TARN_ACCESS_KEY_ID");
  const std::string wanted_secret = environment_text("TARN_SECRET_ACCESS_KEY");
  const auto seal = [&](const std::string& id, const std::string& secret) {
    return environment_.secrets.seal(secret, key_context(id));
  };
  RootKeyRecord root;
  {
    auto txn = store.begin(k_every_account);
    if (auto found = txn.peek<RootKeyRecord>("root")) root = *std::move(found);
  }
  std::string secret;
  if (!root.id.empty())
    secret = environment_.secrets.open(root.secret_sealed, key_context(root.id));
  const bool given = !wanted_id.empty() && !wanted_secret.empty();
  const bool changed = given && (root.id != wanted_id || secret != wanted_secret);
  if (root.id.empty() || changed) {
    const std::string old = root.id;
    root.id = given ? wanted_id : "AKIA" + environment_.random.text(16, k_key_alphabet);
    secret = given ? wanted_secret : environment_.random.text(40, k_secret_alphabet);
    root.secret_sealed = seal(root.id, secret);
    store.transact(k_every_account, [&](kernel::Txn& txn) {
      if (!old.empty()) txn.erase<AccessKeyRecord>(old);
      AccessKeyRecord key;
      key.id = root.id;
      key.account = environment_.account;
      key.sealed_secret = root.secret_sealed;
      key.created = environment_.clock.now();
      txn.put(key);
      txn.put(root);
    });
    forget_key(old);
  }
  platform::Credentials credentials;
  credentials.access_key = root.id;
  credentials.secret_key = secret;
  return credentials;
}

std::optional<platform::IdentityStore::Key> StoredIdentities::find_key(
    const std::string& access_key) {
  {
    std::lock_guard lock(mutex_);
    const auto found = cache_.find(access_key);
    if (found != cache_.end()) return found->second;
  }
  auto key = access_key.starts_with("ASIA") ? load_session(access_key) : load_key(access_key);
  if (!key) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (cache_.size() >= k_cache_max) cache_.clear();
  cache_[access_key] = *key;
  return key;
}

void StoredIdentities::forget_key(const std::string& access_key) {
  std::lock_guard lock(mutex_);
  cache_.erase(access_key);
}

std::optional<platform::IdentityStore::Key> StoredIdentities::load_key(
    const std::string& access_key) {
  auto txn = environment_.store.begin(k_every_account);
  const auto record = txn.peek<AccessKeyRecord>(access_key);
  if (!record || !record->active) return std::nullopt;
  Key key;
  key.secret = environment_.secrets.open(record->sealed_secret, key_context(access_key));
  if (record->user.empty()) {
    key.identity = platform::root_identity(record->account);
  } else {
    auto own = txn.in({record->account, ""});
    const auto user = own.peek<UserRecord>(record->user);
    if (!user) return std::nullopt;
    key.identity.kind = Identity::Kind::user;
    key.identity.account = record->account;
    key.identity.arn = user->arn;
    key.identity.principal_id = user->id;
    key.identity.tags = user->tags;
  }
  key.identity.access_key = access_key;
  return key;
}

std::optional<platform::IdentityStore::Key> StoredIdentities::load_session(
    const std::string& access_key) {
  auto txn = environment_.store.begin(k_every_account);
  const auto record = txn.peek<SessionRecord>(access_key);
  if (!record) return std::nullopt;
  Key key;
  key.secret = environment_.secrets.open(record->sealed_secret, key_context(access_key));
  key.session_token = record->token;
  key.expires = record->expires;
  key.identity.kind = static_cast<Identity::Kind>(record->identity_kind);
  key.identity.account = record->account;
  key.identity.arn = record->arn;
  key.identity.principal_id = record->principal_id;
  key.identity.role_arn = record->role_arn;
  key.identity.session_policy = record->policy;
  key.identity.tags = record->tags;
  key.identity.access_key = access_key;
  return key;
}

void StoredIdentities::add_managed(kernel::Txn& txn, const Principal& principal,
                                   Policies& policies) {
  const auto document_of = [&](const std::string& arn) -> std::string {
    if (const auto* managed = find_aws_managed_policy(arn)) return std::string(managed->document);
    const auto record = txn.peek<PolicyRecord>(arn);
    const auto* version = record ? record->find_version(record->default_version) : nullptr;
    return version ? version->document : std::string();
  };
  for (const auto& [name, document] : principal.inlined) policies.identity.push_back(document);
  for (const auto& arn : principal.attached) {
    std::string document = document_of(arn);
    if (!document.empty()) policies.identity.push_back(std::move(document));
  }
  if (!principal.boundary.empty()) policies.boundary = document_of(principal.boundary);
}

platform::IdentityStore::Policies StoredIdentities::policies_of(const Identity& identity) {
  Policies policies;
  auto txn = environment_.store.begin({identity.account, ""});
  const auto name_of = [](const std::string& arn) { return arn.substr(arn.rfind('/') + 1); };
  if (identity.kind == Identity::Kind::user) {
    const auto user = txn.peek<UserRecord>(name_of(identity.arn));
    if (!user || user->id != identity.principal_id) return policies;  // another of that name
    for (const auto& name : user->groups) {
      if (const auto group = txn.peek<GroupRecord>(name)) add_managed(txn, *group, policies);
    }
    add_managed(txn, *user, policies);
  } else if (identity.kind == Identity::Kind::assumed_role) {
    const auto role = txn.peek<RoleRecord>(name_of(identity.role_arn));
    // A role that was made anew is another role: sessions of the former one may do nothing.
    const bool same =
        role && role->arn == identity.role_arn && identity.principal_id.starts_with(role->id + ":");
    if (same) add_managed(txn, *role, policies);
  }
  return policies;
}

std::optional<RoleRecord> StoredIdentities::find_role(const std::string& role_arn) {
  const auto arn = aws::Arn::parse(role_arn);
  if (!arn || arn->service != "iam" || arn->resource_type() != "role") return std::nullopt;
  auto txn = environment_.store.begin({arn->account, ""});
  auto role = txn.peek<RoleRecord>(role_arn.substr(role_arn.rfind('/') + 1));
  if (!role || role->arn != role_arn) return std::nullopt;
  return role;
}

Identity StoredIdentities::assume_for_service(const std::string& role_arn,
                                              const std::string& service,
                                              const std::string& session_name) {
  const auto role = find_role(role_arn);
  const auto account = aws::Arn::parse(role_arn);
  if (!role) throw_may_not_assume(service, role_arn);
  const auto caller = platform::service_identity(service, account->account, "");
  const auto refusal = platform::refuse_to_assume(nullptr, caller, role->trust_policy, role_arn, {},
                                                  environment_.clock.now());
  if (refusal) throw_may_not_assume(service, role_arn);
  return role_session(*role, account->account, session_name);
}

platform::AssumedRole StoredIdentities::assume_role(const Identity& caller,
                                                    const platform::AssumeRoleRequest& request) {
  if (!valid_session_name(request.session_name)) {
    throw aws::ApiError(
        "ValidationError",
        fmt::format("1 validation error detected: Value '{}' at 'roleSessionName' failed to "
                    "satisfy constraint: Member must satisfy regular expression pattern: "
                    "[\\w+=,.@-]*",
                    request.session_name));
  }
  if (!aws::Arn::parse(request.role_arn)) {
    throw aws::ApiError("ValidationError", request.role_arn + " is invalid");
  }
  const auto role = find_role(request.role_arn);
  if (!role) throw_may_not_assume(caller.arn, request.role_arn);
  std::vector<std::pair<std::string, std::string>> keys = {
      {"sts:RoleSessionName", request.session_name}};
  if (!request.external_id.empty()) keys.emplace_back("sts:ExternalId", request.external_id);
  for (const auto& [key, value] : request.tags) keys.emplace_back("aws:RequestTag/" + key, value);
  const auto refusal = platform::refuse_to_assume(this, caller, role->trust_policy,
                                                  request.role_arn, keys, environment_.clock.now());
  if (refusal) throw aws::ApiError("AccessDenied", *refusal, 403);
  if (caller.kind == Identity::Kind::assumed_role && request.lifetime > Seconds(3600)) {
    throw aws::ApiError("ValidationError",
                        "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                        "assumed by role chaining");
  }
  if (request.lifetime < Seconds(900) || request.lifetime > Seconds(role->session_seconds_max)) {
    throw aws::ApiError("ValidationError",
                        "The requested DurationSeconds exceeds the MaxSessionDuration set for "
                        "this role.");
  }
  if (!request.session_policy.empty()) {
    try {
      aws::Policy::parse(request.session_policy);
    } catch (const aws::PolicyError& error) {
      throw aws::ApiError("MalformedPolicyDocument", error.what());
    }
  }
  platform::AssumedRole assumed;
  const auto account = aws::Arn::parse(request.role_arn)->account;
  assumed.identity = role_session(*role, account, request.session_name);
  assumed.identity.session_policy = request.session_policy;
  for (const auto& [key, value] : request.tags) assumed.identity.tags[key] = value;
  assumed.credentials = issue_session(assumed.identity, request.lifetime);
  return assumed;
}

platform::Credentials StoredIdentities::issue_session(const Identity& identity, Seconds lifetime) {
  platform::Credentials made;
  auto& random = environment_.random;
  made.access_key = "ASIA" + random.text(16, k_key_alphabet);
  made.secret_key = random.text(40, k_secret_alphabet);
  made.session_token = to_base64(random.bytes(96));
  made.expires = environment_.clock.now() + lifetime;
  SessionRecord record;
  record.id = made.access_key;
  record.sealed_secret = environment_.secrets.seal(made.secret_key, key_context(made.access_key));
  record.token = made.session_token;
  record.expires = made.expires;
  record.identity_kind = static_cast<std::uint8_t>(identity.kind);
  record.account = identity.account;
  record.arn = identity.arn;
  record.principal_id = identity.principal_id;
  record.role_arn = identity.role_arn;
  record.policy = identity.session_policy;
  record.tags = identity.tags;
  environment_.store.transact(k_every_account, [&](kernel::Txn& txn) { txn.put(record); });
  return made;
}

platform::Credentials StoredIdentities::make_key(kernel::Txn& txn, const std::string& account,
                                                 const std::string& user) {
  auto& random = environment_.random;
  platform::Credentials made;
  made.access_key = "AKIA" + random.text(16, k_key_alphabet);
  made.secret_key = random.text(40, k_secret_alphabet);
  AccessKeyRecord key;
  key.id = made.access_key;
  key.account = account;
  key.user = user;
  key.sealed_secret = environment_.secrets.seal(made.secret_key, key_context(key.id));
  key.created = environment_.clock.now();
  txn.in(k_every_account).put(key);
  txn.put(UserKeyRecord{user, key.id});
  return made;
}

// Sessions that ended are of no use to anybody; a day's grace keeps ExpiredToken answers honest.
void StoredIdentities::clear_expired_sessions() {
  const Timestamp limit = environment_.clock.now() - std::chrono::hours(24);
  std::vector<std::string> expired;
  auto txn = environment_.store.begin(k_every_account);
  txn.scan<SessionRecord>({}, {}, [&](SessionRecord& session, const std::string&) {
    if (session.expires < limit) expired.push_back(session.id);
    return true;
  });
  if (expired.empty()) return;
  for (const auto& id : expired) txn.erase<SessionRecord>(id);
  txn.commit();
}

}  // namespace tarn::iam
