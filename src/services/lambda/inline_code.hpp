// SPDX-License-Identifier: Apache-2.0
// CloudFormation's Code.ZipFile is source text: the package that AWS makes of it. Pure.
#pragma once
#include <string>

namespace tarn::lambda {

// A zip with the text as index.py, and the module cfnresponse beside it as AWS adds it.
std::string zip_of_python_source(const std::string& source);

}  // namespace tarn::lambda
