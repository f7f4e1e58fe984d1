// SPDX-License-Identifier: Apache-2.0
// Golden messages of each protocol. What botocore makes of them is compared in codegen/tests.
#include "aws/codec.hpp"

#include <gtest/gtest.h>

#include "aws/event_stream.hpp"
#include "base/pool.hpp"
#include "base/strings.hpp"
#include "codec_test/codebuild/BatchGetBuilds.hpp"
#include "codec_test/dynamodb/PutItem.hpp"
#include "codec_test/ec2/DescribeVpcs.hpp"
#include "codec_test/lambda/Invoke.hpp"
#include "codec_test/lambda/errors.hpp"
#include "codec_test/s3/CreateBucket.hpp"
#include "codec_test/s3/DeleteObjects.hpp"
#include "codec_test/s3/GetBucketAcl.hpp"
#include "codec_test/s3/GetBucketLocation.hpp"
#include "codec_test/s3/GetObject.hpp"
#include "codec_test/s3/ListObjectsV2.hpp"
#include "codec_test/s3/PutObject.hpp"
#include "codec_test/s3/errors.hpp"
#include "codec_test/sns/Publish.hpp"
#include "codec_test/sns/SetTopicAttributes.hpp"
#include "codec_test/sns/errors.hpp"
#include "codec_test/sqs/CreateQueue.hpp"
#include "codec_test/sqs/ReceiveMessage.hpp"
#include "codec_test/sqs/SendMessage.hpp"
#include "codec_test/sqs/SendMessageBatch.hpp"
#include "codec_test/sqs/enums.hpp"
#include "codec_test/sqs/errors.hpp"

namespace tarn::aws {
namespace {

using namespace tarn::codec_test;

template <class Op>
typename Op::Input read(Protocol protocol, HttpRequest request, std::string_view body) {
  typename Op::Input input;
  decode_request(protocol, Op::operation(), request, body, &input);
  return input;
}
template <class Op>
HttpResponse written(Protocol protocol, const typename Op::Output& output) {
  return encode_response(protocol, Op::operation(), &output, "id-1");
}
HttpRequest to(std::string method, std::string path, std::string query = "", Headers headers = {}) {
  return {.method = std::move(method),
          .path = std::move(path),
          .query = std::move(query),
          .headers = std::move(headers)};
}

TEST(JsonProtocol, reads_maps_blobs_and_ignores_what_it_does_not_know) {
  const auto in = read<sqs::SendMessage>(Protocol::json, to("POST", "/"), R"({
      "QueueUrl": "u", "MessageBody": "b\u00e9", "DelaySeconds": 5, "Future": {"a": []},
      "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": "AAE="}}})");
  EXPECT_EQ(in.queue_url, "u");
  EXPECT_EQ(in.message_body, "b\xC3\xA9");
  EXPECT_EQ(in.delay_seconds, 5);
  EXPECT_EQ(in.message_attributes->at("n").binary_value, std::string("\0\1", 2));
  EXPECT_FALSE(in.message_group_id);
}

TEST(JsonProtocol, writes_what_is_set) {
  const auto response =
      written<sqs::SendMessage>(Protocol::json, {.message_id = "m\"1", .sequence_number = "7"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/x-amz-json-1.0");
  EXPECT_EQ(response.header("x-amzn-requestid"), "id-1");
  EXPECT_EQ(response.body, R"({"MessageId":"m\"1","SequenceNumber":"7"})");
}

TEST(JsonProtocol, reads_and_copies_recursive_values) {
  const auto in = read<dynamodb::PutItem>(Protocol::json, to("POST", "/"), R"({"TableName": "t",
      "Item": {"a": {"M": {"b": {"L": [{"N": "1"}, {"NULL": true}, {"SS": ["x"]}]}}}}})");
  const auto copy = in;
  const auto& list = *copy.item.at("a").m->at("b").l;
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].n, "1");
  EXPECT_EQ(list[1].null, true);
  EXPECT_EQ(list[2].ss->at(0), "x");
}

TEST(JsonProtocol, errors_name_the_shape_and_the_former_query_code) {
  const sqs::QueueDoesNotExist error("The specified queue does not exist.");
  const auto response = encode_error(Protocol::json, &sqs::SendMessage::operation(), error, "id-1");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.header("x-amzn-query-error"),
            "AWS.SimpleQueueService.NonExistentQueue;Sender");
  EXPECT_EQ(response.body, R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist",)"
                           R"("message":"The specified queue does not exist."})");
}

