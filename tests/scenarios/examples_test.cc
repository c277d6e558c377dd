// The programs in examples/ do what they say: each checks its own result and says so by its exit
// status; here we look at what it prints, too.
#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

class Examples : public ClusterTest {
 protected:
  static ProgramResult RunExample(const std::string& name, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), ExamplePath(name));
    return RunProgram(arguments);
  }
  // It succeeds, says something that contains `part`, and complains about nothing.
  static void ExpectOutput(const std::string& part, const std::string& name,
                           const std::vector<std::string>& arguments = {}) {
    const ProgramResult result = RunExample(name, arguments);
    EXPECT_EQ(result.status, 0) << result.out << result.err;
    EXPECT_NE(result.out.find(part), std::string::npos) << result.out;
    EXPECT_EQ(result.err, "");
  }
  static void ExpectUsage(const std::string& name, const std::string& argument) {
    const ProgramResult result = RunExample(name, {argument});
    EXPECT_EQ(result.status, 2);
    EXPECT_NE(result.err.find("usage: " + name), std::string::npos) << result.err;
  }
};

TEST_F(Examples, Hello) {
  const ProgramResult result = RunExample("hello");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "49\n");
}

TEST_F(Examples, MonteCarloPi) {
  ExpectOutput("4000000 darts by 4 actors: pi is about 3.14", "monte_carlo_pi");
  ExpectOutput("40 darts", "monte_carlo_pi", {"40"});
  ExpectUsage("monte_carlo_pi", "many");
}

TEST_F(Examples, ParameterServer) {
  ExpectOutput("60 steps of 4 workers: error 0.707097 -> 0.000", "parameter_server");
  ExpectOutput("1 steps of 4 workers", "parameter_server", {"1"});
  ExpectUsage("parameter_server", "0");
}

TEST_F(Examples, MatrixProduct) {
  ExpectOutput("384 x 384 in 16 blocks: trace 12.834193374", "matrix_product");
  ExpectOutput("131 x 131 in 16 blocks", "matrix_product", {"131"});
  ExpectOutput("3 x 3 in 16 blocks", "matrix_product", {"3"});
  ExpectUsage("matrix_product", "-1");
}

TEST_F(Examples, Fibonacci) {
  ExpectOutput("Fibonacci(20) = 6765, by 21891 tasks", "fibonacci");
  ExpectOutput("Fibonacci(0) = 0, by 1 tasks", "fibonacci", {"0"});
  ExpectUsage("fibonacci", "41");
  ExpectUsage("fibonacci", "ten");
}

}  // namespace
}  // namespace manta_test
