// SPDX-License-Identifier: Apache-2.0
// Private to the kernel: what is to be known of the exception that ended a delivery or a job.
#pragma once
#include <exception>
#include <string>

#include "base/task.hpp"

namespace tarn::kernel {

inline std::string reason_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "unknown exception";
  }
}

inline bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace tarn::kernel