TEST(QueryProtocol, reads_dotted_names_in_the_order_of_their_numbers) {
  const auto in = read<sns::Publish>(
      Protocol::query, to("POST", "/"),
      "Action=Publish&Version=2010-03-31&TopicArn=arn&Message=a%26b+c"
      "&MessageAttributes.entry.2.Name=y&MessageAttributes.entry.2.Value.DataType=String"
      "&MessageAttributes.entry.1.Name=x&MessageAttributes.entry.1.Value.DataType=Binary"
      "&MessageAttributes.entry.1.Value.BinaryValue=AAE%3D");
  EXPECT_EQ(in.message, "a&b c");
  ASSERT_EQ(in.message_attributes->size(), 2u);
  EXPECT_EQ(in.message_attributes->at("x").binary_value, std::string("\0\1", 2));
}

TEST(QueryProtocol, reads_parameters_from_the_url_too) {
  const auto in = read<sns::SetTopicAttributes>(
      Protocol::query, to("GET", "/", "Action=SetTopicAttributes&TopicArn=a&AttributeName=n"), "");
  EXPECT_EQ(in.topic_arn, "a");
  EXPECT_EQ(in.attribute_name, "n");
}

TEST(QueryProtocol, wraps_results) {
  EXPECT_EQ(written<sns::Publish>(Protocol::query, {.message_id = "a<b"}).body,
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>"
            "<MessageId>a&lt;b</MessageId></PublishResult><ResponseMetadata><RequestId>id-1"
            "</RequestId></ResponseMetadata></PublishResponse>\n");
  EXPECT_EQ(written<sns::SetTopicAttributes>(Protocol::query, {}).body,
            "<SetTopicAttributesResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">"
            "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata>"
            "</SetTopicAttributesResponse>\n");
}

TEST(QueryProtocol, errors_have_code_and_type) {
  const auto response = encode_error(Protocol::query, &sns::Publish::operation(),
                                     sns::NotFoundException("Topic does not exist"), "id-1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body,
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender"
            "</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error>"
            "<RequestId>id-1</RequestId></ErrorResponse>\n");
}

TEST(QueryProtocol, sqs_is_still_spoken_to_in_its_former_form) {
  const auto created = read<sqs::CreateQueue>(
      Protocol::query, to("POST", "/"),
      "Action=CreateQueue&QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=3"
      "&Tag.1.Key=k&Tag.1.Value=v");
  EXPECT_EQ(created.attributes->at(std::string(sqs::QueueAttributeName::DelaySeconds)), "3");
  EXPECT_EQ(created.tags->at("k"), "v");
  const auto batch = read<sqs::SendMessageBatch>(
      Protocol::query, to("POST", "/"),
      "QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b"
      "&SendMessageBatchRequestEntry.2.Id=c&SendMessageBatchRequestEntry.2.MessageBody=d"
      "&SendMessageBatchRequestEntry.2.MessageAttribute.1.Name=n"
      "&SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.DataType=String");
  ASSERT_EQ(batch.entries.size(), 2u);
  EXPECT_EQ(batch.entries[1].message_attributes->at("n").data_type, "String");
  const auto response = written<sqs::ReceiveMessage>(
      Protocol::query, {.messages = {{{.message_id = "1", .attributes = {{{"SenderId", "x"}}}}}}});
  EXPECT_EQ(response.body,
            "<ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"
            "<ReceiveMessageResult><Message><MessageId>1</MessageId><Attribute><Name>SenderId"
            "</Name><Value>x</Value></Attribute></Message></ReceiveMessageResult><ResponseMetadata>"
            "<RequestId>id-1</RequestId></ResponseMetadata></ReceiveMessageResponse>\n");
}

TEST(Ec2Protocol, lists_are_items_and_flat_in_requests) {
  const auto in = read<ec2::DescribeVpcs>(
      Protocol::ec2, to("POST", "/"),
      "Action=DescribeVpcs&VpcId.1=a&VpcId.2=b&Filter.1.Name=n&Filter.1.Value.1=v");
  EXPECT_EQ(in.vpc_ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(in.filters->at(0).values->at(0), "v");
  EXPECT_EQ(written<ec2::DescribeVpcs>(Protocol::ec2, {.vpcs = {{{.vpc_id = "vpc-1"}}}}).body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeVpcsResponse xmlns="
            "\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>id-1</requestId><vpcSet><item>"
            "<vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>\n");
  EXPECT_EQ(encode_error(Protocol::ec2, &ec2::DescribeVpcs::operation(),
                         ApiError("InvalidVpcID.NotFound", "no"), "id-1")
                .body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>"
            "InvalidVpcID.NotFound</Code><Message>no</Message></Error></Errors><RequestID>id-1"
            "</RequestID></Response>");
}

TEST(RestJsonProtocol, reads_labels_headers_query_and_payload) {
  const auto in = read<lambda::Invoke>(
      Protocol::rest_json,
      to("POST", "/2015-03-31/functions/111111111111%3Afunction%3Af/invocations", "Qualifier=live",
         {{"x-amz-invocation-type", "Event"}}),
      R"({"raw": true})");
  EXPECT_EQ(in.function_name, "111111111111:function:f");
  EXPECT_EQ(in.qualifier, "live");
  EXPECT_EQ(in.invocation_type, "Event");
  EXPECT_EQ(in.payload, R"({"raw": true})");
}

TEST(RestJsonProtocol, writes_status_headers_and_payload) {
  const auto response = written<lambda::Invoke>(
      Protocol::rest_json,
      {.status_code = 202, .function_error = "Unhandled\r\nx: y", .payload = "null"});
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.header("x-amz-function-error"), "Unhandled  x: y");
  EXPECT_EQ(response.body, "null");
}

