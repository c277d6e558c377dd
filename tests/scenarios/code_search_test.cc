// examples/code_search: what it counts is what grep counts, and it leaves nothing behind.
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

namespace fs = std::filesystem;

std::string WithoutCommas(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ','), text.end());
  return text;
}

// What `query` says about one word.
struct Answer {
  uint64_t occurrences = 0;
  uint64_t files = 0;
  std::vector<std::pair<uint64_t, std::string>> best;
};

std::map<std::string, Answer> ParseAnswers(const std::string& text) {
  std::map<std::string, Answer> answers;
  Answer* answer = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    unsigned long long number = 0, files = 0;
    if (line[0] != ' ' && colon != std::string::npos) {
      const std::string counts = WithoutCommas(line.substr(colon + 2));
      if (std::sscanf(counts.c_str(), "%llu occurrence%*[s] in %llu", &number, &files) != 2) {
        std::sscanf(counts.c_str(), "%llu occurrence in %llu", &number, &files);
      }
      answer = &answers[line.substr(0, colon)];
      *answer = {number, files, {}};
    } else if (answer != nullptr && line.find("  and ") == std::string::npos) {
      answer->best.emplace_back(std::stoull(WithoutCommas(line.substr(0, 10))), line.substr(12));
    }
  }
  return answers;
}

class CodeSearch : public ClusterTest {
 protected:
  CodeSearch() {
    char name[] = "/tmp/manta-code-search-XXXXXX";
    tree_ = mkdtemp(name);
    LimitTime(60s);
  }
  ~CodeSearch() override {
    std::error_code ignored;
    fs::remove_all(tree_, ignored);
  }

  static ProgramResult CodeSearchRuns(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ExamplePath("code_search"));
    return RunProgram(arguments);
  }
  // The same, which has to succeed without complaints; its output.
  static std::string Succeeds(const std::vector<std::string>& arguments) {
    const ProgramResult result = CodeSearchRuns(arguments);
    EXPECT_EQ(result.status, 0) << arguments[0] << ": " << result.out << result.err;
    return result.out;
  }
  // The same, which has to fail with a message that contains `part`.
  static void Fails(const std::vector<std::string>& arguments, const std::string& part) {
    const ProgramResult result = CodeSearchRuns(arguments);
    EXPECT_EQ(result.status, 1) << arguments[0] << ": " << result.out;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << "not one line: " << result.err;
  }

  // Whether shards of that build run.
  // The process of the actor of that name dies as in a crash.
  static void KillActor(const std::string& name) {
    const std::string workers = RunProgram({std::getenv("MANTA_EXECUTABLE"), "list", "workers"}).out;
    pid_t process = 0;
    std::istringstream lines(workers);
    for (std::string line; std::getline(lines, line);) {
      if (line.find(name) != std::string::npos) std::sscanf(line.c_str(), "%*d %d", &process);
    }
    ASSERT_GT(process, 0) << workers;
    kill(process, SIGKILL);
    ASSERT_TRUE(Eventually(5s, [&] { return !IsAlive(process); }));
  }
  static bool HasShards(int generation) {
    const std::string workers = RunProgram({std::getenv("MANTA_EXECUTABLE"), "list", "workers"}).out;
    return workers.find("shard " + std::to_string(generation) + ".") != std::string::npos;
  }

  void Write(const std::string& path, const std::string& content) const {
    const fs::path file = fs::path(tree_) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
  }

  uint64_t Grep(const std::string& command) const {
    const ProgramResult result =
        RunProgram({"/bin/sh", "-c", "cd / && export LC_ALL=C && " + command + " 2>/dev/null"});
    return std::stoull(result.out);
  }
  uint64_t GrepOccurrences(const std::string& word) const {
    return Grep("grep -raow -- " + word + " " + tree_ + " | wc -l");
  }
  uint64_t GrepFiles(const std::string& word) const {
    return Grep("grep -rawl -- " + word + " " + tree_ + " | wc -l");
  }

  std::string tree_;
};

// Files of all kinds that are hard for somebody who counts words. Returns words to look for.
class TreeMaker {
 public:
  TreeMaker(std::function<void(const std::string&, const std::string&)> write, std::string tree)
      : write_(std::move(write)), tree_(std::move(tree)) {}

