// Runs a SavedModel with the op through TensorFlow's C API, as a server in C++ would:
//
//   run_saved_model LIBRARY MODEL INPUT OUTPUT SIZE... < numbers
//
// LIBRARY is what statpool.library_path() returns; INPUT and OUTPUT are the names of tensors as
// saved_model_cli shows them; the numbers of the input's shape SIZE... are text, and so is what
// comes out.
#include <tensorflow/c/c_api.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static TF_Status* const status = TF_NewStatus();

static void Check(const char* what) {
  if (TF_GetCode(status) == TF_OK) return;
  std::fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  std::exit(1);
}

// The tensor of a name such as serving_default_clip:0.
static TF_Output TensorOf(TF_Graph* graph, const std::string& name) {
  const size_t colon = name.find(':');
  TF_Operation* op = TF_GraphOperationByName(graph, name.substr(0, colon).c_str());
  if (op == nullptr) {
    std::fprintf(stderr, "the model must have the tensor, got no %s\n", name.c_str());
    std::exit(1);
  }
  return {op, colon == std::string::npos ? 0 : std::atoi(name.c_str() + colon + 1)};
}

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: %s LIBRARY MODEL INPUT OUTPUT SIZE...\n", argv[0]);
    return 2;
  }
  TF_LoadLibrary(argv[1], status);  // before the model, which calls the op
  Check(argv[1]);

  TF_Graph* graph = TF_NewGraph();
  const char* const tags[] = {"serve"};
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, nullptr, argv[2], tags, 1, graph, nullptr, status);
  Check(argv[2]);

  const TF_Output input = TensorOf(graph, argv[3]), output = TensorOf(graph, argv[4]);
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (int i = 5; i < argc; ++i) count *= shape.emplace_back(std::atoll(argv[i]));
  TF_Tensor* x = TF_AllocateTensor(TF_FLOAT, shape.data(), shape.size(), count * sizeof(float));
  for (int64_t i = 0; i < count; ++i) {
    if (std::scanf("%f", static_cast<float*>(TF_TensorData(x)) + i) == 1) continue;
    std::fprintf(stderr, "the input must have %ld numbers, got %ld\n", long(count), long(i));
    return 1;
  }
  TF_Tensor* y = nullptr;
  TF_SessionRun(session, nullptr, &input, &x, 1, &output, &y, 1, nullptr, 0, nullptr, status);
  Check("run");
  const float* values = static_cast<const float*>(TF_TensorData(y));
  for (int64_t i = 0; i < TF_TensorElementCount(y); ++i) std::printf("%.9g\n", values[i]);
  return 0;
}
