// SPDX-License-Identifier: Apache-2.0
// STS: who am I, and temporary credentials. The sessions themselves belong to IAM's identity
// store, reached through its port.
#pragma once
#include "aws/sts/operations.hpp"
#include "platform/service.hpp"

namespace tarn::sts {

class Sts : public platform::ServiceOf<Sts> {
 public:
  explicit Sts(platform::Environment& environment) : environment_(environment) {}
  std::string_view name() const override { return "sts"; }
  void operations(platform::OpTable& t);

 private:
  using Call = platform::Call;
  GetCallerIdentityOutput get_caller_identity(Call&, const GetCallerIdentityInput&);
  AssumeRoleOutput assume_role(Call&, const AssumeRoleInput&);
  GetSessionTokenOutput get_session_token(Call&, const GetSessionTokenInput&);
  GetAccessKeyInfoOutput get_access_key_info(Call&, const GetAccessKeyInfoInput&);

  platform::IdentityStore& identities();
  platform::Environment& environment_;
};

}  // namespace tarn::sts