  std::vector<std::string> Make() {
    RandomFiles(300);
    SpecialFiles();
    Links();
    return Queries();
  }

 private:
  // Each of the first ones is a prefix or a suffix of another.
  std::vector<std::string> Vocabulary() {
    std::vector<std::string> words = {"a",      "ab",      "abc",     "abcdefgh",  "abcdefghi",
                                      "_",      "__",      "_a",      "a_",        "x86_64",
                                      "int",    "integer", "print",   "sprint",    "sprintf",
                                      "0",      "00",      "1234567", "12345678",  "123456789",
                                      "TODO",   "todo",    "Todo",    "TODOs",     "FIXME",
                                      "return", "returns", "e",       "E",         "caf",
                                      std::string(40, 'q'), std::string(41, 'q')};
    while (words.size() < 200) {
      std::string word;
      for (uint32_t length = 1 + random_() % 20; length > 0; --length) {
        word += "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"[random_() % 63];
      }
      words.push_back(word);
    }
    return words;
  }

  std::string RandomText(size_t words) {
    static const std::string separators[] = {
        " ", "\n", "\r\n", "\t", ".", "-", "::", "\n\n", " \xc3\xa9 ", "\xff", "\x80", "\xc3",
        std::string(1, '\0'), std::string(3, '\0'), "(", "\"", "\xe2\x82\xac", "\x7f", "@", "[", "`",
        "{", "/", ":", "\xf0\x9f\x98\x80", "\xdf"};
    std::string text;
    for (size_t i = 0; i < words; ++i) {
      text += vocabulary_[random_() % 3 == 0 ? random_() % 32 : random_() % vocabulary_.size()];
      text += separators[random_() % std::size(separators)];
    }
    if (random_() % 2 == 0 && !text.empty()) text.pop_back();  // often ends within a word
    return text;
  }

  void RandomFiles(int count) {
    for (int i = 0; i < count; ++i) {
      std::string path;
      for (uint32_t depth = random_() % 4; depth > 0; --depth) {
        path += "dir" + std::to_string(random_() % 5) + "/";
      }
      write_(path + "file" + std::to_string(i) + ".c", RandomText(random_() % 400));
    }
  }

