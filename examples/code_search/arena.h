// Memory for many small things that are freed together.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

namespace code_search {

class Arena {
 public:
  // Aligned to eight bytes.
  char* Allocate(size_t size) {
    size = (size + 7) & ~size_t{7};
    if (size > left_) Grow(size);
    char* taken = next_;
    next_ += size;
    left_ -= size;
    return taken;
  }
  char* Copy(const void* from, size_t size) {
    return static_cast<char*>(std::memcpy(Allocate(size), from, size));
  }

  // Frees all but one block, which is used again.
  void Clear() {
    if (blocks_.empty()) return;
    blocks_.resize(1);
    next_ = blocks_.front().memory.get();
    left_ = blocks_.front().size;
  }

 private:
  static constexpr size_t kBlock = size_t{256} << 10;

  struct Block {
    std::unique_ptr<char[]> memory;
    size_t size;
  };

  void Grow(size_t size) {
    left_ = size > kBlock ? size : kBlock;
    blocks_.push_back({std::unique_ptr<char[]>(new char[left_]), left_});
    next_ = blocks_.back().memory.get();
  }

  std::vector<Block> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace code_search
