// SPDX-License-Identifier: Apache-2.0
#include "platform/event_pattern.hpp"

#include <gtest/gtest.h>

namespace tarn::platform {
namespace {

struct Case {
  const char* pattern;
  const char* event;
  bool expected;
};

TEST(EventPattern, MatchesAsAwsDocumentsEachOperator) {
  const Case cases[] = {
      {R"({"source":["aws.s3"]})", R"({"source":"aws.s3","x":1})", true},
      {R"({"source":["aws.s3"]})", R"({"source":"aws.ec2"})", false},
      {R"({"a":["x","y"]})", R"({"a":"y"})", true},
      {R"({"a":["x"]})", R"({"a":["w","x"]})", true},
      {R"({"a":["x"]})", R"({})", false},
      {R"({"a":[null]})", R"({"a":null})", true},
      {R"({"a":[""]})", R"({"a":""})", true},
      {R"({"a":[true]})", R"({"a":true})", true},
      {R"({"a":[300]})", R"({"a":300})", true},
      {R"({"a":[300]})", R"({"a":300.0})", true},
      {R"({"a":[300.5]})", R"({"a":300})", false},
      {R"({"a":[{"anything-but":[1]}]})", R"({"a":1.0})", false},
      // Joined names are paths, on both sides.
      {R"({"d":{"b.c":["x"]}})", R"({"d":{"b":{"c":"x"}}})", true},
      {R"({"d":{"b":{"c":["x"]}}})", R"({"d":{"b.c":"x"}})", true},
      {R"({"d":{"b.c":["x"],"b.e":["y"]}})", R"({"d":{"b.c":"x","b":{"e":"y"}}})", true},
      {R"({"d":{"b.c":{"c":["x"]}}})", R"({"d":{"b":{"c":"x"}}})", false},
      {R"({"d":{"b":{"c":["x"]}}})", R"({"d":{"b.c":{"c":"x"}}})", false},
      {R"({"a":[300]})", R"({"a":"300"})", false},
      {R"({"d":{"b":["x"]}})", R"({"d":{"b":"x"}})", true},
      {R"({"d":{"b":["x"]}})", R"({"d":{"c":"x"}})", false},
      // Fields of one element of an array of objects.
      {R"({"d":{"b":["x"],"c":["y"]}})", R"({"d":[{"b":"x","c":"y"}]})", true},
      {R"({"d":{"b":["x"],"c":["y"]}})", R"({"d":[{"b":"x"},{"c":"y"}]})", false},
      {R"({"a":[{"prefix":"ab"}]})", R"({"a":"abc"})", true},
      {R"({"a":[{"prefix":"ab"}]})", R"({"a":"xab"})", false},
      {R"({"a":[{"prefix":{"equals-ignore-case":"AB"}}]})", R"({"a":"abc"})", true},
      {R"({"a":[{"suffix":".png"}]})", R"({"a":"x.png"})", true},
      {R"({"a":[{"suffix":{"equals-ignore-case":".PNG"}}]})", R"({"a":"x.png"})", true},
      {R"({"a":[{"equals-ignore-case":"AbC"}]})", R"({"a":"aBc"})", true},
      {R"({"a":[{"anything-but":"x"}]})", R"({"a":"y"})", true},
      {R"({"a":[{"anything-but":"x"}]})", R"({"a":"x"})", false},
      {R"({"a":[{"anything-but":"x"}]})", R"({})", false},
      {R"({"a":[{"anything-but":["x",5]}]})", R"({"a":5})", false},
      {R"({"a":[{"anything-but":["x",5]}]})", R"({"a":6})", true},
      {R"({"a":[{"anything-but":{"prefix":"ab"}}]})", R"({"a":"abc"})", false},
      {R"({"a":[{"anything-but":{"prefix":["ab","cd"]}}]})", R"({"a":"cde"})", false},
      {R"({"a":[{"anything-but":{"suffix":"bc"}}]})", R"({"a":"abd"})", true},
      {R"({"a":[{"anything-but":{"equals-ignore-case":["X","Y"]}}]})", R"({"a":"y"})", false},
      {R"({"a":[{"anything-but":{"wildcard":"*/lib/*"}}]})", R"({"a":"x/lib/y"})", false},
      {R"({"a":[{"numeric":[">",0,"<=",5]}]})", R"({"a":5})", true},
      {R"({"a":[{"numeric":[">",0,"<=",5]}]})", R"({"a":0})", false},
      {R"({"a":[{"numeric":["=",3.5]}]})", R"({"a":3.5})", true},
      {R"({"a":[{"numeric":["<",10]}]})", R"({"a":"5"})", false},
      {R"({"a":[{"exists":true}]})", R"({"a":null})", true},
      {R"({"a":[{"exists":true}]})", R"({})", false},
      {R"({"a":[{"exists":true}]})", R"({"a":{"b":1}})", false},
      {R"({"a":[{"exists":false}]})", R"({"b":1})", true},
      {R"({"a":[{"exists":false}]})", R"({"a":1})", false},
      {R"({"d":{"a":[{"exists":false}]}})", R"({"x":1})", true},
      {R"({"a":[{"exists":false},"x"]})", R"({"a":"x"})", true},
      {R"({"a":[{"cidr":"10.0.0.0/24"}]})", R"({"a":"10.0.0.255"})", true},
      {R"({"a":[{"cidr":"10.0.0.0/24"}]})", R"({"a":"10.0.1.0"})", false},
      {R"({"a":[{"cidr":"2001:db8::/32"}]})", R"({"a":"2001:db8:1::1"})", true},
      {R"({"a":[{"wildcard":"a*c"}]})", R"({"a":"abbc"})", true},
      {R"({"a":[{"wildcard":"dir/*.png"}]})", R"({"a":"dir/x/y.png"})", true},
      {R"({"a":[{"wildcard":"dir/*.png"}]})", R"({"a":"dir/x.jpg"})", false},
      {R"({"a":[{"wildcard":"a\\*c"}]})", R"({"a":"a*c"})", true},
      {R"({"a":[{"wildcard":"a\\*c"}]})", R"({"a":"abc"})", false},
      {R"({"$or":[{"a":["x"]},{"b":["y"]}]})", R"({"b":"y"})", true},
      {R"({"$or":[{"a":["x"]},{"b":["y"]}]})", R"({"b":"z"})", false},
      {R"({"s":["t"],"$or":[{"a":["x"]},{"b":["y"]}]})", R"({"b":"y"})", false},
      {R"({"d":{"$or":[{"a":["x"]},{"b":[{"numeric":[">",1]}]}]}})", R"({"d":{"b":2}})", true},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(EventPattern::parse(test.pattern).matches(parse_json(test.event)), test.expected)
        << test.pattern << " on " << test.event;
  }
}

TEST(EventPattern, NonsenseIsRefusedWithItsReason) {
  for (const char* text :
       {"", "[]", "{}", R"({"a":"x"})", R"({"a":[]})", R"({"a":{}})", R"({"a":[[1]]})",
        R"({"a":[{"unknown":1}]})", R"({"a":[{"prefix":"x","suffix":"y"}]})",
        R"({"a":[{"prefix":1}]})", R"({"a":[{"numeric":[">"]}]})",
        R"({"a":[{"numeric":[">",10,"<",5]}]})", R"({"a":[{"numeric":["~",5]}]})",
        R"({"a":[{"numeric":["=",6e9]}]})", R"({"a":[{"exists":"yes"}]})",
        R"({"a":[{"cidr":"10.0.0.0/99"}]})", R"({"a":[{"wildcard":"a**b"}]})",
        R"({"a":[{"anything-but":{"cidr":"x"}}]})", R"({"a":[{"anything-but":[]}]})"}) {
    EXPECT_THROW(EventPattern::parse(text), BadPattern) << text;
  }
  const std::pair<const char*, const char*> reasons[] = {
      {R"({"detail-type":"x"})", "\"detail-type\" must be an object or an array"},
      {R"({"a":[{"NUMERIC":["=",5]}]})", "Unrecognized match type NUMERIC"},
      {R"({"a":[{"numeric":[">",0,">",0]}]})", "Bad numeric range operator: >"},
      {R"({"a":[{"numeric":[">",0,"<"]}]})", "Value of < must be numeric"},
      {R"({"a":[{"numeric":["<",5,">",0]}]})", "Too many terms in numeric range expression"},
      {R"({"a":[{"cidr":"10.0.0.1"}]})", "Malformed CIDR, one '/' required"},
      {R"({"a":[{"cidr":"10.0.0.1/x"}]})", "Malformed CIDR, mask bits must be an integer"},
      {R"({"a":[{"cidr":"xx.11.xx/8"}]})", "Nonstandard IP address: xx.11.xx"},
      {R"({"a":[{"wildcard":"a**"}]})", "Consecutive wildcard characters at pos 2"},
      {R"({"a":[{"anything-but":{"equals-ignore-case":1}}]})",
       "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."},
      {R"({"a":[{"anything-but":{"suffix":[1]}}]})",
       "prefix/suffix match pattern must be a string"},
      {R"({"a":[{"anything-but":{"prefix":{"equals-ignore-case":"f"}}}]})",
       "Value of anything-but must be an array or single string/number value."},
  };
  for (const auto& [pattern, reason] : reasons) {
    try {
      EventPattern::parse(pattern);
      ADD_FAILURE() << pattern;
    } catch (const BadPattern& error) {
      EXPECT_STREQ(error.what(), reason);
    }
  }
}

}  // namespace
}  // namespace tarn::platform