  void SpecialFiles() {
    write_("empty", "");
    write_("one byte", "a");
    write_("one newline", "\n");
    write_("no newline at the end", "TODO a\nint TODO");
    write_("only a word", "TODO");
    write_("zeros", std::string(5000, '\0'));
    write_("word between zeros", std::string(70, '\0') + "TODO" + std::string(70, '\0'));
    write_("crlf", "int\r\nint\r\nint\r\n");
    write_("-rf", "TODO in a file with the name of an option");
    write_(".hidden/.file", "TODO hidden");
    write_("name with spaces/and more of them", "TODO spaces");
    write_("name\twith\ttabs and \xff bytes", "TODO strange");
    write_("latin1", "caf\xe9 caf\xe9s na\xefve");
    write_("utf8", "caf\xc3\xa9 na\xc3\xafve \xe2\x80\x9cTODO\xe2\x80\x9d");
    write_("all bytes", [] {
      std::string bytes;
      for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
      return bytes;
    }());
    // Words that lie across the places where a reader may cut a file.
    for (const size_t size : {4096u, 65536u, 131072u, 262144u, 524288u}) {
      for (const int offset : {-9, -4, -1, 0, 1}) {
        write_("cut/" + std::to_string(size) + "_" + std::to_string(offset),
               std::string(size + static_cast<size_t>(offset), ' ') + "abcdefghi TODO");
      }
    }
    // Very long words: one to look for, and one that is longer than any piece of a file.
    write_("long word", "x " + LongWord() + "\n" + LongWord() + "y\n" + LongWord());
    write_("very long word", "TODO " + std::string(3'000'000, 'w') + " TODO");
    // A block of words with nothing between but one byte of each kind.
    std::string lines;
    for (int i = 0; i < 20'000; ++i) lines += "line" + std::to_string(i % 100) + "\n";
    write_("many lines", lines);
  }

  void Links() {
    fs::create_directory(tree_ + "/empty directory");
    fs::create_symlink("no newline at the end", tree_ + "/link to a file");
    fs::create_symlink("dir1", tree_ + "/link to a directory");
    fs::create_symlink("nowhere", tree_ + "/dangling link");
    fs::create_symlink("..", tree_ + "/dir1/link upwards");
    fs::create_hard_link(tree_ + "/only a word", tree_ + "/another name of it");
    mkfifo((tree_ + "/fifo").c_str(), 0600);
  }

  // Fifty words that are likely to differ if anything is wrong.
  std::vector<std::string> Queries() {
    std::vector<std::string> words(vocabulary_.begin(), vocabulary_.begin() + 32);
    for (const char* word : {"absent", "ABSENT_TOO", "TOD", "ODO", "nt", "line1", "line", "line99",
                             "na", "ve", "w", "s", "abcdefg", "0123456789", "hidden"}) {
      words.push_back(word);
    }
    words.push_back(LongWord());
    words.push_back(LongWord() + "y");
    words.push_back(LongWord() + "z");
    return words;
  }

  static std::string LongWord() { return std::string(1000, 'L'); }

  const std::function<void(const std::string&, const std::string&)> write_;
  const std::string tree_;
  std::mt19937 random_{20240607};
  std::vector<std::string> vocabulary_ = Vocabulary();
};

TEST_F(CodeSearch, CountsAsGrepDoes) {
  const std::vector<std::string> words =
      TreeMaker([this](const auto& path, const auto& text) { Write(path, text); }, tree_).Make();
  ASSERT_EQ(words.size(), 50u);
  Succeeds({"build", tree_});

  // Several at a time.
  std::map<std::string, Answer> answers;
  for (size_t i = 0; i < words.size(); i += 10) {
    std::vector<std::string> query(words.begin() + static_cast<ptrdiff_t>(i),
                                   words.begin() + static_cast<ptrdiff_t>(i) + 10);
    query.insert(query.begin(), "query");
    answers.merge(ParseAnswers(Succeeds(query)));
  }
  ASSERT_EQ(answers.size(), 50u);
  for (const std::string& word : words) {
    const std::string shown = word.substr(0, 50);
    EXPECT_EQ(answers[word].occurrences, GrepOccurrences(word)) << shown;
    EXPECT_EQ(answers[word].files, GrepFiles(word)) << shown;
  }
  EXPECT_GT(answers["TODO"].occurrences, 100u);
  EXPECT_EQ(answers["absent"].occurrences, 0u);
  Succeeds({"stop"});
}

TEST_F(CodeSearch, TheBestFilesComeFirst) {
  for (int i = 1; i <= 12; ++i) {
    std::string text;
    for (int j = 0; j < i * 1000; ++j) text += "needle ";
    Write("dir/file " + std::to_string(i), text);
  }
  Write("another", "needle");
  Write("dir/once", "needle haystack");
  Write("z", "haystack");
  Succeeds({"build", tree_});
  const auto answers = ParseAnswers(Succeeds({"query", "needle", "haystack"}));
  const Answer& needle = answers.at("needle");
  EXPECT_EQ(needle.occurrences, 78'002u);
  EXPECT_EQ(needle.files, 14u);
  ASSERT_EQ(needle.best.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(needle.best[static_cast<size_t>(i)].first, static_cast<uint64_t>(12 - i) * 1000);
    EXPECT_EQ(needle.best[static_cast<size_t>(i)].second, "dir/file " + std::to_string(12 - i));
  }
  // Equally good ones: in order of their paths.
  using File = std::pair<uint64_t, std::string>;
  EXPECT_EQ(answers.at("haystack").best, (std::vector<File>{{1, "dir/once"}, {1, "z"}}));
  Succeeds({"stop"});
}

// Lines of the figures that have to be the same however they were computed.
std::vector<std::string> Figures(const std::string& output) {
  std::vector<std::string> figures;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    for (const char* name : {"files ", "bytes ", "words ", "distinct words ", "not readable "}) {
      if (line.compare(0, std::string(name).size(), name) == 0) figures.push_back(line);
    }
  }
  return figures;
}

TEST_F(CodeSearch, ThePlainLoopComesToTheSameFigures) {
  TreeMaker([this](const auto& path, const auto& text) { Write(path, text); }, tree_).Make();
  const std::vector<std::string> plain = Figures(Succeeds({"plain", tree_}));
  EXPECT_EQ(plain.size(), 4u);
  EXPECT_EQ(Figures(Succeeds({"build", tree_})), plain);
  EXPECT_EQ(Figures(Succeeds({"build", "--shards", "7", tree_})), plain);
  EXPECT_EQ(Figures(Succeeds({"plain", "--shards", "1", tree_})), plain);
  const auto answers = ParseAnswers(Succeeds({"query", "TODO"}));
  EXPECT_EQ(answers.at("TODO").occurrences, GrepOccurrences("TODO"));
  Succeeds({"stop"});
}

TEST_F(CodeSearch, ASecondBuildReplacesTheFirst) {
  Write("old/file", "before common");
  Write("new/file", "after common");
  Succeeds({"build", tree_ + "/old"});
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "before"})).at("before").occurrences, 1u);
  EXPECT_TRUE(HasShards(1));
  Succeeds({"build", tree_ + "/new"});
  const auto answers = ParseAnswers(Succeeds({"query", "before", "after", "common"}));
  EXPECT_EQ(answers.at("before").occurrences, 0u);
  EXPECT_EQ(answers.at("after").occurrences, 1u);
  EXPECT_EQ(answers.at("common").occurrences, 1u);
  EXPECT_TRUE(Eventually(5s, [&] { return !HasShards(1); })) << Describe(Processes());
  EXPECT_TRUE(HasShards(2));
  Succeeds({"stop"});
}