TEST(RestJsonProtocol, errors_stand_in_a_header_with_their_members) {
  const auto response = encode_error(Protocol::rest_json, &lambda::Invoke::operation(),
                                     lambda::TooManyRequestsException("Rate Exceeded.")
                                         .with("Type", "User")
                                         .with("retryAfterSeconds", "3"),
                                     "id-1");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.header("x-amzn-errortype"), "TooManyRequestsException");
  EXPECT_EQ(response.header("retry-after"), "3");
  EXPECT_EQ(response.body, R"({"message":"Rate Exceeded.","Type":"User"})");
}

TEST(RestXmlProtocol, reads_flattened_lists_with_or_without_a_namespace) {
  for (const char* space : {"", " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""}) {
    const auto in = read<s3::DeleteObjects>(
        Protocol::rest_xml, to("POST", "/b", "delete"),
        std::string("<Delete") + space +
            "><Object><Key>a&amp;b</Key></Object><Object><Key> c </Key><VersionId>v</VersionId>"
            "</Object><Quiet>true</Quiet></Delete>");
    EXPECT_EQ(in.bucket, "b");
    ASSERT_EQ(in.delete_.objects.size(), 2u);
    EXPECT_EQ(in.delete_.objects[0].key, "a&b");
    EXPECT_EQ(in.delete_.objects[1].key, " c ");
    EXPECT_EQ(in.delete_.quiet, true);
  }
}

TEST(RestXmlProtocol, keys_keep_their_slashes_and_metadata_its_names) {
  const auto in = read<s3::PutObject>(
      Protocol::rest_xml,
      to("PUT", "/b//a%2Fb//c%20d+e/", "",
         {{"X-Amz-Meta-Colour", "red"}, {"x-amz-meta-size", "1"}, {"Content-Length", "3"}}),
      "");
  EXPECT_EQ(in.key, "/a/b//c d+e/");
  EXPECT_EQ(in.metadata, (std::map<std::string, std::string>{{"colour", "red"}, {"size", "1"}}));
  EXPECT_EQ(in.content_length, 3);
}

TEST(RestXmlProtocol, an_empty_body_is_no_payload) {
  EXPECT_FALSE(
      read<s3::CreateBucket>(Protocol::rest_xml, to("PUT", "/b"), "").create_bucket_configuration);
}

TEST(RestXmlProtocol, malformed_documents_are_refused) {
  for (const char* body : {"<Delete>", "no xml", "<a/><b"}) {
    try {
      read<s3::DeleteObjects>(Protocol::rest_xml, to("POST", "/b", "delete"), body);
      ADD_FAILURE() << body;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code, "MalformedXML");
    }
  }
}

TEST(RestXmlProtocol, roots_are_those_of_the_api_reference) {
  const auto listed = written<s3::ListObjectsV2>(
      Protocol::rest_xml,
      {.is_truncated = false,
       .contents = {{{.key = "a", .last_modified = from_millis(1'700'000'000'123), .size = 5}}},
       .name = "b"});
  EXPECT_EQ(listed.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns="
            "\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated><Contents>"
            "<Key>a</Key><LastModified>2023-11-14T22:13:20.123Z</LastModified><Size>5</Size>"
            "</Contents><Name>b</Name></ListBucketResult>");
  EXPECT_EQ(listed.header("x-amz-request-id"), "id-1");
  EXPECT_EQ(
      written<s3::GetBucketLocation>(Protocol::rest_xml, {.location_constraint = "eu-west-1"}).body,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns="
      "\"http://s3.amazonaws.com/doc/2006-03-01/\">eu-west-1</LocationConstraint>");
}

