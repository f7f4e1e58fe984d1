// SPDX-License-Identifier: Apache-2.0
// Fn::Cidr's arithmetic: the first `count` subnets of a block, IPv4 or IPv6. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace tarn::cloudformation {

// Subnets with `host_bits` bits for hosts; throws TemplateError when the block is malformed or too
// small.
std::vector<std::string> cidr_subnets(const std::string& block, int count,
                                      std::optional<int> host_bits);

}  // namespace tarn::cloudformation
