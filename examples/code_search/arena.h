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

 private:
  static constexpr size_t kBlock = size_t{1} << 20;

  void Grow(size_t size) {
    left_ = size > kBlock ? size : kBlock;
    blocks_.emplace_back(new char[left_]);
    next_ = blocks_.back().get();
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace code_search