TEST(RestXmlProtocol, attributes_and_prefixed_namespaces_stand_in_the_tag) {
  const auto response = written<s3::GetBucketAcl>(
      Protocol::rest_xml,
      {.grants = {{{.grantee = s3::Grantee{.id = "x", .type = "CanonicalUser"}}}}});
  EXPECT_NE(response.body.find("<AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/"
                               "2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>x</ID>"),
            std::string::npos)
      << response.body;
}

TEST(RestXmlProtocol, streams_are_handed_through) {
  const auto source = source_of("bytes");
  const auto response = written<s3::GetObject>(
      Protocol::rest_xml,
      {.body = source, .last_modified = from_millis(1'700'000'000'000), .e_tag = "\"x\""});
  EXPECT_EQ(response.stream, source);
  EXPECT_EQ(response.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
  HttpRequest request = to("PUT", "/b/k");
  request.body = source;
  EXPECT_EQ(read<s3::PutObject>(Protocol::rest_xml, request, "").body, source);
  EXPECT_TRUE(has_streaming_input(s3::PutObject::operation()));
  EXPECT_FALSE(has_streaming_input(s3::DeleteObjects::operation()));
}

TEST(RestXmlProtocol, errors_of_s3_name_the_resource) {
  ErrorPlace place = error_place(Protocol::rest_xml, s3::GetObject::operation());
  place.resource = "/b/k";
  const auto response = encode_error(
      place, s3::NoSuchKey("The specified key does not exist.").with("Key", "k"), "id-1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body.substr(0, response.body.find("<HostId>")),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "
            "specified key does not exist.</Message><Key>k</Key><Resource>/b/k</Resource>"
            "<RequestId>id-1</RequestId>");
}

TEST(CborProtocol, reads_indefinite_lengths_and_skips_what_it_does_not_know) {
  // {_ "x": [1, {"y": h'00'}], "ids": [_ "a", (_ "b", "c")]}
  const std::string body = from_hex(
                               "bf617882"
                               "01"
                               "a1617941"
                               "00"
                               "63696473"
                               "9f6161"
                               "7f61626163ff"
                               "ff"
                               "ff")
                               .value();
  const auto in = read<codebuild::BatchGetBuilds>(Protocol::rpc_v2_cbor, to("POST", "/"), body);
  EXPECT_EQ(in.ids, (std::vector<std::string>{"a", "bc"}));
}

TEST(CborProtocol, writes_definite_maps_and_tagged_times) {
  const auto response = written<codebuild::BatchGetBuilds>(
      Protocol::rpc_v2_cbor,
      {.builds = {{{.build_number = -5, .start_time = from_millis(1'500)}}}});
  EXPECT_EQ(response.header("smithy-protocol"), "rpc-v2-cbor");
  EXPECT_EQ(to_hex(response.body),
            "a1666275696c647381a2"
            "6b6275696c644e756d62657224"
            "69737461727454696d65c1fb3ff8000000000000");
}

TEST(CborProtocol, false_lengths_end_soon) {
  for (const char* hex : {"bb7fffffffffffffff",
                          "a163696473"
                          "9bffffffffffffffff",
                          "a1", "ff", "a1636964737fffff", "c1c1c1c1c1"}) {
    EXPECT_THROW(read<codebuild::BatchGetBuilds>(Protocol::rpc_v2_cbor, to("POST", "/"),
                                                 from_hex(hex).value()),
                 ApiError)
        << hex;
  }
}

TEST(EventStream, frames_have_lengths_and_checksums) {
  // The empty message of the protocol's own test vectors.
  EXPECT_EQ(to_hex(encode_event_frame({}, "")), "000000100000000005c248eb7d98c8ff");
}

TEST(SdkJson, members_go_by_the_names_of_the_model) {
  sqs::SendMessageInput in;
  decode_json(shape_of<sqs::SendMessageInput>(),
              parse_json(R"({"queueUrl": "u", "MessageBody": {"a": 1}, "DelaySeconds": "5"})"), &in,
              {.lenient = true});
  EXPECT_EQ(in.queue_url, "u");
  EXPECT_EQ(in.message_body, R"({"a":1})");
  EXPECT_EQ(in.delay_seconds, 5);
  EXPECT_EQ(dump_json(encode_json(shape_of<sqs::SendMessageInput>(), &in)),
            R"({"QueueUrl":"u","MessageBody":"{\"a\":1}","DelaySeconds":5})");
}

TEST(SdkJson, unknown_members_are_named) {
  sqs::SendMessageInput in;
  try {
    decode_json(shape_of<sqs::SendMessageInput>(),
                parse_json(R"({"QueueUrl": "u", "MessageBody": "b", "Delay": 5})"), &in);
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.message, "Unknown parameter in input: \"Delay\"");
  }
}

}  // namespace
}  // namespace tarn::aws
