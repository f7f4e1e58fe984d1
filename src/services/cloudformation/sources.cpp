// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/sources.hpp"

#include "aws/error.hpp"
#include "aws/s3/operations.hpp"
#include "base/strings.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::size_t k_body_bytes_max = 51'200;
constexpr std::size_t k_object_bytes_max = 1'000'000;

[[noreturn]] void refuse(std::string message) {
  throw aws::ApiError("ValidationError", std::move(message));
}

constexpr const char* k_bad_url =
    "TemplateURL must reference a valid S3 object to which you have access.";

std::string host_of(std::string_view authority) {
  return std::string(authority.substr(0, authority.rfind(':')));
}

// The bucket of a virtual-host style name, or nothing for path style.
std::optional<std::string> bucket_of_host(const std::string& host) {
  for (const std::string_view mark : {".s3.", ".s3-"}) {
    const auto at = host.find(mark);
    if (at != std::string::npos && host.ends_with(".amazonaws.com")) return host.substr(0, at);
    if (at != std::string::npos && host.ends_with(".localhost")) return host.substr(0, at);
  }
  return std::nullopt;
}

bool is_ours(const std::string& host, const std::string& endpoint) {
  if (host == "127.0.0.1" || host == "localhost" || host == "[::1]") return true;
  if ((host.starts_with("s3.") || host.starts_with("s3-")) && host.ends_with(".amazonaws.com")) {
    return true;
  }
  const auto slashes = endpoint.find("://");
  return slashes != std::string::npos && host_of(endpoint.substr(slashes + 3)) == host;
}

std::string member_text(const Json& value, std::string_view key, const std::string& reference) {
  const Json* member = find_member(value, key);
  if (!member) {
    throw TemplateError(
        fmt::format("Could not find a value associated with JSONKey in SecretString "
                    "({})",
                    reference));
  }
  if (member->is_string()) return std::string(json_text(member->get_string()));
  return dump_json(*member);
}

Task<std::string> look_up_secret(platform::CallPtr call, DynamicReference reference) {
  JsonObject input;
  input["SecretId"] = reference.name;
  if (!reference.version_stage.empty()) input["VersionStage"] = reference.version_stage;
  if (!reference.version_id.empty()) input["VersionId"] = reference.version_id;
  Json request(std::move(input));
  const Json answer =
      co_await call->invoke_json("secretsmanager", "GetSecretValue", std::move(request));
  const auto text = find_string(answer, "SecretString");
  if (!text) throw TemplateError("Secrets Manager can't resolve " + reference.text);
  if (reference.json_key.empty()) co_return *text;
  Json secret;
  try {
    secret = parse_json(*text);
  } catch (const JsonError&) {
    throw TemplateError("Could not parse SecretString JSON of " + reference.text);
  }
  co_return member_text(secret, reference.json_key, reference.text);
}

Task<std::string> look_up_ssm(platform::CallPtr call, std::string name, bool secure) {
  JsonObject input;
  input["Name"] = name;
  if (secure) input["WithDecryption"] = true;
  Json request(std::move(input));
  const Json answer = co_await call->invoke_json("ssm", "GetParameter", std::move(request));
  const Json* parameter = find_member(answer, "Parameter");
  const auto value = parameter ? find_string(*parameter, "Value") : std::nullopt;
  if (!value) throw TemplateError(fmt::format("SSM parameter {} has no value", name));
  if (!secure && string_or(*parameter, "Type") == "SecureString") {
    throw TemplateError(
        fmt::format("SSM Secure reference is not supported in: [{}]. Use "
                    "ssm-secure.",
                    name));
  }
  co_return *value;
}

}  // namespace

