// SPDX-License-Identifier: Apache-2.0
// What the model says of a service and its operations: generated constants, shared by all threads.
#pragma once
#include <span>
#include <string_view>

#include "aws/types.hpp"

namespace tarn::aws {

enum class Protocol : std::uint8_t { json, query, ec2, rest_json, rest_xml, rpc_v2_cbor };
std::string_view to_string(Protocol protocol);

// How a service words it when an input breaks a constraint.
enum class CheckStyle : std::uint8_t {
  coral,              // "1 validation error detected: Value null at 'x' failed to satisfy …"
  request_parameter,  // "The request must contain the parameter X", "Value (v) for parameter X …"
  none,               // the service checks by itself
};

struct ServiceModel {
  std::string_view folder;        // "redshift_data": the folder and namespace
  std::string_view id;            // "redshift-data": botocore's name
  std::string_view full_name;     // "Redshift Data API Service"
  std::string_view api_version;   // "2019-12-20"
  std::string_view signing_name;  // "redshift-data"
  std::string_view target_prefix;
  std::string_view json_version;  // "1.0", "1.1"
  std::string_view xml_namespace;
  std::string_view error_namespace;     // before '#' in __type; usually none
  std::span<const Protocol> protocols;  // the preferred one first
  CheckStyle checks = CheckStyle::coral;
  std::string_view invalid_code;        // of a value that breaks a constraint
  std::string_view missing_code;        // of a required member that is absent
  std::string_view serialization_code;  // of a body that cannot be read
  bool query_compatible = false;        // JSON errors carry the former query code
};

struct Operation {
  std::string_view name;
  const ServiceModel* service = nullptr;
  std::string_view method;  // HTTP
  std::string_view uri;     // "/{Bucket}/{Key+}?acl"
  int status = 200;
  const Shape* input = nullptr;
  const Shape* output = nullptr;
  std::string_view result_wrapper;  // query: "SendMessageResult"
  // The member that is the whole body; null: all members of the body together.
  const struct Member* input_payload = nullptr;
  const struct Member* output_payload = nullptr;
  std::string_view output_root;   // rest-xml: the root element
  std::string_view output_xmlns;  // rest-xml: its namespace
  bool output_unwrapped = false;  // rest-xml: the only member's text is the root's
  bool has_output = false;        // the model names an output
  bool read_only = false;
};

}  // namespace tarn::aws
