// SPDX-License-Identifier: Apache-2.0
// The aws-chunked content encoding: a body in chunks, each perhaps signed, with trailing headers.
//
// Incremental: bytes go in as they arrive, payload comes out at once, so memory stays bounded. A
// chunk's signature is known to be right only when the chunk has ended: whoever takes the payload
// must not commit it before `done()`. One user at a time.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aws/digest.hpp"
#include "aws/http.hpp"
#include "aws/sigv4.hpp"

namespace tarn::aws {

class AwsChunkedDecoder {
 public:
  // `expected`: x-amz-decoded-content-length.
  AwsChunkedDecoder(const Verified& verified, std::optional<std::uint64_t> expected);

  // Appends the payload within `bytes` to `out`. Throws ApiError for a bad signature or frame.
  void push(std::string_view bytes, std::string& out);
  // The body has ended: throws IncompleteBody unless the last chunk and the trailer were seen.
  void finish();
  bool done() const { return state_ == State::done; }
  // Complete once done; names in lower case.
  const Headers& trailers() const { return trailers_; }

 private:
  enum class State { head, data, data_end, trailer, done };
  std::optional<std::string> take_line(std::string_view& bytes);
  void start_chunk(const std::string& line);
  void end_chunk();
  void add_trailer(const std::string& line);
  void end_trailers();
  bool is_signed() const { return kind_ != PayloadKind::unsigned_chunks_trailer; }
  bool has_trailer() const { return kind_ != PayloadKind::signed_chunks; }

  PayloadKind kind_;
  std::string time_, scope_, signing_key_, previous_signature_;
  std::optional<std::uint64_t> expected_;
  State state_ = State::head;
  std::string line_;
  std::uint64_t left_ = 0, total_ = 0, chunk_size_ = 0;
  std::string chunk_signature_;
  Hasher hasher_;
  Headers trailers_;
  std::string trailer_signature_;
};

// For tests and the command: one signed chunk, or the last one, in its frame.
std::string make_signed_chunk(const Verified& verified, std::string& previous_signature,
                              std::string_view data);

}  // namespace tarn::aws
