// SPDX-License-Identifier: Apache-2.0
// Password exchanges of the protocol. Pure.
#pragma once
#include <string>
#include <string_view>

namespace tarn::pgwire {

// "md5" + md5(md5(password + user) + salt), as AuthenticationMD5Password asks.
std::string md5_answer(std::string_view password, std::string_view user, std::string_view salt);

}  // namespace tarn::pgwire
