// SPDX-License-Identifier: Apache-2.0
// The python3.11 runtime: a program that stands at /var/runtime/bootstrap.py in the sandbox, speaks
// the Runtime API, and behaves towards handlers as AWS's runtime does. Its interpreter and boto3
// are the base root's.
#pragma once
#include <string_view>

namespace tarn::lambda {

std::string_view python_bootstrap();

}  // namespace tarn::lambda
