#include "control_store/key_value_tables.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace manta::control_store {
namespace {

using contracts::KeyName;

constexpr JobId kJob{1};
constexpr JobId kOtherJob{2};
constexpr uint64_t kMost = 10'000;

class KeyValueTablesTest : public testing::Test {
 protected:
  Result<bool> Put(const std::string& key, const std::string& value, JobId job = {}, bool overwrite = false) {
    Result<bool> answer = false;
    tables.Put({"table", key}, value, {overwrite, job}, [&](const Result<bool>& added) { answer = added; });
    return answer;
  }
  bool Adds(const std::string& key, const std::string& value, JobId job = {}, bool overwrite = false) {
    const Result<bool> added = Put(key, value, job, overwrite);
    if (!added) ADD_FAILURE() << added.error().message;
    return added && added.value();
  }
  std::optional<std::string> Get(const std::string& key, const std::string& table = "table") {
    std::optional<std::string> answer;
    tables.Get({table, key}, [&](const Result<const std::string*>& value) {
      if (value && value.value() != nullptr) answer = *value.value();
    });
    return answer;
  }
  bool Exists(const std::string& key) {
    bool answer = false;
    tables.Exists({"table", key}, [&](const Result<bool>& exists) { answer = exists && exists.value(); });
    return answer;
  }
  uint64_t Delete(const std::string& key, bool by_prefix = false, const std::string& table = "table") {
    uint64_t answer = 0;
    tables.Delete({table, key}, by_prefix, [&](const Result<uint64_t>& count) { answer = count ? count.value() : 0; });
    return answer;
  }
  std::vector<std::string> Keys(const std::string& prefix, const std::string& table = "table") {
    std::vector<std::string> answer;
    tables.Keys({table, prefix}, [&](const auto& keys) {
      if (keys) answer = keys.value();
    });
    return answer;
  }