TEST_F(CodeSearch, StopLeavesNothing) {
  Write("file", "text");
  Succeeds({"build", tree_});
  EXPECT_GE(Processes().size(), 3u);
  const std::string output = Succeeds({"stop"});
  EXPECT_NE(output.find("the cluster that build started"), std::string::npos) << output;
  ExpectNothingLeft();
  EXPECT_NE(Succeeds({"stop"}).find("nothing to stop"), std::string::npos);
}

TEST_F(CodeSearch, AClusterThatRunsIsUsedAndLeftAlone) {
  Write("file", "text");
  const StartedCluster cluster;
  EXPECT_EQ(Succeeds({"build", tree_}).find("Started a cluster"), std::string::npos);
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "text"})).at("text").occurrences, 1u);
  const std::string output = Succeeds({"stop"});
  EXPECT_NE(output.find("the cluster goes on"), std::string::npos) << output;
  Fails({"query", "text"}, "there is no index yet: `code_search build DIR` makes one");
  EXPECT_EQ(Pids(Role::kDaemon).size(), 1u);
  EXPECT_TRUE(Eventually(5s, [&] { return Pids(Role::kWorker).empty(); })) << Describe(Processes());
}

TEST_F(CodeSearch, MistakesAreExplained) {
  Write("file", "text");
  Fails({"build", tree_ + "/missing"}, tree_ + "/missing: No such file or directory");
  Fails({"build", tree_ + "/file"}, tree_ + "/file: Not a directory");
  Fails({"plain", tree_ + "/file"}, tree_ + "/file: Not a directory");
  Fails({"query", "text"}, "there is no index yet: `code_search build DIR` makes one");
  Fails({"query", "two words"}, "'two words' is no word");
  Fails({"query", ""}, "'' is no word");
  Fails({"query", "caf\xc3\xa9"}, "is no word");
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {}, {"query"}, {"build", "a", "b"}, {"stop", "now"}, {"serve"}}) {
    const ProgramResult result = CodeSearchRuns(wrong);
    EXPECT_EQ(result.status, 2);
    EXPECT_NE(result.err.find("usage: code_search"), std::string::npos) << result.err;
  }
  EXPECT_TRUE(Processes().empty()) << "for none of these a cluster is needed";
}

TEST_F(CodeSearch, AClusterThatWasKilledIsNoCluster) {
  Write("file", "text");
  Succeeds({"build", tree_});
  kill(ThePid(Role::kDaemon), SIGKILL);
  ExpectNoProcesses();
  Fails({"query", "text"}, "there is no index yet");
  EXPECT_NE(Succeeds({"stop"}).find("nothing to stop"), std::string::npos);
  Succeeds({"build", tree_});
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "text"})).at("text").occurrences, 1u);
  Succeeds({"stop"});
  // What a killed daemon cannot clean up.
  for (const std::string& session : Sessions()) {
    for (const char* file : {"/address", "/secret"}) fs::remove(session + file);
  }
}

