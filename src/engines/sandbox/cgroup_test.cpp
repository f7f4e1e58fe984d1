// SPDX-License-Identifier: Apache-2.0
// Finding and filling groups, on directories that look like the kernel's. What the kernel then does
// with the limits is tested in sandbox_test.cpp.
#include "engines/sandbox/cgroup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/strings.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "tarn-cgroup-XXXXXX";
    ASSERT_TRUE(::mkdtemp(name.data()));
    home_ = name;
  }
  void TearDown() override { remove_tree(home_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((home_ / name).parent_path());
    std::ofstream(home_ / name) << text;
  }
  std::string read(const fs::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  CgroupTree tree() { return CgroupTree({home_ / "self", home_ / "mountinfo"}); }
  std::string mount(const std::string& root, const std::string& point, const std::string& type,
                    const std::string& options) {
    return "36 25 0:30 " + root + " " + (home_ / point).string() + " rw - " + type + " " + type +
           " " + options + "\n";
  }
  // Files that the kernel would make in a new group.
  void fill(const fs::path& group, std::initializer_list<const char*> files) {
    for (const char* file : files) std::ofstream(group / file) << "";
  }

  fs::path home_;
};

TEST_F(CgroupTest, version_1_groups_stand_below_our_own_path) {
  write("self", "4:memory:/system/tarn\n8:pids:/\n1:cpu,cpuacct:/\n0::/\n");
  write("mountinfo", mount("/", "memory", "cgroup", "rw,memory") +
                         mount("/", "pids", "cgroup", "rw,pids") +
                         mount("/", "cpu", "cgroup", "rw,cpu,cpuacct"));
  for (const char* path : {"memory/system/tarn", "pids", "cpu"})
    fs::create_directories(home_ / path);
  const CgroupTree found = tree();
  EXPECT_TRUE(found.missing().empty());
  EXPECT_THAT(found.parents(), ::testing::Contains(home_ / "memory/system/tarn"));
  EXPECT_THAT(found.parents(), ::testing::Contains(home_ / "pids"));
}

TEST_F(CgroupTest, a_container_s_mount_begins_at_its_own_root) {
  write("self", "4:memory:/docker/abc/inner\n");
  write("mountinfo", mount("/docker/abc", "memory", "cgroup", "rw,memory"));
  fs::create_directories(home_ / "memory/inner");
  EXPECT_THAT(tree().parents(), ::testing::ElementsAre(home_ / "memory/inner"));
}

TEST_F(CgroupTest, what_is_missing_says_why) {
  write("self", "4:memory:/gone\n");
  write("mountinfo", mount("/", "memory", "cgroup", "rw,memory"));
  const CgroupTree found = tree();
  EXPECT_THAT(found.missing().at("memory"), HasSubstr("No such file"));
  EXPECT_THAT(found.missing().at("cpu"), HasSubstr("no such controller"));
  EXPECT_TRUE(found.parents().empty());
}

TEST_F(CgroupTest, version_2_moves_us_into_a_leaf_and_divides_the_rest) {
  write("self", "0::/scope\n");
  write("mountinfo", mount("/", "", "cgroup2", "rw"));
  write("scope/cgroup.type", "domain\n");
  write("scope/cgroup.controllers", "cpu io memory pids\n");
  write("scope/cgroup.subtree_control", "");
  write("scope/cgroup.procs", std::to_string(::getpid()) + "\n");
  fs::create_directories(home_ / "scope" / (owner_prefix() + ".self"));
  write("scope/" + owner_prefix() + ".self/cgroup.procs", "");
  const CgroupTree found = tree();
  EXPECT_TRUE(found.missing().empty());
  EXPECT_EQ(read(home_ / "scope" / (owner_prefix() + ".self") / "cgroup.procs"),
            std::to_string(::getpid()));
  // Each controller is its own write; plain files keep the last bytes of each.
  EXPECT_THAT(read(home_ / "scope/cgroup.subtree_control"), HasSubstr("+"));
}

TEST_F(CgroupTest, version_2_leaves_other_peoples_processes_alone) {
  write("self", "0::/scope\n");
  write("mountinfo", mount("/", "", "cgroup2", "rw"));
  write("scope/cgroup.type", "domain\n");
  write("scope/cgroup.controllers", "cpu memory pids\n");
  write("scope/cgroup.subtree_control", "");
  write("scope/cgroup.procs", std::to_string(::getpid()) + "\n1\n");
  const CgroupTree found = tree();
  EXPECT_FALSE(found.has("memory"));
  EXPECT_THAT(found.missing().at("memory"), HasSubstr("Delegate=yes"));
  EXPECT_EQ(read(home_ / "scope/cgroup.subtree_control"), "");
}

TEST_F(CgroupTest, names_tell_whether_their_maker_lives) {
  EXPECT_TRUE(owner_is_alive(owner_prefix() + ".1"));
  EXPECT_FALSE(owner_is_alive("tarn." + std::to_string(::getpid()) + ".1.5"));
  EXPECT_FALSE(owner_is_alive("tarn.4194304.1.5"));
  EXPECT_TRUE(owner_is_alive("somebody-elses"));
  EXPECT_TRUE(owner_is_alive("tarn.x.y.z"));
}

TEST_F(CgroupTest, sweeping_removes_only_groups_without_a_maker) {
  for (const char* name : {"tarn.4194304.1.5", "other"}) fs::create_directories(home_ / name);
  fs::create_directories(home_ / (owner_prefix() + ".1"));
  EXPECT_EQ(CgroupTree::sweep({home_, home_ / "missing"}), 1u);
  EXPECT_FALSE(fs::exists(home_ / "tarn.4194304.1.5"));
  EXPECT_TRUE(fs::exists(home_ / "other"));
}

}  // namespace
}  // namespace tarn::sandbox