ObjectLocation parse_template_url(const std::string& url, const std::string& endpoint) {
  ObjectLocation location;
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) refuse(k_bad_url);
  std::string rest = url.substr(scheme + 3);
  const auto kind = url.substr(0, scheme);
  if (const auto query = rest.find('?'); query != std::string::npos) {
    for (const auto& pair : split(rest.substr(query + 1), '&')) {
      if (pair.starts_with("versionId=")) location.version = uri_decode(pair.substr(10));
    }
    rest.resize(query);
  }
  const auto slash = rest.find('/');
  if (slash == std::string::npos) refuse(k_bad_url);
  const auto authority = rest.substr(0, slash);
  auto path = rest.substr(slash + 1);
  if (kind == "s3") {
    location.bucket = authority;
    location.key = path;
  } else if (kind == "http" || kind == "https") {
    const auto host = authority.find(':') == std::string::npos ? authority : host_of(authority);
    path = uri_decode(path);
    if (auto bucket = bucket_of_host(host)) {
      location.bucket = *bucket;
      location.key = path;
    } else if (is_ours(host, endpoint)) {
      const auto next = path.find('/');
      if (next == std::string::npos) refuse(k_bad_url);
      location.bucket = path.substr(0, next);
      location.key = path.substr(next + 1);
    }
  }
  if (location.bucket.empty() || location.key.empty()) refuse(k_bad_url);
  return location;
}

Task<std::string> read_template_source(platform::CallPtr call, std::optional<std::string> body,
                                       std::optional<std::string> url) {
  if (body.has_value() == url.has_value()) {
    refuse("Either Template URL or Template Body must be specified.");
  }
  if (body) {
    if (body->size() > k_body_bytes_max) {
      refuse(
          fmt::format("1 validation error detected: Value at 'templateBody' failed to satisfy "
                      "constraint: Member must have length less than or equal to {}",
                      k_body_bytes_max));
    }
    co_return *std::move(body);
  }
  const auto location = parse_template_url(*url, call->endpoint());
  s3::GetObjectInput input;
  input.bucket = location.bucket;
  input.key = location.key;
  if (!location.version.empty()) input.version_id = location.version;
  std::string text;
  try {
    auto output = co_await call->invoke<s3::GetObject>(std::move(input));
    text = co_await read_all(output.body, k_object_bytes_max);
  } catch (const aws::ApiError& error) {
    refuse(
        fmt::format("S3 error: {}\nFor more information check "
                    "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
                    error.message));
  } catch (const std::length_error&) {
    refuse(fmt::format("Template may not exceed {} bytes in size.", k_object_bytes_max));
  }
  co_return text;
}

Task<std::vector<ParameterValue>> look_up_parameters(platform::CallPtr call, Template whole,
                                                     std::vector<ParameterValue> values) {
  for (auto& value : values) {
    const auto* definition = whole.parameter(value.name);
    const bool name_only = definition && definition->type == "AWS::SSM::Parameter::Name";
    if (!definition || (!name_only && definition->ssm_value_type().empty())) continue;
    std::string failure;
    try {
      std::string name = value.text;
      if (name_only) {
        JsonObject wanted{{"Name", Json(name)}};
        Json request(std::move(wanted));
        co_await call->invoke_json("ssm", "GetParameter", std::move(request));
      } else {
        value.resolved = co_await look_up_ssm(call, std::move(name), false);
      }
    } catch (const aws::ApiError& error) {
      failure = error.code == "ParameterNotFound"
                    ? fmt::format(
                          "Unable to fetch parameters [{}] from parameter store for this "
                          "account.",
                          value.text)
                    : error.message;
    }
    if (!failure.empty()) throw TemplateError(failure);
  }
  co_return values;
}

Task<std::map<std::string, std::string>> look_up_references(
    platform::CallPtr call, std::vector<DynamicReference> references) {
  std::map<std::string, std::string> values;
  for (const auto& reference : references) {
    std::string failure;
    try {
      if (reference.service == DynamicReference::Service::secretsmanager) {
        DynamicReference one = reference;
        values[reference.text] = co_await look_up_secret(call, std::move(one));
      } else {
        std::string name = reference.name;
        if (!reference.version.empty()) name += ":" + reference.version;
        const bool secure = reference.service == DynamicReference::Service::ssm_secure;
        values[reference.text] = co_await look_up_ssm(call, std::move(name), secure);
      }
    } catch (const aws::ApiError& error) {
      failure = fmt::format("Could not resolve {}: {}", reference.text, error.message);
    }
    if (!failure.empty()) throw TemplateError(failure);
  }
  co_return values;
}

}  // namespace tarn::cloudformation
