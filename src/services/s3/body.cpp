// SPDX-License-Identifier: Apache-2.0
#include "services/s3/body.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/s3/checksum.hpp"

namespace tarn::s3 {

Intake::Intake(Intake&& other) noexcept
    : body(std::move(other.body)),
      inline_bytes(std::move(other.inline_bytes)),
      md5(std::move(other.md5)),
      checksums(std::move(other.checksums)),
      blobs_(other.blobs_),
      kept_(std::exchange(other.kept_, true)) {}

Intake::~Intake() {
  if (!kept_) remove_blobs(*blobs_, body);
}

void Intake::put(kernel::Txn& txn) const {
  if (!body.inline_id.empty()) txn.put(BodyRecord{body.inline_id, inline_bytes});
  for (const auto& extent : body.extents) txn.put(BlobUse{extent.blob});
}

Task<Intake> take_body(kernel::Blobs& blobs, Random& random, ByteSourcePtr source,
                       IntakeOptions options) {
  const auto md5_hasher = make_hasher("MD5");
  std::vector<std::pair<std::string, std::unique_ptr<Hasher>>> hashers;
  for (const auto& name : options.algorithms) {
    if (name != "MD5") hashers.emplace_back(name, make_hasher(name));
  }
  Intake intake(blobs);
  std::unique_ptr<kernel::BlobWriter> writer;
  if (options.always_blob) writer = blobs.create();
  while (source) {
    const std::string piece = co_await source->read();
    if (piece.empty()) break;
    md5_hasher->update(piece);
    for (auto& [name, hasher] : hashers) hasher->update(piece);
    intake.body.size += piece.size();
    if (!writer && intake.body.size > kernel::k_inline_body_max) {
      writer = blobs.create();
      writer->write(intake.inline_bytes);
      intake.inline_bytes.clear();
    }
    if (writer) {
      writer->write(piece);
    } else {
      intake.inline_bytes += piece;
    }
  }
  intake.md5 = md5_hasher->digest();
  for (auto& [name, hasher] : hashers) intake.checksums[name] = to_base64(hasher->digest());
  if (std::ranges::find(options.algorithms, "MD5") != options.algorithms.end()) {
    intake.checksums["MD5"] = to_base64(intake.md5);
  }
  if (writer) {
    intake.body.extents.push_back({writer->finish(), intake.body.size});
  } else if (intake.body.size > 0) {
    intake.body.inline_id = random.hex(32);
  }
  co_return intake;
}

namespace {

class ExtentSource : public ByteSource {
 public:
  ExtentSource(kernel::Blobs& blobs, const Body& body, std::uint64_t offset, std::uint64_t length)
      : left_(length) {
    // Every piece is opened now: a stream stays readable though the object is replaced meanwhile.
    for (const auto& extent : body.extents) {
      if (length == 0) break;
      if (offset >= extent.size) {
        offset -= extent.size;
        continue;
      }
      const auto part = std::min(length, extent.size - offset);
      pieces_.push_back(blobs.open(extent.blob, offset, part));
      offset = 0;
      length -= part;
    }
  }
  Task<std::string> read(std::size_t max) override {
    while (at_ < pieces_.size()) {
      std::string bytes = co_await pieces_[at_]->read(max);
      if (!bytes.empty()) {
        left_ -= bytes.size();
        co_return bytes;
      }
      pieces_[at_++].reset();
    }
    co_return std::string();
  }
  std::optional<std::uint64_t> size() const override { return left_; }

 private:
  std::vector<ByteSourcePtr> pieces_;
  std::size_t at_ = 0;
  std::uint64_t left_;
};

}  // namespace

ByteSourcePtr read_body(kernel::Blobs& blobs, const Body& body, std::string inline_bytes,
                        std::uint64_t offset, std::uint64_t length) {
  if (!body.extents.empty()) {
    return std::make_shared<ExtentSource>(blobs, body, offset, length);
  }
  if (offset > 0 || length < inline_bytes.size()) {
    inline_bytes = inline_bytes.substr(offset, length);
  }
  return source_of(std::move(inline_bytes));
}

void erase_body(kernel::Txn& txn, const Body& body) {
  if (!body.inline_id.empty()) txn.erase<BodyRecord>(body.inline_id);
  for (const auto& extent : body.extents) txn.erase<BlobUse>(extent.blob);
}

void remove_blobs(kernel::Blobs& blobs, const Body& body) {
  for (const auto& extent : body.extents) blobs.remove(extent.blob);
}

}  // namespace tarn::s3
