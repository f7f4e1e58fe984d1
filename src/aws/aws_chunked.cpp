// SPDX-License-Identifier: Apache-2.0
#include "aws/aws_chunked.hpp"

#include <charconv>

#include <fmt/format.h>

#include "base/strings.hpp"

namespace tarn::aws {

namespace {

constexpr std::size_t k_line_max = 8192;
constexpr std::size_t k_trailers_max = 64;
constexpr std::string_view k_signature_name = ";chunk-signature=";

const ErrorPlace k_place{.protocol = Protocol::rest_xml, .service_id = "s3"};

[[noreturn]] void bad_frame(std::string_view what) {
  throw ApiError("InvalidRequest", fmt::format("The aws-chunked body is malformed: {}.", what),
                 400);
}

[[noreturn]] void incomplete() {
  throw ApiError("IncompleteBody",
                 "You did not provide the number of bytes specified by the "
                 "Content-Length HTTP header",
                 400);
}

std::string chunk_string(std::string_view time, std::string_view scope, std::string_view previous,
                         std::string_view digest_hex) {
  return fmt::format("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}", time, scope, previous,
                     sha256_hex(""), digest_hex);
}

}  // namespace

AwsChunkedDecoder::AwsChunkedDecoder(const Verified& verified,
                                     std::optional<std::uint64_t> expected)
    : kind_(verified.payload),
      time_(verified.time),
      scope_(verified.scope),
      signing_key_(verified.signing_key),
      previous_signature_(verified.signature),
      expected_(expected) {}

std::optional<std::string> AwsChunkedDecoder::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  const std::string_view piece = bytes.substr(0, end);
  if (line_.size() + piece.size() > k_line_max) bad_frame("a line is too long");
  line_ += piece;
  if (end == std::string_view::npos) {
    bytes = {};
    return std::nullopt;
  }
  bytes.remove_prefix(end + 1);
  if (line_.ends_with('\r')) line_.pop_back();
  return std::exchange(line_, {});
}

void AwsChunkedDecoder::push(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::head:
        if (const auto line = take_line(bytes)) start_chunk(*line);
        break;
      case State::data: {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        const std::string_view piece = bytes.substr(0, count);
        if (is_signed()) hasher_.update(piece);
        out += piece;
        bytes.remove_prefix(count);
        left_ -= count;
        if (left_ == 0) state_ = State::data_end;
        break;
      }
      case State::data_end:
        if (const auto line = take_line(bytes)) {
          if (!line->empty()) bad_frame("a chunk is longer than its size");
          end_chunk();
          state_ = State::head;
        }
        break;
      case State::trailer:
        if (const auto line = take_line(bytes)) {
          // AWS's own example has an empty line ahead of the trailer's signature.
          const bool signature_missing =
              kind_ == PayloadKind::signed_chunks_trailer && trailer_signature_.empty();
          if (!line->empty()) {
            add_trailer(*line);
          } else if (!signature_missing) {
            end_trailers();
          }
        }
        break;
      case State::done:
        if (!trim(bytes).empty()) bad_frame("there are bytes behind the last chunk");
        bytes = {};
        break;
    }
  }
}

void AwsChunkedDecoder::start_chunk(const std::string& line) {
  const std::string_view text = line;
  const auto semicolon = text.find(';');
  const std::string_view size = trim(text.substr(0, semicolon));
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), count, 16);
  if (error != std::errc() || end != size.data() + size.size() || size.empty()) {
    bad_frame("a chunk has no size");
  }
  chunk_signature_.clear();
  if (is_signed()) {
    const auto at = text.find(k_signature_name);
    if (at == std::string_view::npos) bad_frame("a chunk has no signature");
    chunk_signature_ = text.substr(at + k_signature_name.size());
  }
  if (expected_ && (count > *expected_ || total_ > *expected_ - count)) incomplete();
  total_ += count;
  chunk_size_ = left_ = count;
  if (count > 0) {
    state_ = State::data;
    return;
  }
  end_chunk();
  if (expected_ && total_ != *expected_) incomplete();
  // Even without a trailer the body ends in an empty line.
  state_ = State::trailer;
}

void AwsChunkedDecoder::end_chunk() {
  if (!is_signed()) return;
  const std::string text =
      chunk_string(time_, scope_, previous_signature_, to_hex(hasher_.finish()));
  const std::string computed = to_hex(hmac(Digest::sha256, signing_key_, text));
  if (!constant_time_equal(computed, chunk_signature_)) throw signature_mismatch(k_place);
  previous_signature_ = computed;
}

void AwsChunkedDecoder::add_trailer(const std::string& line) {
  const auto colon = line.find(':');
  if (colon == std::string::npos || !has_trailer()) bad_frame("a trailing header was not expected");
  if (trailers_.size() >= k_trailers_max) bad_frame("there are too many trailing headers");
  std::string name = to_lower(trim(std::string_view(line).substr(0, colon)));
  std::string value(trim(std::string_view(line).substr(colon + 1)));
  if (name == "x-amz-trailer-signature") {
    trailer_signature_ = std::move(value);
  } else {
    trailers_.emplace_back(std::move(name), std::move(value));
  }
}

void AwsChunkedDecoder::end_trailers() {
  if (kind_ == PayloadKind::signed_chunks_trailer) {
    std::string canonical;
    for (const auto& [name, value] : trailers_) canonical += fmt::format("{}:{}\n", name, value);
    const std::string text = fmt::format("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}", time_, scope_,
                                         previous_signature_, sha256_hex(canonical));
    const std::string computed = to_hex(hmac(Digest::sha256, signing_key_, text));
    if (!constant_time_equal(computed, trailer_signature_)) throw signature_mismatch(k_place);
  }
  state_ = State::done;
}

void AwsChunkedDecoder::finish() {
  // Some clients leave out the last empty line.
  if (state_ == State::trailer && line_.empty()) end_trailers();
  if (state_ != State::done) incomplete();
}

std::string make_signed_chunk(const Verified& verified, std::string& previous_signature,
                              std::string_view data) {
  const std::string text =
      chunk_string(verified.time, verified.scope, previous_signature, sha256_hex(data));
  previous_signature = to_hex(hmac(Digest::sha256, verified.signing_key, text));
  return fmt::format("{:x}{}{}\r\n{}{}", data.size(), k_signature_name, previous_signature, data,
                     data.empty() ? "" : "\r\n");
}

}  // namespace tarn::aws
