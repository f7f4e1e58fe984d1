// SPDX-License-Identifier: Apache-2.0
#include "platform/registry.hpp"

#include <fmt/format.h>

#include "aws/codec.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "base/stream.hpp"
#include "base/strings.hpp"
#include "platform/authorization.hpp"

namespace tarn::platform {
namespace {

// Of a streaming body that a caller wants as text: far more than any of them takes.
constexpr std::size_t k_body_bytes_max = 1024 * 1024;

// "redshift_data" and "redshift-data" are one service.
std::string folder_name(std::string_view service) { return replace_all(service, "-", "_"); }

}  // namespace

namespace detail {

void run_with_retry(const std::function<void()>& body) {
  for (int attempt = 1;; ++attempt) {
    try {
      return body();
    } catch (const kernel::Conflict&) {
      if (attempt == kernel::Store::k_attempts_max) throw;
    }
    kernel::Store::back_off(attempt);
  }
}

}  // namespace detail

Registry::Registry() = default;
Registry::~Registry() = default;

void Registry::add(std::unique_ptr<Service> service) {
  const std::size_t first = rows_.size();
  service->fill(rows_);
  for (std::size_t i = first; i < rows_.size(); ++i) {
    const auto& operation = *rows_[i].operation;
    const auto key = std::pair(std::string(operation.service->folder), std::string(operation.name));
    TARN_CHECK(by_name_.emplace(key, i).second);
  }
  services_.push_back(std::move(service));
}

void Registry::start() {
  for (const auto& service : services_) service->start();
}

void Registry::stop() {
  for (auto service = services_.rbegin(); service != services_.rend(); ++service) {
    (*service)->stop();
  }
}

const OpRow* Registry::find(std::string_view service, std::string_view operation) const {
  const auto found = by_name_.find(std::pair(folder_name(service), std::string(operation)));
  return found == by_name_.end() ? nullptr : &rows_[found->second];
}

const OpRow* Registry::find(const aws::Operation& operation) const {
  return find(operation.service->folder, operation.name);
}

std::vector<const Service*> Registry::services() const {
  std::vector<const Service*> all;
  for (const auto& service : services_) all.push_back(service.get());
  return all;
}

Service* Registry::service(std::string_view name) const {
  for (const auto& service : services_) {
    if (service->name() == name) return service.get();
  }
  return nullptr;
}

void Registry::authorize(Call& call, const std::string& action,
                         const std::vector<std::string>& resources,
                         const std::optional<std::string>& resource_policy,
                         const ConditionKeys& condition_keys) const {
  platform::authorize(identities_, call, action, resources, resource_policy, condition_keys);
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
void Registry::authorize_passing(Call& call, const OpRow& row, const void* input) const {
  for (const auto& role : row.passed_roles(call, input)) {
    if (role.empty()) continue;  // the handler says what is wrong with it
    authorize(call, "iam:PassRole", {role}, std::nullopt, {{"iam:PassedToService", row.passed_to}});
  }
}

Task<void> Registry::run(const OpRow& row, CallPtr call, void* input, void* output) {
  const std::string name = fmt::format("{}.{}", row.operation->service->id, row.operation->name);
  try {
    const auto kind = call->identity().kind;
    // A service acts on what has a policy of its own only as that policy allows; the rest (events
    // that S3 sends to the bus) is Tarn's own working.
    const bool trusted =
        kind == Identity::Kind::root || (kind == Identity::Kind::service && !row.resource_policy);
    if (row.authorize && !trusted) {
      auto resources = row.resources ? row.resources(*call, input) : std::vector<std::string>{};
      if (resources.empty()) resources.emplace_back("*");
      authorize(*call, row.action, resources,
                row.resource_policy ? row.resource_policy(*call, input) : std::nullopt,
                row.condition_keys ? row.condition_keys(*call, input) : ConditionKeys{});
      if (row.passed_roles) authorize_passing(*call, row, input);
    }
    co_await row.run(call, input, output);
  } catch (const aws::ApiError&) {
    throw;
  } catch (const Cancelled&) {
    throw;
  } catch (const kernel::Conflict& conflict) {
    log::warning("registry", "{} {}: {}", name, call->request_id(), conflict.what());
    throw aws::throttled();
  } catch (const kernel::StorageFailure& failure) {
    log::error("registry", "{} {}: {}", name, call->request_id(), failure.what());
    throw aws::ApiError("ServiceUnavailable",
                        fmt::format("Tarn cannot write to its data directory: {}", failure.what()),
                        503, false);
  } catch (const std::exception& error) {
    log::error("registry", "{} {}: {}", name, call->request_id(), error.what());
    throw aws::internal_failure();
  }
}

Task<Json> Registry::run_json(CallPtr call, std::string service, std::string operation,
                              Json input) {
  const OpRow* row = find(service, operation);
  if (!row) throw aws::not_implemented(service, operation);
  const auto in = row->make_input();
  const auto out = row->make_output();
  aws::JsonStyle style;
  style.lenient = true;
  aws::decode_json(*row->operation->input, input, in.get(), style, row->operation->service);
  co_await run(*row, std::move(call), in.get(), out.get());
  Json answer = aws::encode_json(*row->operation->output, out.get(), style);
  for (const aws::Member& member : row->operation->output->members) {
    if (member.shape->kind != aws::Kind::stream || member.event_stream) continue;
    const auto* body = static_cast<const ByteSourcePtr*>(member.find(out.get()));
    if (!body || !*body) continue;
    std::string bytes = co_await read_all(*body, k_body_bytes_max);
    answer.get_object()[member.name] = is_valid_utf8(bytes) ? bytes : to_base64(bytes);
  }
  co_return answer;
}

}  // namespace tarn::platform
