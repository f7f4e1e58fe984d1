// SPDX-License-Identifier: Apache-2.0
#include "aws/codec.hpp"

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "aws/event_stream.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::json: return "json";
    case Protocol::query: return "query";
    case Protocol::ec2: return "ec2";
    case Protocol::rest_json: return "rest-json";
    case Protocol::rest_xml: return "rest-xml";
    case Protocol::rpc_v2_cbor: return "rpc-v2-cbor";
  }
  return "";
}

bool has_streaming_input(const Operation& operation) {
  return operation.input_payload && operation.input_payload->shape->kind == Kind::stream;
}

namespace {

void decode_json_request(DecodeContext& context, const Operation& operation, std::string_view body,
                         void* input) {
  Json value = JsonObject{};
  if (!trim(body).empty()) {
    try {
      value = parse_json(body);
    } catch (const JsonError&) {
      context.unreadable("Could not parse request body into json");
    }
  }
  read_json(context, *operation.input, value, input, Path{});
}

// The parameters of a query request stand in the body or, with GET, in the URL.
std::string query_parameters(const HttpRequest& request, std::string_view body) {
  if (body.empty()) return request.query;
  if (request.query.empty()) return std::string(body);
  return request.query + "&" + std::string(body);
}

}  // namespace

void decode_request(Protocol protocol, const Operation& operation, const HttpRequest& request,
                    std::string_view body, void* input, Random* random) {
  DecodeContext context(operation.service);
  context.random = random;
  switch (protocol) {
    case Protocol::json: decode_json_request(context, operation, body, input); break;
    case Protocol::query:
    case Protocol::ec2:
      read_query(context, protocol, *operation.input, query_parameters(request, body), input);
      break;
    case Protocol::rest_json:
    case Protocol::rest_xml: decode_rest(context, protocol, operation, request, body, input); break;
    case Protocol::rpc_v2_cbor: read_cbor(context, *operation.input, body, input); break;
  }
  if (context.violations.off()) return;
  find_broken(*operation.input, input, Path{}, context.violations);
  context.violations.raise();
}

namespace {

void set_request_id(Protocol protocol, std::string_view service_id, std::string_view request_id,
                    HttpResponse& response) {
  if (protocol == Protocol::rest_xml && service_id == "s3") {
    response.set("x-amz-request-id", std::string(request_id));
    response.set("x-amz-id-2", to_base64(std::string(request_id) + "/tarn"));
  } else {
    response.set("x-amzn-RequestId", std::string(request_id));
  }
}

HttpResponse encode_query_response(Protocol protocol, const Operation& operation,
                                   const void* output, std::string_view request_id) {
  HttpResponse response;
  std::string& out = response.body;
  const std::string root = std::string(operation.name) + "Response";
  if (protocol == Protocol::ec2) {
    out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} xmlns=\"{}/\"><requestId>{}</requestId>",
        root, operation.service->xml_namespace, request_id);
    write_xml_members(protocol, *operation.output, output, out);
  } else {
    out = fmt::format("<{} xmlns=\"{}\">", root, operation.service->xml_namespace);
    if (operation.has_output) {
      const std::string wrapper = operation.result_wrapper.empty()
                                      ? std::string(operation.name) + "Result"
                                      : std::string(operation.result_wrapper);
      ((out += '<') += wrapper) += '>';
      write_xml_members(protocol, *operation.output, output, out);
      ((out += "</") += wrapper) += '>';
    }
    out +=
        fmt::format("<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>", request_id);
  }
  ((out += "</") += root) += ">\n";
  response.set("Content-Type", protocol == Protocol::ec2 ? "text/xml;charset=UTF-8" : "text/xml");
  return response;
}

const Member* event_stream_member(const Shape& structure) {
  for (const Member& member : structure.members) {
    if (member.event_stream) return &member;
  }
  return nullptr;
}

HttpResponse encode_rpc_response(Protocol protocol, const Operation& operation,
                                 const void* output) {
  HttpResponse response;
  std::string type;
  if (protocol == Protocol::rpc_v2_cbor) {
    response.body = write_cbor(*operation.output, output);
    response.set("smithy-protocol", "rpc-v2-cbor");
    type = "application/cbor";
  } else {
    if (operation.has_output) write_json_body(*operation.output, output, response.body);
    type = fmt::format("application/x-amz-json-{}", operation.service->json_version);
  }
  if (const Member* events = event_stream_member(*operation.output)) {
    // The members beside the events go ahead of them.
    const auto& frames = as<ByteSourcePtr>(events->find(output));
    const std::string first = encode_event("initial-response", type, response.body);
    response.body.clear();
    response.stream = frames ? prepend(first, frames) : source_of(first);
    type = "application/vnd.amazon.eventstream";
  }
  response.set("Content-Type", type);
  return response;
}

}  // namespace

