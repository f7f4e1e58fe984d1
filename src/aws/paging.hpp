// SPDX-License-Identifier: Apache-2.0
// Opaque tokens for the next page: the key after which it goes on, bound to the operation that made
// it, so that another operation's token, or a made-up one, is refused. Pure functions.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tarn::aws {

std::string encode_page_token(std::string_view operation, std::string_view key);
// The key; null if the token is none of this operation's. The service throws its own error then.
std::optional<std::string> decode_page_token(std::string_view operation, std::string_view token);

}  // namespace tarn::aws
