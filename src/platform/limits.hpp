// SPDX-License-Identifier: Apache-2.0
// Every bound that Tarn sets itself, in one place. AWS's own quotas stand with their services.
#pragma once
#include <chrono>
#include <cstddef>

namespace tarn::platform::limits {

inline constexpr std::size_t k_call_threads = 64;      // group commit needs writers in flight
inline constexpr std::size_t k_call_queue_max = 4096;  // beyond: SlowDown / ThrottlingException
inline constexpr std::size_t k_background_threads = 16;
inline constexpr std::size_t k_query_threads = 8;
inline constexpr std::size_t k_http_header_bytes_max = 64 * 1024;
inline constexpr std::size_t k_api_body_bytes_max = 64 * 1024 * 1024;  // non-streaming operations
inline constexpr std::size_t k_stream_piece_bytes = 256 * 1024;
inline constexpr std::size_t k_connections_max = 4096;
inline constexpr std::chrono::seconds k_keep_alive_idle{75};
inline constexpr std::chrono::seconds k_header_timeout{30};
inline constexpr std::chrono::seconds k_body_stall_timeout{60};
inline constexpr std::chrono::seconds k_shutdown_grace{5};
inline constexpr std::chrono::minutes k_clock_skew_max{15};
inline constexpr int k_call_depth_max = 16;  // calls through calls

}  // namespace tarn::platform::limits
