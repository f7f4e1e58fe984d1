// SPDX-License-Identifier: Apache-2.0
#include "platform/call.hpp"

#include <fmt/format.h>

#include "aws/error.hpp"
#include "platform/limits.hpp"
#include "platform/registry.hpp"

namespace tarn::platform {
namespace {

// A call that a handler makes: one deeper, without the HTTP request.
CallPtr child_of(const Call& parent) {
  CallOrigin origin = parent.origin();
  if (++origin.depth > limits::k_call_depth_max) {
    throw aws::ApiError("InternalFailure",
                        fmt::format("more than {} calls through calls", limits::k_call_depth_max),
                        500, false);
  }
  return std::make_shared<Call>(parent.registry(), parent.clock(), std::move(origin));
}

}  // namespace

CallPtr Call::as(Identity identity) const {
  CallOrigin origin = origin_;
  origin.identity = std::move(identity);
  return std::make_shared<Call>(registry_, clock_, std::move(origin));
}

CallPtr Call::in_region(std::string region) const {
  CallOrigin origin = origin_;
  origin.region = std::move(region);
  return std::make_shared<Call>(registry_, clock_, std::move(origin));
}

Task<void> Call::invoke_erased(const aws::Operation& operation, void* input, void* output) {
  const OpRow* row = registry_.find(operation);
  if (!row) throw aws::not_implemented(operation.service->id, operation.name);
  const CallPtr child = child_of(*this);
  co_await registry_.run(*row, child, input, output);
}

Task<Json> Call::invoke_json(std::string service, std::string operation, Json input) {
  const CallPtr child = child_of(*this);
  co_return co_await registry_.run_json(child, std::move(service), std::move(operation),
                                        std::move(input));
}

CallPtr Environment::call_as(Identity identity, std::string call_region) const {
  CallOrigin origin;
  origin.identity = std::move(identity);
  origin.region = call_region.empty() ? region : std::move(call_region);
  origin.request_id = random.uuid();
  origin.endpoint = endpoint;
  return std::make_shared<Call>(registry, clock, std::move(origin));
}

}  // namespace tarn::platform
