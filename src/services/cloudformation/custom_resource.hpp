// SPDX-License-Identifier: Apache-2.0
// Custom resources: a Lambda function makes the thing and answers by a PUT to a URL.
//
// The URL's last part is the step's client token, a secret that only the function is told. The
// answer is a record before the PUT is acknowledged, so it may come while the driver is elsewhere,
// or after a restart; the invocation is repeated when the process ended before it was noted, and a
// function must be idempotent for that, as AWS asks of it. Thread-safe.
#pragma once
#include <memory>
#include <string>

#include "aws/http.hpp"
#include "kernel/record.hpp"
#include "platform/resource_type.hpp"
#include "platform/service.hpp"

namespace tarn::cloudformation {

inline constexpr std::string_view k_custom_resource = "AWS::CloudFormation::CustomResource";
inline constexpr const char* k_response_path = "/_tarn/cloudformation/response/";

// What a function answered; belongs to no account, because the token alone says whose it is.
struct CustomResponseRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "custom-response", 1};
  std::string token, body;
  Timestamp received{};
  auto key() const { return kernel::Key(token); }
  void fields(auto& f) { f(token, body, received); }
};

std::unique_ptr<platform::ResourceType> make_custom_resource_type(
    platform::Environment& environment);

// Makes an answer durable and says what its sender gets. The body is a JSON object.
using KeepAnswer = aws::HttpResponse (*)(platform::Environment& environment,
                                         const std::string& token, const std::string& body);
// Serves PUTs to `path`TOKEN, if there is an HTTP server. `path` is a constant.
void mount_answers(platform::Environment& environment, const char* path, KeepAnswer keep);
void mount_custom_responses(platform::Environment& environment);
aws::HttpResponse plain_response(int status, std::string text);

}  // namespace tarn::cloudformation
