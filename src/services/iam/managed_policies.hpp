// SPDX-License-Identifier: Apache-2.0
// The policies that AWS itself provides (arn:aws:iam::aws:policy/…), as far as data platforms
// attach them. Their documents follow the published ones in effect; an ARN that is not here is
// refused on attachment, never silently accepted.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace tarn::iam {

struct AwsManagedPolicy {
  std::string_view arn;
  std::string_view document;
};

const AwsManagedPolicy* find_aws_managed_policy(std::string_view arn);
const std::vector<AwsManagedPolicy>& aws_managed_policies();

}  // namespace tarn::iam
