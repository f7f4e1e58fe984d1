// SPDX-License-Identifier: Apache-2.0
#include "services/s3/notifications.hpp"

#include <gtest/gtest.h>

namespace tarn::s3 {
namespace {

TEST(NotificationFilter, takes_keys_by_prefix_and_suffix) {
  const Json filter = parse_json(R"({"Key":{"FilterRules":[
      {"Name":"Prefix","Value":"in/"},{"Name":"suffix","Value":".csv"}]}})");
  EXPECT_TRUE(filter_takes(&filter, "in/a.csv"));
  EXPECT_FALSE(filter_takes(&filter, "out/a.csv"));
  EXPECT_FALSE(filter_takes(&filter, "in/a.txt"));
  EXPECT_TRUE(filter_takes(nullptr, "anything"));
}

TEST(NotificationFilter, takes_events_by_pattern) {
  const Json entry = parse_json(R"({"Events":["s3:ObjectCreated:*","s3:ObjectRemoved:Delete"]})");
  EXPECT_TRUE(event_takes(entry, "ObjectCreated:Put"));
  EXPECT_TRUE(event_takes(entry, "ObjectCreated:CompleteMultipartUpload"));
  EXPECT_TRUE(event_takes(entry, "ObjectRemoved:Delete"));
  EXPECT_FALSE(event_takes(entry, "ObjectRemoved:DeleteMarkerCreated"));
  EXPECT_FALSE(event_takes(parse_json("{}"), "ObjectCreated:Put"));
}

TEST(NotificationMessage, encodes_the_key_as_a_form_and_keeps_slashes) {
  ObjectChange change;
  change.event = "ObjectCreated:Put";
  change.bucket = "b";
  change.key = "in/red flower+ü.jpg";
  change.size = 3;
  change.etag = "e";
  const Json message = notification_message(change, "mine");
  const Json& record = message.at("Records").at(0);
  EXPECT_EQ(record.at("eventName"), Json("ObjectCreated:Put"));
  const Json& s3 = record.at("s3");
  EXPECT_EQ(s3.at("configurationId"), Json("mine"));
  EXPECT_EQ(s3.at("object").at("key"), Json("in/red+flower%2B%C3%BC.jpg"));
  EXPECT_EQ(s3.at("object").at("size"), Json(3));
}

TEST(NotificationMessage, of_a_removal_has_neither_size_nor_etag) {
  ObjectChange change;
  change.event = "ObjectRemoved:Delete";
  change.key = "k";
  const Json message = notification_message(change, "");
  const Json& object = message.at("Records").at(0).at("s3").at("object");
  EXPECT_FALSE(find_member(object, "size"));
  EXPECT_FALSE(find_member(object, "eTag"));
}

}  // namespace
}  // namespace tarn::s3
