// SPDX-License-Identifier: Apache-2.0
#include "kernel/blobs.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

struct Folder {
  testing::TemporaryDirectory directory;
  SeededRandom random{7};
  ThreadPool pool{"test", 1};
  Blobs blobs{directory.path() / "blobs", random};

  BlobId write(const std::string& bytes) {
    auto writer = blobs.create();
    writer->write(bytes);
    return writer->finish();
  }
  std::string read(const BlobId& id, std::uint64_t offset, std::uint64_t length) {
    auto source = blobs.open(id, offset, length);
    auto task = read_all(source, 1 << 30);
    return sync_wait<std::string>({&pool, {}}, std::move(task));
  }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory.path() / "blobs")) {
      count += entry.is_regular_file();
    }
    return count;
  }
};

TEST(Blobs, WhatWasWrittenIsReadInWholeAndInPart) {
  Folder folder;
  std::string bytes;
  for (int i = 0; bytes.size() < 3'000'000; ++i) bytes += std::to_string(i) + ",";
  auto writer = folder.blobs.create();
  for (std::size_t at = 0; at < bytes.size(); at += 70'000) {
    writer->write(std::string_view(bytes).substr(at, 70'000));
  }
  EXPECT_EQ(writer->size(), bytes.size());
  const BlobId id = writer->finish();
  EXPECT_EQ(folder.blobs.size(id), bytes.size());
  EXPECT_EQ(folder.read(id, 0, bytes.size()), bytes);
  EXPECT_EQ(folder.read(id, 1'000'000, 5), bytes.substr(1'000'000, 5));
  EXPECT_EQ(folder.read(id, 10, 0), "");
  char buffer[8];
  EXPECT_EQ(folder.blobs.read_at(id, bytes.size() - 3, buffer, sizeof buffer), 3U);
  EXPECT_EQ(std::string_view(buffer, 3), std::string_view(bytes).substr(bytes.size() - 3));
}

TEST(Blobs, AnUnfinishedOneLeavesNothing) {
  Folder folder;
  {
    auto writer = folder.blobs.create();
    writer->write("half");
    EXPECT_EQ(folder.files(), 1U);
  }
  EXPECT_EQ(folder.files(), 0U);
}

TEST(Blobs, AReaderKeepsReadingWhatIsRemovedMeanwhile) {
  Folder folder;
  const BlobId id = folder.write("still here");
  auto source = folder.blobs.open(id, 0, 10);
  folder.blobs.remove(id);
  folder.blobs.remove(id);  // twice is fine
  EXPECT_EQ(folder.files(), 0U);
  auto task = read_all(source, 100);
  EXPECT_EQ(sync_wait<std::string>({&folder.pool, {}}, std::move(task)), "still here");
  EXPECT_THROW(folder.blobs.open(id, 0, 1), StorageFailure);
}

TEST(Blobs, TheSweepRemovesWhatNoRecordNames) {
  Folder folder;
  const BlobId kept = folder.write("kept");
  const BlobId orphan = folder.write("orphan");
  const auto half = folder.directory.path() / "blobs" / "tmp" / std::string(32, 'a');
  std::ofstream(half) << "half";
  std::ofstream(folder.directory.path() / "blobs" / "README") << "not ours";
  EXPECT_EQ(folder.blobs.sweep([&](const BlobId& id) { return id == kept; }), 2U);
  EXPECT_EQ(folder.read(kept, 0, 4), "kept");
  EXPECT_THROW(folder.blobs.size(orphan), StorageFailure);
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_TRUE(std::filesystem::exists(folder.directory.path() / "blobs" / "README"));
}

TEST(Blobs, AnIdNeverLeadsOutOfTheDirectory) {
  Folder folder;
  for (const char* id : {"", "..", "../../etc/passwd", "ABCDEF00000000000000000000000000"}) {
    EXPECT_THROW(folder.blobs.path(id), StorageFailure) << id;
  }
}

TEST(Blobs, AShortFileIsAnErrorNotAShortBody) {
  Folder folder;
  const BlobId id = folder.write("four");
  EXPECT_THROW(folder.read(id, 0, 5), StorageFailure);
}

TEST(Blobs, AFullDiskIsAStorageFailureAndLeavesNothing) {
  Folder folder;
  // A limit on file size stands in for the full disk; in a child, because it cannot be undone.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10'000, 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      auto writer = folder.blobs.create();
      writer->write(std::string(20'000, 'x'));
    } catch (const StorageFailure&) {
      code = folder.files() == 0 ? 0 : 2;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace tarn::kernel
