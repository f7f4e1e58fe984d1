// SPDX-License-Identifier: Apache-2.0
#include "services/ecs/slim_image.hpp"

#include <gtest/gtest.h>

namespace tarn::ecs {
namespace {

TEST(SlimImage, mounts_the_archives_and_runs_the_script) {
  const auto plan = plan_slim({{"COMMAND", "python x.py"},
                               {"CODE_ARCHIVE", "s3://b/path/code.tar.gz"},
                               {"VENV_ARCHIVE", "s3://b/venv.tar.zst"}});
  ASSERT_FALSE(plan.failure);
  ASSERT_EQ(plan.archives.size(), 2u);
  EXPECT_EQ(plan.archives[0].object.bucket, "b");
  EXPECT_EQ(plan.archives[0].object.key, "path/code.tar.gz");
  EXPECT_EQ(plan.archives[0].target, "/opt/code");
  EXPECT_EQ(plan.archives[1].target, "/opt/venv");
  EXPECT_EQ(plan.command, (std::vector<std::string>{"/bin/sh", "-ec", "python x.py"}));
  EXPECT_TRUE(plan.environment.at("PATH").starts_with("/opt/venv/bin:"));
  EXPECT_EQ(plan.environment.at("VIRTUAL_ENV"), "/opt/venv");
}

TEST(SlimImage, archives_may_be_left_out) {
  const auto plan = plan_slim({{"COMMAND", "true"}, {"CODE_ARCHIVE", ""}});
  EXPECT_FALSE(plan.failure);
  EXPECT_TRUE(plan.archives.empty());
  EXPECT_FALSE(plan.environment.contains("VIRTUAL_ENV"));
}

TEST(SlimImage, wrong_variables_end_it_with_64) {
  EXPECT_EQ(plan_slim({}).failure->exit_code, 64);
  const auto plan = plan_slim({{"COMMAND", "true"}, {"VENV_ARCHIVE", "/local/file"}});
  ASSERT_TRUE(plan.failure);
  EXPECT_EQ(plan.failure->exit_code, 64);
  EXPECT_EQ(plan.failure->text, "VENV_ARCHIVE is '/local/file', not an s3:// URI of an object");
  EXPECT_TRUE(plan_slim({{"COMMAND", "true"}, {"CODE_ARCHIVE", "s3://bucket"}}).failure);
}

TEST(SlimImage, is_known_by_its_name) {
  EXPECT_TRUE(is_slim_image("tarn/slim"));
  EXPECT_TRUE(is_slim_image("tarn/slim:latest"));
  EXPECT_FALSE(is_slim_image("tarn/slimmer"));
}

}  // namespace
}  // namespace tarn::ecs
