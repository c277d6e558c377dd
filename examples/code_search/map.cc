#include "map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "varint.h"
#include "word_table.h"
#include "words.h"

namespace code_search {
namespace {

// Bytes that grow at their end, without a check for each of them.
class ByteWriter {
 public:
  // Where up to `size` more bytes may be written; then Advance says where they ended.
  char* Room(size_t size) {
    if (size > bytes_.size() - used_) bytes_.resize(2 * bytes_.size() + size);
    return bytes_.data() + used_;
  }
  void Advance(const char* end) { used_ = static_cast<size_t>(end - bytes_.data()); }

  std::vector<char> Take() {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  std::vector<char> bytes_;
  size_t used_ = 0;
};

char* WriteBytes(char* to, const void* from, size_t size) {
  if (size != 0) std::memcpy(to, from, size);
  return to + size;
}

// The words of a group and where they occur. The words of one file are counted in a table of their
// own: it is small enough for the fastest cache, and most words of a file occur more than once.
class GroupWords {
 public:
  // One occurrence in the file that is being read.
  void Add(const char* text, size_t length) {
    ++in_file_[in_file_.FindOrAdd(Word(text, length))].value.count;
  }

  // Ends the file of that number within the group.
  void EndFile(uint32_t file) {
    for (uint32_t i = 0; i < in_file_.size(); ++i) {
      const auto& entry = in_file_[i];
      const uint32_t index = in_group_.FindOrAdd(Word(entry.text, entry.length, entry.prefix, entry.hash));
      ++in_group_[index].value.files;
      hits_.push_back({index, file, entry.value.count});
    }
    in_file_.Clear();
  }

  std::vector<MapOutput> Output(uint32_t shards) const;

  void Clear() {
    in_file_.Clear();
    in_group_.Clear();
    hits_.clear();
  }

 private:
  struct Occurrences {
    uint32_t count = 0;
  };
  struct Files {
    uint32_t files = 0;
  };
  struct Hit {
    uint32_t entry;  // of in_group_
    uint32_t file;
    uint32_t count;
  };

  WordTable<Occurrences> in_file_;
  WordTable<Files> in_group_;
  std::vector<Hit> hits_;  // in order of files
};

std::vector<MapOutput> GroupWords::Output(uint32_t shards) const {
  // Brings the hits of each word together, and leaves them in order of files.
  std::vector<uint32_t> place(in_group_.size());
  uint32_t total = 0;
  for (uint32_t i = 0; i < in_group_.size(); ++i) {
    place[i] = total;
    total += in_group_[i].value.files;
  }
  std::vector<Hit> hits(hits_.size());
  for (const Hit& hit : hits_) hits[place[hit.entry]++] = hit;

  std::vector<ByteWriter> writers(shards);
  std::vector<MapOutput> outputs(shards);
  std::vector<char> postings;
  const Hit* next = hits.data();
  for (uint32_t i = 0; i < in_group_.size(); ++i) {
    const auto& word = in_group_[i];
    const size_t max_size = size_t{word.value.files} * 2 * kMaxVarint;
    if (postings.size() < max_size) postings.resize(max_size);
    char* end = postings.data();
    uint32_t last_file = 0;
    for (uint32_t left = word.value.files; left > 0; --left, ++next) {
      end = WriteVarint(end, uint64_t{next->file - last_file} * 2 + (next->count > 1));
      if (next->count > 1) end = WriteVarint(end, next->count);
      last_file = next->file;
    }
    const auto size = static_cast<size_t>(end - postings.data());

    const uint32_t shard = ShardOf(word.hash, shards);
    char* to = writers[shard].Room(2 * kMaxVarint + word.length + size);
    to = WriteVarint(WriteVarint(to, word.length), size);
    to = WriteBytes(WriteBytes(to, word.text, word.length), postings.data(), size);
    writers[shard].Advance(to);
    ++outputs[shard].num_words;
  }
  for (uint32_t shard = 0; shard < shards; ++shard) {
    char* to = writers[shard].Room(kPadding);
    std::memset(to, 0, kPadding);
    writers[shard].Advance(to + kPadding);
    outputs[shard].bytes = manta::Array<char>(writers[shard].Take());
  }
  return outputs;
}

// Reads files piece by piece, so that one of any size takes little memory.
class FileReader {
 public:
  FileReader() : buffer_(kPiece + kPadding) {}

  // Counts the words of a file; 0, or the error number.
  int Read(const std::string& path, GroupWords* words, Totals* totals) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return errno;
    const int error = ReadPieces(file, words, totals);
    close(file);
    if (error == 0) ++totals->files;
    return error;
  }

 private:
  static constexpr size_t kPiece = size_t{256} << 10;

  int ReadPieces(int file, GroupWords* words, Totals* totals) {
    size_t kept = 0;  // the beginning of a word whose end may be in the next piece
    for (;;) {
      if (kept + kPadding >= buffer_.size() / 2) buffer_.resize(buffer_.size() * 2);
      const ssize_t size = read(file, buffer_.data() + kept, buffer_.size() - kPadding - kept);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return errno;
      totals->bytes += static_cast<uint64_t>(size);
      const size_t filled = kept + static_cast<size_t>(size);
      size_t complete = filled;
      if (size > 0) {
        while (complete > 0 && IsWordByte(static_cast<unsigned char>(buffer_[complete - 1]))) --complete;
      }
      kept = filled - complete;
      char saved[kPadding];
      std::memcpy(saved, buffer_.data() + complete, kPadding);
      std::memset(buffer_.data() + complete, 0, kPadding);
      ForEachWord(buffer_.data(), complete, [&](const char* text, size_t length) {
        words->Add(text, length);
        ++totals->words;
      });
      if (size == 0) return 0;
      std::memcpy(buffer_.data() + complete, saved, kPadding);
      std::memmove(buffer_.data(), buffer_.data() + complete, kept);
    }
  }

  std::vector<char> buffer_;
};

}  // namespace

std::vector<MapOutput> MapFiles(const FileGroup& group, uint32_t shards) {
  // A worker runs many tasks, one after the other. What it keeps between them only saves time: new
  // memory costs more than the work on it.
  static GroupWords words;
  static FileReader reader;
  words.Clear();
  Totals totals;
  std::string path;
  uint32_t file = 0;
  for (const char* at = group.paths.data(); at != group.paths.data() + group.paths.size(); ++file) {
    const size_t length = std::strlen(at);
    path.assign(group.root).append("/").append(at, length);
    at += length + 1;
    const int error = reader.Read(path, &words, &totals);
    if (error != 0) {
      ++totals.unreadable;
      if (totals.first_error.empty()) totals.first_error = path + ": " + std::strerror(error);
    }
    words.EndFile(file);
  }
  std::vector<MapOutput> outputs = words.Output(shards);
  outputs[0].totals = totals;
  return outputs;
}

}  // namespace code_search
