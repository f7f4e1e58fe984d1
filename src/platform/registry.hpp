// SPDX-License-Identifier: Apache-2.0
// All services and their operations; the one path on which an operation runs, whether it came by
// HTTP or from another service: authorise, run, map failures to AWS errors.
//
// Threading: filled before anything is served, then read-only; `run` may be called from any task.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "platform/service.hpp"

namespace tarn::platform {

class Registry {
 public:
  Registry();
  ~Registry();
  void add(std::unique_ptr<Service> service);
  // Operation tables are filled by `add`; this starts the services in order of adding.
  void start();
  void stop();
  void set_identity_store(IdentityStore* store) { identities_ = store; }

  // `service` by botocore's id ("redshift-data") or folder ("redshift_data").
  const OpRow* find(std::string_view service, std::string_view operation) const;
  const OpRow* find(const aws::Operation& operation) const;
  const std::vector<OpRow>& rows() const { return rows_; }
  std::vector<const Service*> services() const;
  Service* service(std::string_view name) const;

  // Authorises and runs. Throws aws::ApiError for everything that a caller may see; others'
  // exceptions become InternalFailure (logged with the request id).
  Task<void> run(const OpRow& row, CallPtr call, void* input, void* output);
  Task<Json> run_json(CallPtr call, std::string service, std::string operation, Json input);

  // Would `call` be allowed to do `action` on `resources`? Throws AccessDenied in AWS's words.
  void authorize(Call& call, const std::string& action, const std::vector<std::string>& resources,
                 const std::optional<std::string>& resource_policy,
                 const ConditionKeys& condition_keys = {}) const;

 private:
  void authorize_passing(Call& call, const OpRow& row, const void* input) const;

  std::vector<std::unique_ptr<Service>> services_;
  std::vector<OpRow> rows_;
  std::map<std::pair<std::string, std::string>, std::size_t, std::less<>> by_name_;
  IdentityStore* identities_ = nullptr;
};

}  // namespace tarn::platform
