// SPDX-License-Identifier: Apache-2.0
// Runs the codec, the router and the signature check on request: one JSON object a line in, one
// out. The pytest suite beside this file compares the answers with botocore's.
#include <re2/re2.h>

#include <iostream>

#include <fmt/format.h>

#include "aws/aws_chunked.hpp"
#include "aws/router.hpp"
#include "aws/sigv4.hpp"
#include "aws/testing/erased.hpp"
#include "base/strings.hpp"

namespace tarn::aws {
namespace {

using testing::ErasedOperation;

std::string text_at(const Json& value, std::string_view key) { return string_or(value, key); }

std::string bytes_at(const Json& value, std::string_view key) {
  return from_base64(text_at(value, key)).value_or("");
}

HttpRequest request_of(const Json& value) {
  HttpRequest request;
  request.method = text_at(value, "method");
  request.path = text_at(value, "path");
  request.query = text_at(value, "query");
  request.target = request.path + (request.query.empty() ? "" : "?" + request.query);
  for (const Json& header : find_member(value, "headers")->get_array()) {
    request.headers.emplace_back(json_text(header.get_array()[0].get_string()),
                                 json_text(header.get_array()[1].get_string()));
  }
  request.body = source_of(bytes_at(value, "body"));
  return request;
}

Json response_json(const HttpResponse& response) {
  JsonArray headers;
  for (const auto& [name, value] : response.headers) headers.push_back(JsonArray{name, value});
  JsonObject out{{"status", response.status}, {"headers", std::move(headers)}};
  out["body"] = to_base64(response.body);
  out["streams"] = response.stream != nullptr;
  return out;
}

Protocol protocol_of(std::string_view name) {
  for (int i = 0; i < 6; ++i) {
    const auto protocol = static_cast<Protocol>(i);
    if (to_string(protocol) == name) return protocol;
  }
  throw std::invalid_argument("no such protocol: " + std::string(name));
}

const ErasedOperation& operation_of(const Json& command) {
  const auto* found =
      testing::find_erased(text_at(command, "service"), text_at(command, "operation"));
  if (!found) throw std::invalid_argument("no such operation: " + dump_json(command));
  return *found;
}

// The same without constraints: random input does not keep them.
struct Relaxed {
  ServiceModel service;
  Operation operation;
  Relaxed(const Operation& original, bool check) : service(*original.service), operation(original) {
    if (!check) service.checks = CheckStyle::none;
    operation.service = &service;
  }
};

bool flag(const Json& command, std::string_view key) {
  const Json* value = find_member(command, key);
  return value && value->is_bool() && value->get_bool();
}

constexpr JsonStyle k_style{.iso_timestamps = false};

Json decode(const Json& command) {
  const ErasedOperation& erased = operation_of(command);
  const Relaxed relaxed(*erased.operation, flag(command, "check"));
  const auto input = erased.make_input();
  const Json& request = *find_member(command, "request");
  decode_request(protocol_of(text_at(command, "protocol")), relaxed.operation, request_of(request),
                 bytes_at(request, "body"), input.get());
  return JsonObject{{"input", encode_json(*erased.operation->input, input.get(), k_style)}};
}

Json encode(const Json& command) {
  const ErasedOperation& erased = operation_of(command);
  const Relaxed relaxed(*erased.operation, false);
  const auto output = erased.make_output();
  decode_json(*erased.operation->output, *find_member(command, "output"), output.get(), k_style,
              &relaxed.service);
  return response_json(encode_response(protocol_of(text_at(command, "protocol")), relaxed.operation,
                                       output.get(), "request-1"));
}

Json encode_failure(const Json& command) {
  const ErasedOperation& erased = operation_of(command);
  ApiError error(text_at(command, "code"), text_at(command, "message"), 400, true,
                 text_at(command, "shape"));
  return response_json(encode_error(protocol_of(text_at(command, "protocol")), erased.operation,
                                    error, "request-1"));
}

Json find_route(const Json& command) {
  HttpRequest request = request_of(*find_member(command, "request"));
  const std::string scope =
      find_member(command, "scope") ? text_at(command, "scope") : signing_scope_service(request);
  std::string form;
  if (needs_body_to_route(request)) form = bytes_at(*find_member(command, "request"), "body");
  normalise_s3_host(request);
  const auto found = route(request, scope, form);
  if (!found) return JsonObject{{"none", true}};
  return JsonObject{{"service", found->service_id},
                    {"operation", found->operation},
                    {"protocol", to_string(found->protocol)},
                    {"path", request.path},
                    {"refused", found->method_not_allowed}};
}

Json verify(const Json& command) {
  const Json& described = *find_member(command, "request");
  const HttpRequest request = request_of(described);
  SignatureVerifier verifier([&](const std::string& id) -> std::optional<SecretKey> {
    if (id != text_at(command, "access_key")) return std::nullopt;
    return SecretKey{text_at(command, "secret_key"), text_at(command, "session_token"), {}};
  });
  const std::string body = bytes_at(described, "body");
  const ErrorPlace place = guess_place(request, signing_scope_service(request));
  const auto now = parse_iso8601(text_at(command, "now"));
  const bool chunked = request.header("content-encoding") == "aws-chunked" ||
                       request.header("x-amz-decoded-content-length").has_value();
  const auto verified =
      verifier.verify({request, chunked ? std::nullopt : std::optional<std::string_view>(body),
                       now.value(), place});
  if (!verified) return JsonObject{{"unsigned", true}};
  JsonObject out{{"access_key", verified->access_key}, {"region", verified->region}};
  if (chunked) {
    AwsChunkedDecoder decoder(*verified, std::nullopt);
    std::string payload;
    for (const char byte : body) decoder.push({&byte, 1}, payload);
    decoder.finish();
    out["payload"] = to_base64(payload);
  }
  return out;
}

// Does RE2 read the expression, and does it match the text?
Json try_pattern(const Json& command) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(32 << 20);
  const re2::RE2 expression(text_at(command, "expression"), options);
  if (!expression.ok()) return JsonObject{{"refused", expression.error()}};
  const std::string text = text_at(command, "text");
  return JsonObject{{"matches", flag(command, "partial") ? re2::RE2::PartialMatch(text, expression)
                                                         : re2::RE2::FullMatch(text, expression)}};
}

Json run(const Json& command) {
  const std::string what = text_at(command, "do");
  try {
    if (what == "decode") return decode(command);
    if (what == "encode") return encode(command);
    if (what == "error") return encode_failure(command);
    if (what == "route") return find_route(command);
    if (what == "verify") return verify(command);
    if (what == "pattern") return try_pattern(command);
    return JsonObject{{"crash", "no such command: " + what}};
  } catch (const ApiError& error) {
    return JsonObject{{"error", JsonObject{{"code", error.code},
                                           {"message", error.message},
                                           {"status", error.http_status},
                                           {"extra", error.extra}}}};
  } catch (const std::exception& error) {
    return JsonObject{{"crash", error.what()}};
  }
}

}  // namespace
}  // namespace tarn::aws

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    fmt::print("{}\n", tarn::dump_json(tarn::aws::run(tarn::parse_json(line, 512))));
    std::fflush(stdout);
  }
}
