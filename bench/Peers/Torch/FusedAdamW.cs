using System.Runtime.InteropServices;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Nano.Peers;

using Tensor = TorchSharp.torch.Tensor;

/// <summary>
/// AdamW in one pass over memory, the fastest that libtorch has on a processor. TorchSharp does not name it, so it
/// is called by the name that the operator at::_fused_adamw_ has in the library (System V x86-64 calls, as Linux and
/// macOS have them).
/// </summary>
internal sealed unsafe class FusedAdamW
{
    private const string Symbol = "_ZN2at4_ops13_fused_adamw_4callEN3c108ArrayRefINS_6TensorEEES5_S5_S5_S5_S5_dddddbb"
        + "RKSt8optionalIS4_ES9_";

    private readonly OptimizerOptions options;
    private readonly double rate;
    private readonly (TensorList Weights, TensorList Means, TensorList Squares, TensorList Steps, Parameter[] Of,
        double Decay)[] groups;
    private readonly Tensor step = zeros([], ScalarType.Float32);
    private readonly delegate* unmanaged<List, List, List, List, List, List, double, double, double, double, double,
        byte, byte, void*, void*, void> update;

    /// <summary>The rule over parameters, each with or without decay.</summary>
    public FusedAdamW(Parameter[] parameters, IReadOnlyList<bool> decays, OptimizerOptions options, double rate)
    {
        (this.options, this.rate) = (options, rate);
        update = (delegate* unmanaged<List, List, List, List, List, List, double, double, double, double, double, byte,
            byte, void*, void*, void>)NativeLibrary.GetExport(Library(), Symbol);
        groups = [.. ((bool[])[true, false]).Select(decayed =>
        {
            Parameter[] of = [.. parameters.Where((_, i) => decays[i] == decayed)];
            return (new TensorList(of), new TensorList([.. of.Select(Moment)]), new TensorList([.. of.Select(Moment)]),
                new TensorList([.. of.Select(_ => step)]), of, decayed ? options.WeightDecay : 0);
        })];

        static Tensor Moment(Parameter of)
        {
            using var none = no_grad();
            return zeros_like(of);
        }
    }

    /// <summary>Its name for the page of results.</summary>
    public const string About = "fused AdamW (at::_fused_adamw_)";

    /// <summary>Moves the weights by the gradients that they have.</summary>
    public void Step()
    {
        using var none = no_grad();
        step.add_(1);
        nint* nothing = stackalloc nint[2] { 0, 0 }; // an empty std::optional<Tensor>
        foreach (var (weights, means, squares, steps, of, decay) in groups)
        {
            Tensor[] found = [.. of.Select(parameter => parameter.grad!)];
            using var gradients = new TensorList(found);
            update(weights.Pointer, gradients.Pointer, means.Pointer, squares.Pointer, default, steps.Pointer, rate,
                options.Beta1, options.Beta2, decay, options.Epsilon, 0, 0, nothing, nothing);
            foreach (var gradient in found)
                gradient.Dispose();
        }
    }

    private static nint Library()
    {
        string folder = AppContext.BaseDirectory;
        string? path = Directory.EnumerateFiles(folder, "libtorch_cpu.*", SearchOption.AllDirectories).FirstOrDefault();
        return NativeLibrary.Load(path ?? throw new FileNotFoundException($"no libtorch_cpu in {folder}"));
    }

    /// <summary>c10::ArrayRef: where the tensors lie, and their number.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct List(nint First, nint Count);

    /// <summary>Tensors side by side as libtorch wants them: each is one pointer to what it refers to.</summary>
    private sealed class TensorList : IDisposable
    {
        private readonly Tensor[] tensors; // which keep alive what the pointers name
        private readonly nint* pointers;

        public TensorList(Tensor[] tensors)
        {
            this.tensors = tensors;
            pointers = (nint*)NativeMemory.Alloc((nuint)Math.Max(1, tensors.Length), (nuint)sizeof(nint));
            for (int i = 0; i < tensors.Length; i++)
                pointers[i] = *(nint*)tensors[i].Handle;
        }

        public List Pointer => new((nint)pointers, tensors.Length);

        public void Dispose() => NativeMemory.Free(pointers);
    }
}
