// SPDX-License-Identifier: Apache-2.0
// Rows written by the first version must stay readable: their bytes stand here.
#include "services/cloudformation/records.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"

namespace tarn::cloudformation {
namespace {

ResourceRecord resource() {
  ResourceRecord record;
  record.stack_id = "arn:s";
  record.logical_id = "A";
  record.type = "T";
  record.status = "CREATE_COMPLETE";
  record.reason = "r";
  record.updated = from_millis(1'700'000'000'000);
  record.metadata = "{}";
  record.current = {true, "id", "sealed", "Retain", "Delete"};
  record.former = PhysicalResource{true, "old", "s", "Delete", "Delete"};
  record.leftovers = {{true, "left", "", "Delete", "Delete"}};
  record.operation = "op";
  record.step = Step::reverting;
  record.done = true;
  record.token = "t";
  record.progress = "p";
  return record;
}

StackRecord stack() {
  StackRecord record;
  record.id = "arn:s";
  record.name = "s";
  record.status = "UPDATE_COMPLETE";
  record.created = from_millis(1'700'000'000'000);
  record.updated = from_millis(1'700'000'001'000);
  record.inputs = {2, "sealed", {{"k", "v"}}, {"CAPABILITY_IAM"}, "d"};
  record.former.template_version = 1;
  record.outputs = {{"O", "v", "d", "e"}};
  record.role_arn = "role";
  record.timeout_minutes = 5;
  record.operation = "op";
  record.skipped = {"A"};
  record.template_versions = 2;
  return record;
}

TEST(Records, OfTheFirstVersionStayReadable) {
  const std::string k_resource =
      "010561726e3a73014101540f4352454154455f434f4d504c45544501728080f28183898506027b7d"
      "01026964067365616c65640652657461696e0644656c6574650101036f6c6401730644656c657465"
      "0644656c6574650101046c656674000644656c6574650644656c657465026f70040101740170";
  const std::string k_stack =
      "010561726e3a7301730f5550444154455f434f4d504c455445008080f28183898506018089ec8283"
      "8985060002067365616c656401016b0176010e4341504142494c4954595f49414d01640100000000"
      "01014f01760164016504726f6c650008524f4c4c4241434b00000a00000000026f70000001014102";
  EXPECT_EQ(to_hex(kernel::encode_record(resource())), k_resource);
  EXPECT_EQ(to_hex(kernel::encode_record(stack())), k_stack);
  const auto read = kernel::decode_record<ResourceRecord>(*from_hex(k_resource));
  EXPECT_EQ(read.step, Step::reverting);
  EXPECT_EQ(read.former->physical_id, "old");
  EXPECT_EQ(read.leftovers.at(0).physical_id, "left");
  const auto read_stack = kernel::decode_record<StackRecord>(*from_hex(k_stack));
  EXPECT_EQ(read_stack.inputs.tags.at("k"), "v");
  EXPECT_EQ(read_stack.outputs.at(0).export_name, "e");
  EXPECT_EQ(read_stack.template_versions, 2u);
}

}  // namespace
}  // namespace tarn::cloudformation
