// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/layers.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/pool.hpp"
#include "base/strings.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Item {
  std::string name;
  std::string content;
  mode_t type = AE_IFREG;
  mode_t mode = 0644;
  std::string link;  // target of a symbolic link
  std::string hard_link;
};

enum class Format { tar, tar_gz, tar_zst, zip };

std::string pack(const std::vector<Item>& items, Format format = Format::tar_gz) {
  archive* writer = archive_write_new();
  if (format == Format::zip)
    archive_write_set_format_zip(writer);
  else
    archive_write_set_format_pax_restricted(writer);
  if (format == Format::tar_gz) archive_write_add_filter_gzip(writer);
  if (format == Format::tar_zst) archive_write_add_filter_zstd(writer);
  std::string bytes(1 << 20, '\0');
  std::size_t used = 0;
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  for (const auto& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.name.c_str());
    archive_entry_set_filetype(entry, item.type);
    archive_entry_set_perm(entry, item.mode);
    archive_entry_set_mtime(entry, 1'700'000'000, 0);
    archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
    if (!item.link.empty()) archive_entry_set_symlink(entry, item.link.c_str());
    if (!item.hard_link.empty()) archive_entry_set_hardlink(entry, item.hard_link.c_str());
    if (item.type == AE_IFCHR) archive_entry_set_rdev(entry, makedev(1, 3));
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    archive_write_data(writer, item.content.data(), item.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  bytes.resize(used);
  return bytes;
}

std::string sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<char*>(digest), size});
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class LayersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "tarn-layers-XXXXXX";
    ASSERT_TRUE(::mkdtemp(name.data()));
    home_ = name;
    reopen();
  }
  void TearDown() override {
    store_.reset();
    remove_tree(home_);
  }
  void reopen() {
    store_.reset();
    store_ = std::make_unique<LayerStore>(home_ / "store", pool_);
  }
  LayerStore::Fetch from(std::string bytes) {
    return [this, bytes = std::move(bytes)] { return opened(bytes); };
  }
  Task<ByteSourcePtr> opened(std::string bytes) {
    ++fetched_;
    co_return source_of(std::move(bytes));
  }
  LayerPtr open(const std::string& bytes, LayerLimits limits = {}) {
    return wait(store_->open(sha256(bytes), from(bytes), limits));
  }
  LayerPtr wait(Task<LayerPtr> task) { return sync_wait(TaskContext{&pool_, {}}, std::move(task)); }
  std::string refusal(const std::string& bytes, LayerLimits limits = {}) {
    try {
      open(bytes, limits);
    } catch (const ArchiveError& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path home_;
  std::atomic<int> fetched_ = 0;
  ThreadPool pool_{"test", 8};
  std::unique_ptr<LayerStore> store_;
};

TEST_F(LayersTest, unpacks_each_format) {
  for (const Format format : {Format::tar, Format::tar_gz, Format::tar_zst, Format::zip}) {
    const std::string number = std::to_string(static_cast<int>(format));
    const auto layer = open(pack({{"bin/", "", AE_IFDIR, 0755},
                                  {"bin/run", "#!/bin/sh\n", AE_IFREG, 04755},
                                  {"./deep/er/file", "content" + number},
                                  {"link", "", AE_IFLNK, 0777, "bin/run"}},
                                 format));
    EXPECT_EQ(read_text(layer->directory() / "deep/er/file"), "content" + number);
    EXPECT_EQ(fs::read_symlink(layer->directory() / "link"), "bin/run");
    struct stat info {};
    ASSERT_EQ(::stat((layer->directory() / "bin/run").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0555u);  // executable, and nothing more
    EXPECT_EQ(info.st_mtime, 1'700'000'000);
    EXPECT_EQ(layer->bytes(), 18u);
  }
}

TEST_F(LayersTest, unpacks_once_and_finds_it_again_after_a_restart) {
  const std::string bytes = pack({{"file", "x"}});
  open(bytes);
  open(bytes);
  EXPECT_EQ(fetched_, 1);
  reopen();
  EXPECT_EQ(read_text(open(bytes)->directory() / "file"), "x");
  EXPECT_EQ(fetched_, 1);
  EXPECT_EQ(store_->bytes(), 1u);
}

TEST_F(LayersTest, names_stand_for_content) {
  const std::string bytes = pack({{"file", "x"}});
  const auto by_name = wait(store_->open_named("s3://b/k#etag", from(bytes)));
  EXPECT_EQ(by_name->digest(), sha256(bytes));
  EXPECT_EQ(open(bytes), by_name);
  reopen();
  wait(store_->open_named("s3://b/k#etag", from("not asked for")));
  EXPECT_EQ(fetched_, 1);
  wait(store_->open_named("s3://b/k#other", from(pack({{"file", "y"}}))));
  EXPECT_EQ(fetched_, 2);
}

TEST_F(LayersTest, concurrent_requests_share_one_unpack) {
  const std::string bytes = pack({{"file", std::string(500'000, 'x')}});
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  const auto first = open(pack({{"other", ""}}));
  fetched_ = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { same += open(bytes)->digest() == sha256(bytes); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(same, 8);
  EXPECT_EQ(fetched_, 1);
}

Task<ByteSourcePtr> cancelled() {
  throw Cancelled();
  co_return nullptr;
}

TEST_F(LayersTest, a_failure_is_everybodys_and_the_next_try_starts_anew) {
  const std::string bytes = pack({{"file", "x"}});
  EXPECT_THROW(wait(store_->open(sha256(bytes), from("nonsense"))), ArchiveError);
  LayerStore::Fetch fetch = [] { return cancelled(); };
  EXPECT_THROW(wait(store_->open(sha256(bytes), fetch)), Cancelled);
  EXPECT_NE(open(bytes), nullptr);
}

TEST_F(LayersTest, refuses_what_would_leave_its_directory) {
  EXPECT_THAT(refusal(pack({{"../evil", "x"}})), HasSubstr("'../evil' climbs out"));
  EXPECT_THAT(refusal(pack({{"a/../../evil", "x"}})), HasSubstr("climbs out"));
  EXPECT_THAT(refusal(pack({{"/etc/evil", "x"}}, Format::tar)), HasSubstr("absolute path"));
  EXPECT_THAT(refusal(pack({{"../evil", "x"}}, Format::zip)), HasSubstr("climbs out"));
  EXPECT_THAT(refusal(pack({{"a", "", AE_IFLNK, 0777, "/etc"}, {"a/evil", "x"}})),
              HasSubstr("'a/evil' goes through the symbolic link 'a'"));
  EXPECT_THAT(refusal(pack({{"a", "", AE_IFLNK, 0777, ".."}, {"a/b/evil", "x"}})),
              HasSubstr("goes through the symbolic link"));
  EXPECT_THAT(
      refusal(pack({{"a", "", AE_IFLNK, 0777, "/etc/passwd"}, {"b", "", AE_IFREG, 0644, "", "a"}})),
      HasSubstr("'a', which is no file"));
  EXPECT_THAT(refusal(pack({{"b", "", AE_IFREG, 0644, "", "../../etc/passwd"}})),
              HasSubstr("climbs out"));
  EXPECT_FALSE(fs::exists(home_ / "store/partial/evil"));
}

TEST_F(LayersTest, a_file_replaces_a_link_and_is_not_written_through_it) {
  std::ofstream(home_ / "victim") << "safe";
  const auto layer = open(
      pack({{"a", "", AE_IFLNK, 0777, (home_ / "victim").string()}, {"a", "x", AE_IFREG, 0644}}));
  EXPECT_EQ(read_text(home_ / "victim"), "safe");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(layer->directory() / "a")));
}

TEST_F(LayersTest, refuses_devices_and_pipes) {
  EXPECT_THAT(refusal(pack({{"null", "", AE_IFCHR}})), HasSubstr("'null' is a character device"));
  EXPECT_THAT(refusal(pack({{"pipe", "", AE_IFIFO}})), HasSubstr("'pipe' is a named pipe"));
}

TEST_F(LayersTest, refuses_what_is_damaged) {
  const std::string whole = pack({{"file", std::string(300'000, 'x') + "y"}});
  EXPECT_THAT(refusal("this is no archive"), HasSubstr("not"));
  EXPECT_THAT(refusal(""), HasSubstr("archive"));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() / 2)), HasSubstr("corrupt"));
  EXPECT_THROW(wait(store_->open(sha256("other"), from(whole))), ArchiveError);
  EXPECT_THROW(wait(store_->open("../../etc", from(whole))), ArchiveError);
}

TEST_F(LayersTest, refuses_what_is_too_large) {
  const std::string bytes = pack({{"a", std::string(200'000, 'x')}, {"b", "x"}});
  EXPECT_THAT(refusal(bytes, {.archive_bytes_max = 100}), HasSubstr("larger than 100 bytes"));
  EXPECT_THAT(refusal(bytes, {.unpacked = {.unpacked_bytes_max = 1000}}),
              HasSubstr("more than 1000 bytes"));
  EXPECT_THAT(refusal(bytes, {.unpacked = {.entries_max = 1}}), HasSubstr("more than 1 entries"));
  EXPECT_TRUE(fs::is_empty(home_ / "store/partial"));
}

TEST_F(LayersTest, names_in_other_alphabets_survive) {
  const auto layer = open(pack({{"prix/été €.txt", "x"}}, Format::zip));
  EXPECT_TRUE(fs::exists(layer->directory() / "prix/été €.txt"));
}

TEST_F(LayersTest, a_partial_unpack_is_swept_at_start) {
  fs::create_directories(home_ / "store/partial/7/tree/x");
  fs::create_directories(home_ / "store/layers/not-a-digest/tree");
  reopen();
  EXPECT_TRUE(fs::is_empty(home_ / "store/partial"));
  EXPECT_TRUE(fs::is_empty(home_ / "store/layers"));
}

TEST_F(LayersTest, layers_of_an_earlier_boot_count_only_if_synced) {
  const std::string bytes = pack({{"file", "x"}});
  const fs::path home = home_ / "store/layers" / open(bytes)->digest();
  store_.reset();  // waits for the sync
  EXPECT_TRUE(fs::exists(home / "synced"));
  std::ofstream(home / "layer.json") << R"({"version":1,"bytes":1,"entries":1,"boot":"earlier"})";
  reopen();
  EXPECT_NE(store_->find(sha256(bytes)), nullptr);
  store_.reset();
  fs::remove(home / "synced");
  reopen();
  EXPECT_EQ(store_->find(sha256(bytes)), nullptr);
}

TEST_F(LayersTest, the_least_recently_used_go_first_and_never_those_in_use) {
  std::vector<std::string> archives;
  for (const char* name : {"a", "b", "c"}) {
    archives.push_back(pack({{name, std::string(1000, *name)}}));
    open(archives.back());
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
  const auto in_use = open(archives[1]);
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  open(archives[0]);
  EXPECT_EQ(store_->sweep(2500), 1u);
  EXPECT_EQ(store_->find(sha256(archives[2])), nullptr);
  EXPECT_NE(store_->find(sha256(archives[0])), nullptr);
  EXPECT_EQ(store_->sweep(0), 1u);
  EXPECT_TRUE(fs::exists(in_use->directory() / "b"));
  EXPECT_EQ(store_->bytes(), 1000u);
}

}  // namespace
}  // namespace tarn::sandbox
