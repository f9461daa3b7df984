using Nano;
using Nano.Peers;
using TorchSharp;
using static TorchSharp.torch;
using Work = Nano.Peers.Work;

// libtorch as a contender: train MODEL B T TYPE THREADS | product KIND M N K THREADS.
return WorkProcess.Serve(args, task =>
{
    string remark = OlderRuntime.Load();
    InitializeDeviceType(DeviceType.CPU);
    set_num_threads(int.Parse(task[^1]));
    string about = $"libtorch {__version__} of TorchSharp {typeof(torch).Assembly.GetName().Version}{remark}";
    return task[0] == "train" ? TrainingStep.Create(about,
        TrainingTask.Of(task[1], int.Parse(task[2]), int.Parse(task[3])),
        task[4] == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32)
        : Product(about, task[1], int.Parse(task[2]), int.Parse(task[3]), int.Parse(task[4]));
});

static Work Product(string about, string product, int m, int n, int k)
{
    using var nano = ProductTask.Of(product, m, n, k).Create();
    var operands = nano.Inputs!().Select(Copy).ToArray();
    var a = product == nameof(GemmProduct.WeightGradient) ? operands[0].t() : operands[0];
    var b = product == nameof(GemmProduct.Forward) ? operands[1].t() : operands[1];
    var y = zeros([a.shape[0], b.shape[1]]);
    // addmm_ with beta 0 is mm into memory that is there already, as Nano's product has it.
    return new Work(about + ", addmm_ with beta 0", () =>
    {
        y.addmm_(a, b, beta: 0, alpha: 1);
        return ProductTask.Sample(y.data<float>().ToArray());
    }, () => y.addmm_(a, b, beta: 0, alpha: 1));

    static torch.Tensor Copy(Nano.Tensor from) =>
        tensor(from.Data.ToArray(), [from.Shape[0], from.Shape[1]], ScalarType.Float32);
}
