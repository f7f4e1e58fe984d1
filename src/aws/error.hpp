// SPDX-License-Identifier: Apache-2.0
// Failures that a caller may see. Thrown anywhere below a handler, turned into the protocol's form
// once, by the gateway (aws/codec.hpp). Generated classes derive from this, one per modelled error.
#pragma once
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace tarn::aws {

class ApiError : public std::exception {
 public:
  // `shape`: the error's name in the model where it differs from the code on the wire.
  ApiError(std::string code, std::string message, int http_status = 400, bool sender_fault = true,
           std::string shape = {});

  const char* what() const noexcept override { return text_.c_str(); }

  std::string code;
  std::string message;
  int http_status;
  bool sender_fault;
  std::string shape;
  std::string message_key = "message";  // as the model spells it
  JsonObject extra;                     // further members, by their wire names
  // Sent as headers: modelled members, Retry-After, x-amz-delete-marker.
  std::vector<std::pair<std::string, std::string>> headers;

 private:
  std::string text_;  // "Code: message", for logs
};

// A modelled member whose wire name is not its own.
struct ErrorMember {
  std::string_view name, wire;
  bool header = false;
};

// What generated classes share: `throw InvalidObjectState("…").with("StorageClass", "GLACIER")`.
template <class Self>
class ModelledError : public ApiError {
 public:
  using ApiError::ApiError;
  template <class V>
  Self& with(std::string_view member, V&& value) {
    Json made;
    if constexpr (std::is_convertible_v<V, std::string_view>) {
      made = std::string_view(value);
    } else {
      made = Json(std::forward<V>(value));
    }
    if constexpr (requires { Self::k_members; }) {
      for (const ErrorMember& known : Self::k_members) {
        if (known.name == member) return set(known.wire, std::move(made), known.header);
      }
    }
    return set(member, std::move(made), false);
  }

 private:
  Self& set(std::string_view wire, Json value, bool header) {
    if (header) {
      headers.emplace_back(
          wire, value.is_string() ? std::string(json_text(value.get_string())) : dump_json(value));
    } else {
      extra[wire] = std::move(value);
    }
    return static_cast<Self&>(*this);
  }
};

ApiError validation_error(std::string message);  // ValidationException
ApiError not_implemented(std::string_view service, std::string_view operation);
// What IAM refuses: AccessDenied of the XML services, AccessDeniedException of the JSON ones,
// UnauthorizedOperation of EC2, each with its status. `encode_error` chooses.
ApiError access_denied(std::string message);
ApiError throttled(std::string message = "Rate exceeded");
ApiError internal_failure();

}  // namespace tarn::aws
