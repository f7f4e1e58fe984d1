// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/code_store.hpp"

#include <gtest/gtest.h>

#include "base/pool.hpp"
#include "engines/sandbox/archive.hpp"
#include "kernel/testing/house.hpp"
#include "services/lambda/inline_code.hpp"

namespace tarn::lambda {
namespace {

namespace fs = std::filesystem;

std::string read_back(const CodeStore& store, const std::string& digest) {
  ThreadPool pool("test", 1);
  return sync_wait(TaskContext{&pool, {}}, read_all(store.open(digest), 1 << 20));
}

TEST(CodeStore, keeps_equal_content_once_by_its_digest) {
  const kernel::testing::TemporaryDirectory directory;
  CodeStore store(directory.path() / "code");
  const std::string digest = store.put("content");
  EXPECT_EQ(digest, "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
  EXPECT_EQ(store.put("content"), digest);
  EXPECT_TRUE(store.has(digest));
  EXPECT_EQ(read_back(store, digest), "content");
  EXPECT_FALSE(store.has(std::string(64, '0')));
}

TEST(CodeStore, sweeps_what_nobody_names) {
  const kernel::testing::TemporaryDirectory directory;
  CodeStore store(directory.path() / "code");
  const std::string kept = store.put("a"), gone = store.put("b");
  store.sweep({kept});
  EXPECT_TRUE(store.has(kept));
  EXPECT_FALSE(store.has(gone));
  CodeStore(directory.path() / "never-made").sweep({});
}

TEST(InlineCode, is_a_package_with_the_source_and_cfnresponse) {
  const kernel::testing::TemporaryDirectory directory;
  CodeStore store(directory.path() / "code");
  const std::string zip = zip_of_python_source("def handler(e, c):\n    return 1\n");
  EXPECT_EQ(zip, zip_of_python_source("def handler(e, c):\n    return 1\n"));
  const std::string digest = store.put(zip);
  const fs::path tree = directory.path() / "tree";
  fs::create_directory(tree);
  sandbox::unpack_archive(directory.path() / "code" / (digest + ".zip"), tree);
  EXPECT_EQ(fs::file_size(tree / "index.py"), 32u);
  EXPECT_TRUE(fs::exists(tree / "cfnresponse.py"));
}

}  // namespace
}  // namespace tarn::lambda