TEST_F(CodeSearch, ALostShardIsNoticed) {
  Write("file", "text");
  Succeeds({"build", "--shards", "1", tree_});
  KillActor("shard 1.0");
  Fails({"query", "text"}, "the index has lost");
  // It can be built again, and stopped.
  Succeeds({"build", tree_});
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "text"})).at("text").occurrences, 1u);
  Succeeds({"stop"});
}

TEST_F(CodeSearch, ALostDirectoryStillKnowsWhoseTheClusterIs) {
  Write("file", "text");
  Succeeds({"build", tree_});
  KillActor("directory");
  Fails({"query", "text"}, "there is no index yet");
  EXPECT_TRUE(Eventually(5s, [] { return !HasShards(1); })) << Describe(Processes());
  Succeeds({"build", tree_});
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "text"})).at("text").occurrences, 1u);
  KillActor("directory");
  EXPECT_NE(Succeeds({"stop"}).find("and the cluster that build started for it"), std::string::npos);
}

// Root may read everything, unless it gives that up.
void ObeyPermissions() {
  prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
  prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
}

TEST_F(CodeSearch, UnreadableFilesAreCountedAndReported) {
  Write("readable", "text");
  Write("unreadable", "text");
  Write("closed/file", "text");
  chmod((tree_ + "/unreadable").c_str(), 0);
  chmod((tree_ + "/closed").c_str(), 0);
  const std::vector<std::string> probe = {"/bin/cat", tree_ + "/unreadable"};
  if (RunProgram(probe, ObeyPermissions).status == 0) GTEST_SKIP() << "permissions do not bind us";
  for (const char* command : {"build", "plain"}) {
    const ProgramResult result =
        RunProgram({ExamplePath("code_search"), command, tree_}, ObeyPermissions);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.out.find("not readable    2 files or directories, left out; the first: " + tree_),
              std::string::npos)
        << result.out;
    EXPECT_NE(result.out.find("Permission denied"), std::string::npos) << result.out;
  }
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "text"})).at("text").occurrences, 1u);
  Succeeds({"stop"});
  chmod((tree_ + "/closed").c_str(), 0700);
}

TEST_F(CodeSearch, CtrlCEndsItCleanly) {
  // Gigabytes without any content: reading them takes a while.
  for (int i = 0; i < 8; ++i) {
    Write("large" + std::to_string(i), "");
    ASSERT_EQ(truncate((tree_ + "/large" + std::to_string(i)).c_str(), off_t{1} << 31), 0);
  }
  Program build({ExamplePath("code_search"), "build", tree_});
  ASSERT_TRUE(Eventually(10s, [&] { return Pids(Role::kWorker).size() >= 3; }));
  std::this_thread::sleep_for(100ms);
  build.Signal(SIGINT);
  const ProgramResult result = build.Wait();
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("interrupted"), std::string::npos) << result.err;
  ExpectNothingLeft();
}

TEST_F(CodeSearch, ABuildThatWasKilledLeavesTheOldIndexAndIsCleanedUp) {
  Write("old/file", "before");
  for (int i = 0; i < 8; ++i) {
    Write("new/large" + std::to_string(i), "");
    ASSERT_EQ(truncate((tree_ + "/new/large" + std::to_string(i)).c_str(), off_t{1} << 31), 0);
  }
  Succeeds({"build", tree_ + "/old"});
  {
    Program build({ExamplePath("code_search"), "build", tree_ + "/new"});
    ASSERT_TRUE(Eventually(10s, [] { return HasShards(2); }));
    build.Signal(SIGKILL);
    build.Wait();
  }
  EXPECT_EQ(ParseAnswers(Succeeds({"query", "before"})).at("before").occurrences, 1u);
  Succeeds({"build", tree_ + "/old"});
  EXPECT_TRUE(Eventually(5s, [] { return !HasShards(1) && !HasShards(2); })) << Describe(Processes());
  Succeeds({"stop"});
}

}  // namespace
}  // namespace manta_test
