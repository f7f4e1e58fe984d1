// SPDX-License-Identifier: Apache-2.0
// Between HTTP messages and generated structures, in each of AWS's protocols.
//
// A request is decoded into the operation's input and checked against the model's constraints in
// one go; failures are thrown as ApiError with AWS's words. Responses and errors are encoded in the
// protocol that was asked. All functions are pure and may be called from any thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "aws/error.hpp"
#include "aws/http.hpp"
#include "aws/operation.hpp"
#include "aws/shape.hpp"
#include "base/ids.hpp"

namespace tarn::aws {

// `body`: all of it, but for operations whose payload is a stream: there the input's field gets
// `request.body` and `body` is ignored. `random` makes idempotency tokens that the client left out
// (none: they stay absent).
void decode_request(Protocol protocol, const Operation& operation, const HttpRequest& request,
                    std::string_view body, void* input, Random* random = nullptr);
// Does the input take the body as a stream?
bool has_streaming_input(const Operation& operation);

HttpResponse encode_response(Protocol protocol, const Operation& operation, const void* output,
                             std::string_view request_id);

// Where the request came from, for errors: the protocol, and what is known of the operation.
struct ErrorPlace {
  Protocol protocol = Protocol::json;
  const ServiceModel* service = nullptr;
  std::string_view service_id;  // "s3", where there is no model
  std::string_view json_version = "1.1";
  std::string_view xml_namespace;
  std::string_view resource;  // S3: the path
};
ErrorPlace error_place(Protocol protocol, const Operation& operation);
HttpResponse encode_error(const ErrorPlace& place, const ApiError& error,
                          std::string_view request_id);
inline HttpResponse encode_error(Protocol protocol, const Operation* operation,
                                 const ApiError& error, std::string_view request_id) {
  return encode_error(operation ? error_place(protocol, *operation) : ErrorPlace{protocol}, error,
                      request_id);
}

// The service's preferred protocol.
inline Protocol default_protocol(const Operation& operation) {
  return operation.service->protocols[0];
}
inline void decode_request(const Operation& operation, const HttpRequest& request,
                           std::string_view body, void* input) {
  decode_request(default_protocol(operation), operation, request, body, input);
}
inline HttpResponse encode_response(const Operation& operation, const void* output,
                                    std::string_view request_id) {
  return encode_response(default_protocol(operation), operation, output, request_id);
}

// -- SDK-shaped JSON: members by the names of the model, whatever the protocol says. For calls from
// inside: Step Functions' SDK integrations, CloudFormation.
struct JsonStyle {
  // Reading: "queueUrl" for "QueueUrl", and text for numbers and booleans where it reads so.
  bool lenient = false;
  // Reading: a member that the shape does not have is an error naming it.
  bool refuse_unknown = true;
  // Timestamps as ISO 8601 text; else as seconds since the epoch.
  bool iso_timestamps = true;
  // Blobs as they are, where they are UTF-8; else in base64. Reading: the same.
  bool text_blobs = false;
};
// Checks the model's constraints too. `service` decides their wording; null: as JSON services do.
void decode_json(const Shape& shape, const Json& value, void* target, const JsonStyle& style = {},
                 const ServiceModel* service = nullptr);
Json encode_json(const Shape& shape, const void* value, const JsonStyle& style = {});

// Throws if the value of an input breaks a constraint of the model.
void check_constraints(const Shape& shape, const void* input, const ServiceModel& service);

}  // namespace tarn::aws
