#include "map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "arena.h"
#include "varint.h"
#include "words.h"

namespace code_search {
namespace {

// The distinct words of a group and where they occur.
class GroupWords {
 public:
  GroupWords() : slots_(kFirstSlots) {}

  // One occurrence in the file that is being read.
  void Add(const char* text, size_t length) {
    const Word word(text, length);
    for (size_t at = word.hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.length == 0) {
        Insert(word, at);
        return;
      }
      if (slot.prefix != word.prefix || slot.length != length) continue;
      Entry& entry = entries_[slot.entry];
      if (!word.RestEquals(entry.text)) continue;
      if (entry.count++ == 0) in_file_.push_back(slot.entry);
      return;
    }
  }

  // Ends the file of that number within the group.
  void EndFile(uint32_t file) {
    for (const uint32_t index : in_file_) {
      Entry& entry = entries_[index];
      hits_.push_back({index, file, entry.count});
      entry.count = 0;
      ++entry.files;
    }
    in_file_.clear();
  }

  std::vector<MapOutput> Output(uint32_t shards) const;

 private:
  struct Slot {
    uint64_t prefix = 0;
    uint32_t length = 0;  // 0: free
    uint32_t entry = 0;
  };
  struct Entry {
    const char* text;
    uint64_t hash;
    uint32_t length;
    uint32_t count;  // in the file that is being read
    uint32_t files;
  };
  struct Hit {
    uint32_t entry;
    uint32_t file;
    uint32_t count;
  };

  static constexpr size_t kFirstSlots = size_t{1} << 14;

  void Insert(const Word& word, size_t at) {
    const auto index = static_cast<uint32_t>(entries_.size());
    slots_[at] = {word.prefix, static_cast<uint32_t>(word.length), index};
    entries_.push_back({texts_.Copy(word.text, word.length), word.hash,
                        static_cast<uint32_t>(word.length), 1, 0});
    in_file_.push_back(index);
    if (entries_.size() * 2 > slots_.size()) Grow();
  }

  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.length == 0) continue;
      size_t at = entries_[slot.entry].hash & (slots_.size() - 1);
      while (slots_[at].length != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> in_file_;  // entries whose count is not zero
  std::vector<Hit> hits_;          // in order of files
  Arena texts_;
};

std::vector<MapOutput> GroupWords::Output(uint32_t shards) const {
  // Brings the hits of each word together, and leaves them in order of files.
  std::vector<uint32_t> place;
  uint32_t total = 0;
  for (const Entry& entry : entries_) {
    place.push_back(total);
    total += entry.files;
  }
  std::vector<Hit> hits(hits_.size());
  for (const Hit& hit : hits_) hits[place[hit.entry]++] = hit;

  std::vector<std::vector<char>> bytes(shards);
  std::vector<MapOutput> outputs(shards);
  std::vector<char> postings;
  std::vector<char> header(2 * kMaxVarint);
  const Hit* next = hits.data();
  for (const Entry& entry : entries_) {
    postings.resize(entry.files * 2 * kMaxVarint);
    char* end = postings.data();
    uint32_t last_file = 0;
    for (uint32_t i = 0; i < entry.files; ++i, ++next) {
      end = WriteVarint(end, uint64_t{next->file - last_file} * 2 + (next->count > 1));
      if (next->count > 1) end = WriteVarint(end, next->count);
      last_file = next->file;
    }
    const auto size = static_cast<size_t>(end - postings.data());
    char* header_end = WriteVarint(WriteVarint(header.data(), entry.length), size);

    const uint32_t shard = ShardOf(entry.hash, shards);
    std::vector<char>& to = bytes[shard];
    to.insert(to.end(), header.data(), header_end);
    to.insert(to.end(), entry.text, entry.text + entry.length);
    to.insert(to.end(), postings.data(), end);
    ++outputs[shard].num_words;
  }
  for (uint32_t shard = 0; shard < shards; ++shard) {
    bytes[shard].resize(bytes[shard].size() + kPadding);
    outputs[shard].bytes = manta::Array<char>(std::move(bytes[shard]));
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
  GroupWords words;
  FileReader reader;
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