HttpResponse encode_response(Protocol protocol, const Operation& operation, const void* output,
                             std::string_view request_id) {
  HttpResponse response;
  switch (protocol) {
    case Protocol::json:
    case Protocol::rpc_v2_cbor: response = encode_rpc_response(protocol, operation, output); break;
    case Protocol::query:
    case Protocol::ec2:
      response = encode_query_response(protocol, operation, output, request_id);
      break;
    case Protocol::rest_json:
    case Protocol::rest_xml: response = encode_rest(protocol, operation, output); break;
  }
  set_request_id(protocol, operation.service->id, request_id, response);
  return response;
}

ErrorPlace error_place(Protocol protocol, const Operation& operation) {
  const ServiceModel& service = *operation.service;
  return {.protocol = protocol,
          .service = &service,
          .service_id = service.id,
          .json_version = service.json_version,
          .xml_namespace = service.xml_namespace};
}

namespace {

void write_error_members(const ApiError& error, std::string& out) {
  ((out += "<Code>") += error.code) += "</Code><Message>";
  append_xml_text(error.message, out);
  out += "</Message>";
  for (const auto& entry : error.extra) write_xml_json(entry.key(), entry.value(), out);
}

ApiError ec2_error(ApiError error) {
  if (error.shape == "AccessDeniedException") error.code = "UnauthorizedOperation";
  return error;
}

void encode_xml_error(const ErrorPlace& place, const ApiError& error, std::string_view request_id,
                      HttpResponse& response) {
  std::string& out = response.body;
  if (place.protocol == Protocol::ec2) {
    out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>";
    write_error_members(ec2_error(error), out);
    out += fmt::format("</Error></Errors><RequestID>{}</RequestID></Response>", request_id);
  } else if (place.protocol == Protocol::rest_xml && place.service_id == "s3") {
    out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>";
    write_error_members(error, out);
    if (!place.resource.empty() && !error.extra.contains("Resource")) {
      out += "<Resource>";
      append_xml_text(place.resource, out);
      out += "</Resource>";
    }
    out += fmt::format("<RequestId>{0}</RequestId><HostId>{1}</HostId></Error>", request_id,
                       to_base64(std::string(request_id) + "/tarn"));
  } else {
    out = "<ErrorResponse";
    if (!place.xml_namespace.empty()) ((out += " xmlns=\"") += place.xml_namespace) += '"';
    out += fmt::format("><Error><Type>{}</Type>", error.sender_fault ? "Sender" : "Receiver");
    write_error_members(error, out);
    out += fmt::format("</Error><RequestId>{}</RequestId></ErrorResponse>\n", request_id);
  }
  response.set("Content-Type",
               place.protocol == Protocol::rest_xml ? "application/xml" : "text/xml");
}

void encode_rpc_error(const ErrorPlace& place, const ApiError& error, HttpResponse& response) {
  std::string type = error.shape;
  if (place.service && !place.service->error_namespace.empty()) {
    type = fmt::format("{}#{}", place.service->error_namespace, type);
  }
  JsonObject body;
  if (place.protocol != Protocol::rest_json) body["__type"] = type;
  body[error.message_key] = error.message;
  for (const auto& entry : error.extra) body[entry.key()] = entry.value();
  if (place.service && place.service->query_compatible) {
    response.set("x-amzn-query-error",
                 fmt::format("{};{}", error.code, error.sender_fault ? "Sender" : "Receiver"));
  }
  if (place.protocol == Protocol::rpc_v2_cbor) {
    response.body = write_cbor_json(body);
    response.set("smithy-protocol", "rpc-v2-cbor");
    response.set("Content-Type", "application/cbor");
    return;
  }
  response.body = dump_json(body);
  if (place.protocol == Protocol::rest_json) {
    response.set("Content-Type", "application/json");
    response.set("x-amzn-ErrorType", error.shape);
  } else {
    response.set("Content-Type", fmt::format("application/x-amz-json-{}", place.json_version));
  }
}

}  // namespace

HttpResponse encode_error(const ErrorPlace& place, const ApiError& error,
                          std::string_view request_id) {
  HttpResponse response;
  response.status = error.http_status;
  // The JSON protocols know one status for whatever the sender did wrong.
  const bool rpc = place.protocol == Protocol::json || place.protocol == Protocol::rpc_v2_cbor;
  if (rpc && error.shape == "AccessDeniedException") response.status = 400;
  switch (place.protocol) {
    case Protocol::json:
    case Protocol::rest_json:
    case Protocol::rpc_v2_cbor: encode_rpc_error(place, error, response); break;
    default: encode_xml_error(place, error, request_id, response);
  }
  if (error.http_status == 304 || error.http_status == 204) {
    response.body.clear();
  }
  for (const auto& [name, value] : error.headers) response.set(name, value);
  set_request_id(place.protocol, place.service_id, request_id, response);
  return response;
}

}  // namespace tarn::aws
