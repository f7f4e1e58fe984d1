// SPDX-License-Identifier: Apache-2.0
// One operation in flight: who asks, where, when, and the way to ask other services.
//
// A handler gets a `Call&` (plain handlers) or a `CallPtr` (handlers that are tasks). Its identity
// and region never change. `invoke` runs another service's operation as the same caller: policies
// are evaluated there again, as if the caller had sent it; `as(identity)` gives a call that acts as
// someone else (a role that was assumed, a service).
//
// Threading: used by one handler at a time; response headers are not synchronised.
#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "aws/http.hpp"
#include "aws/operation.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/task.hpp"
#include "kernel/record.hpp"
#include "platform/identity.hpp"

namespace tarn::platform {

class Registry;
class Call;
using CallPtr = std::shared_ptr<Call>;

struct CallOrigin {
  Identity identity;
  std::string region = "us-east-1";
  std::string request_id;
  std::string source_ip = "127.0.0.1";
  std::string endpoint;  // the base URL by which the client reached Tarn: http://127.0.0.1:4566
  bool tls = false;
  int depth = 0;  // of calls through calls; bounded
};

class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(Registry& registry, Clock& clock, CallOrigin origin, const aws::HttpRequest* http = nullptr)
      : registry_(registry),
        clock_(clock),
        origin_(std::move(origin)),
        http_(http) {}

  const Identity& identity() const { return origin_.identity; }
  const std::string& account() const { return origin_.identity.account; }
  const std::string& region() const { return origin_.region; }
  // For records of regional services; `global_scope` for IAM and the like.
  kernel::Scope scope() const { return {account(), region()}; }
  kernel::Scope global_scope() const { return {account(), ""}; }
  const std::string& request_id() const { return origin_.request_id; }
  const std::string& endpoint() const { return origin_.endpoint; }
  const CallOrigin& origin() const { return origin_; }
  Timestamp now() const { return clock_.now(); }
  Clock& clock() const { return clock_; }
  Registry& registry() const { return registry_; }
  // The HTTP request, or null when the call came from inside. Valid until the handler ends.
  const aws::HttpRequest* http() const { return http_; }

  // Sent with the response, beside what the model says.
  void add_response_header(std::string name, std::string value) {
    response_headers_.emplace_back(std::move(name), std::move(value));
  }
  const auto& response_headers() const { return response_headers_; }
  // Overrides the model's status (206 of a range, 304).
  void set_response_status(int status) { response_status_ = status; }
  int response_status() const { return response_status_; }

  // `auto out = co_await call->invoke<sqs::SendMessage>(std::move(in));`
  template <class Op>
  Task<typename Op::Output> invoke(typename Op::Input input) {
    return invoke_typed<Op>(shared_from_this(), std::move(input));
  }
  // By name, with SDK-shaped JSON (members as in the model): Step Functions' aws-sdk integrations,
  // CloudFormation. Service and operation as botocore names them ("redshift-data",
  // "ExecuteStatement"). Unknown ones throw aws::ApiError NotImplemented, naming them.
  Task<Json> invoke_json(std::string service, std::string operation, Json input);

  CallPtr as(Identity identity) const;
  CallPtr in_region(std::string region) const;

 private:
  template <class Op>
  static Task<typename Op::Output> invoke_typed(CallPtr self, typename Op::Input input) {
    typename Op::Output output{};
    co_await self->invoke_erased(Op::operation(), &input, &output);
    co_return output;
  }
  Task<void> invoke_erased(const aws::Operation& operation, void* input, void* output);

  Registry& registry_;
  Clock& clock_;
  const CallOrigin origin_;
  const aws::HttpRequest* http_;
  std::vector<std::pair<std::string, std::string>> response_headers_;
  int response_status_ = 0;
};

}  // namespace tarn::platform