  KeyValueTables tables{kMost};
};

TEST_F(KeyValueTablesTest, GivesBackWhatWasPut) {
  EXPECT_TRUE(Adds("a", "one"));
  EXPECT_EQ(Get("a"), "one");
  EXPECT_TRUE(Exists("a"));
  EXPECT_FALSE(Get("b"));
  EXPECT_FALSE(Exists("b"));
  EXPECT_FALSE(Get("a", "another table"));
}

TEST_F(KeyValueTablesTest, OverwritesWhenToldTo) {
  EXPECT_TRUE(Adds("a", "one"));
  EXPECT_FALSE(Adds("a", "two"));
  EXPECT_EQ(Get("a"), "one");
  EXPECT_FALSE(Adds("a", "three", {}, true));
  EXPECT_EQ(Get("a"), "three");
  EXPECT_TRUE(Adds("b", "", {}, true)) << "there was nothing to overwrite";
  EXPECT_EQ(Get("b"), "");
}

TEST_F(KeyValueTablesTest, TakesKeysAndValuesOfAnyBytes) {
  const std::string key("a\0b", 3);
  const std::string value("\0\xff\0", 3);
  EXPECT_TRUE(Adds(key, value));
  EXPECT_TRUE(Adds("a", "short"));
  EXPECT_TRUE(Adds("", "nothing"));
  EXPECT_TRUE(Adds("\xff", "last"));
  EXPECT_EQ(Get(key), value);
  EXPECT_EQ(Keys(std::string("a\0", 2)), std::vector{key});
  EXPECT_EQ(Keys(""), (std::vector<std::string>{"", "a", key, "\xff"}));
  EXPECT_EQ(Delete(std::string("a\0", 2), true), 1u);
  EXPECT_EQ(Get("a"), "short");
}

TEST_F(KeyValueTablesTest, ListsAndDeletesByPrefixWithinATable) {
  for (const char* key : {"f", "fn:1", "fn:2", "fo", "g"}) EXPECT_TRUE(Adds(key, "x"));
  tables.Put({"table2", "fn:3"}, "x", {}, [](const auto&) {});
  tables.Put({"tabl", "fn:0"}, "x", {}, [](const auto&) {});
  EXPECT_EQ(Keys("fn:"), (std::vector<std::string>{"fn:1", "fn:2"}));
  EXPECT_EQ(Keys("", "table2"), std::vector<std::string>{"fn:3"});
  EXPECT_TRUE(Keys("h").empty());
  EXPECT_EQ(Delete("fn:"), 0u) << "not by prefix";
  EXPECT_EQ(Delete("fn:", true), 2u);
  EXPECT_EQ(Keys(""), (std::vector<std::string>{"f", "fo", "g"}));
  EXPECT_EQ(Delete("", true), 3u);
  EXPECT_EQ(Get("fn:3", "table2"), "x");
  EXPECT_EQ(Get("fn:0", "tabl"), "x");
}

TEST_F(KeyValueTablesTest, CountsWhatItHoldsAndEndsAtNothing) {
  EXPECT_TRUE(Adds("key", "value"));
  const uint64_t one = tables.bytes();
  EXPECT_EQ(one, KeyValueTables::kEntryBytes + 5 + 3 + 5);
  Adds("key", "longer value", {}, true);
  EXPECT_EQ(tables.bytes(), one + 7);
  Adds("key", "", {}, true);
  EXPECT_EQ(tables.bytes(), one - 5);
  Adds("key", "not put");
  EXPECT_EQ(tables.bytes(), one - 5);
  Adds("of a job", "value", kJob);
  Adds("of a job", "value", kOtherJob);
  Adds("of a job", "longer value", kOtherJob, true);
  Adds("of both", "value", kJob);
  Adds("of both", "value");
  Adds("other", "value", kOtherJob);
  EXPECT_EQ(Delete("key"), 1u);
  EXPECT_EQ(Delete("other"), 1u);
  tables.DropJob(kJob);
  tables.DropJob(kOtherJob);
  EXPECT_EQ(Keys(""), std::vector<std::string>{"of both"});
  EXPECT_EQ(Delete("", true), 1u);
  EXPECT_EQ(tables.bytes(), 0u);
}

TEST_F(KeyValueTablesTest, RefuseWhatGoesBeyondTheCapAndEvictNothing) {
  EXPECT_TRUE(Adds("a", std::string(kMost / 2, 'x')));
  const Result<bool> refused = Put("b", std::string(kMost / 2, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, MANTA_ERROR_OBJECT_STORE_FULL);
  EXPECT_NE(refused.error().message.find(std::to_string(kMost)), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("delete"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(Put("a", std::string(kMost, 'y'), {}, true));
  EXPECT_EQ(Get("a"), std::string(kMost / 2, 'x'));
  EXPECT_FALSE(Exists("b"));
  // Exactly full.
  const uint64_t rest = kMost - tables.bytes() - KeyValueTables::kEntryBytes - 5 - 1;
  EXPECT_FALSE(Put("b", std::string(rest + 1, 'x')));
  EXPECT_TRUE(Adds("b", std::string(rest, 'x')));
  EXPECT_EQ(tables.bytes(), kMost);
  EXPECT_FALSE(Adds("b", "smaller", {}, true)) << "there is room for that";
  EXPECT_EQ(Get("b"), "smaller");
}

TEST_F(KeyValueTablesTest, RefuseWhatIsTooLarge) {
  KeyValueTables large;
  const auto error = [&](const KeyName& name, size_t bytes) {
    std::optional<Error> answer;
    large.Put(name, std::string(bytes, 'x'), {}, [&](const Result<bool>& added) {
      if (!added) answer = added.error();
    });
    return answer;
  };
  EXPECT_FALSE(error({std::string(4096, 't'), std::string(4096, 'k')}, 8 << 20));
  for (const auto& [refused, size, limit] :
       {std::tuple{error({"t", std::string(4097, 'k')}, 1), "4097", "4096"},
        std::tuple{error({std::string(4097, 't'), "k"}, 1), "4097", "4096"},
        std::tuple{error({"t", "k"}, (8 << 20) + 1), "8388609", "8388608"}}) {
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, MANTA_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(refused->message.find(size), std::string::npos) << refused->message;
    EXPECT_NE(refused->message.find(limit), std::string::npos) << refused->message;
  }
  bool answered = false;
  large.Get({"t", std::string(4097, 'k')}, [&](const auto& value) { answered = !value; });
  EXPECT_TRUE(answered);
}

TEST_F(KeyValueTablesTest, RefuseAListThatIsTooLong) {
  KeyValueTables large;
  for (int i = 0; i < 2100; ++i) {
    std::string key = std::to_string(i % 2) + std::to_string(i);
    key.resize(contracts::kMostKeyBytes, 'k');
    large.Put({"t", std::move(key)}, "", {}, [](const auto&) {});
  }
  large.Keys({"t", ""}, [](const auto& keys) {
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().kind, MANTA_ERROR_INVALID_ARGUMENT);
  });
  large.Keys({"t", "0"}, [](const auto& keys) {
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys.value().size(), 1050u);
  });
}

TEST_F(KeyValueTablesTest, EntriesOfAJobGoWithIt) {
  Adds("a", "x", kJob);
  Adds("b", "x");
  Adds("c", "x", kOtherJob);
  tables.DropJob(kJob);
  EXPECT_EQ(Keys(""), (std::vector<std::string>{"b", "c"}));
  tables.DropJob(kJob);
  tables.DropJob(JobId{3});
  EXPECT_EQ(Keys(""), (std::vector<std::string>{"b", "c"}));
}

TEST_F(KeyValueTablesTest, EntriesOfTwoJobsGoWithTheLastOfThem) {
  EXPECT_TRUE(Adds("a", "x", kJob));
  EXPECT_FALSE(Adds("a", "x", kOtherJob));
  tables.DropJob(kJob);
  EXPECT_TRUE(Exists("a"));
  tables.DropJob(kOtherJob);
  EXPECT_FALSE(Exists("a"));
  EXPECT_EQ(tables.bytes(), 0u);
}

TEST_F(KeyValueTablesTest, EntriesThatTheClusterHasTooStay) {
  Adds("job first", "x", kJob);
  Adds("job first", "x");
  Adds("cluster first", "x");
  Adds("cluster first", "y", kJob, true);
  tables.DropJob(kJob);
  EXPECT_EQ(Keys(""), (std::vector<std::string>{"cluster first", "job first"}));
  EXPECT_EQ(Get("cluster first"), "y");
}

}  // namespace
}  // namespace manta::control_store
