// SPDX-License-Identifier: Apache-2.0
// Frames of application/vnd.amazon.eventstream: headers and a payload between checksums. A service
// makes a ByteSource of such frames for an output that streams events. Pure functions.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stream.hpp"

namespace tarn::aws {

using EventHeaders = std::vector<std::pair<std::string, std::string>>;

std::string encode_event_frame(const EventHeaders& headers, std::string_view payload);
// A frame of the modelled event `type` ("Records", "sessionUpdate").
std::string encode_event(std::string_view type, std::string_view content_type,
                         std::string_view payload);
std::string encode_event_exception(std::string_view type, std::string_view message);

// `first`, then all of `rest`.
ByteSourcePtr prepend(std::string first, ByteSourcePtr rest);

}  // namespace tarn::aws
