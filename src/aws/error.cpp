// SPDX-License-Identifier: Apache-2.0
#include "aws/error.hpp"

#include <fmt/format.h>

namespace tarn::aws {

ApiError::ApiError(std::string code_, std::string message_, int http_status_, bool sender_fault_,
                   std::string shape_)
    : code(std::move(code_)),
      message(std::move(message_)),
      http_status(http_status_),
      sender_fault(sender_fault_),
      shape(shape_.empty() ? code : std::move(shape_)),
      text_(code + ": " + message) {}

ApiError validation_error(std::string message) {
  return ApiError("ValidationException", std::move(message));
}

ApiError not_implemented(std::string_view service, std::string_view operation) {
  return ApiError("NotImplemented",
                  fmt::format("Tarn does not implement {} of {}.", operation, service), 501, false);
}

ApiError access_denied(std::string message) {
  return ApiError("AccessDenied", std::move(message), 403, true, "AccessDeniedException");
}

ApiError throttled(std::string message) {
  return ApiError("ThrottlingException", std::move(message));
}

ApiError internal_failure() {
  return ApiError("InternalFailure", "We encountered an internal error. Please try again.", 500,
                  false);
}

}  // namespace tarn::aws
