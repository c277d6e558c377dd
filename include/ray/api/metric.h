// Metrics are not there yet: making one throws NotSupportedError.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "manta/errors.h"

namespace ray {

class Metric {
 public:
  using Tags = std::unordered_map<std::string, std::string>;
  const std::string& GetName() const { return name_; }
  void Record(double, const Tags&) {}

 protected:
  explicit Metric(const std::string& name) : name_(name) {
    throw manta::NotSupportedError("metrics are not there yet: " + name);
  }

 private:
  std::string name_;
};

class Gauge : public Metric {
 public:
  Gauge(const std::string& name, const std::string&, const std::string&,
        const std::vector<std::string>& = {})
      : Metric(name) {}
  void Set(double value, const Tags& tags) { Record(value, tags); }
};

class Histogram : public Metric {
 public:
  Histogram(const std::string& name, const std::string&, const std::string&,
            const std::vector<double>&, const std::vector<std::string>& = {})
      : Metric(name) {}
  void Observe(double value, const Tags& tags) { Record(value, tags); }
};

class Counter : public Metric {
 public:
  Counter(const std::string& name, const std::string&, const std::string&,
          const std::vector<std::string>& = {})
      : Metric(name) {}
  void Inc(double value, const Tags& tags) { Record(value, tags); }
};

class Sum : public Metric {
 public:
  Sum(const std::string& name, const std::string&, const std::string&,
      const std::vector<std::string>& = {})
      : Metric(name) {}
};

}  // namespace ray
