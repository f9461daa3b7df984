using System.Text.Json;

namespace Nano;

/// <summary>
/// Computes with Nano's ops what a golden case describes: outputs and gradients by the case's
/// names, in the case's layout.
/// </summary>
internal static partial class GoldenOpRunner
{
    /// <summary>Runs one case on a context with an empty tape.</summary>
    /// <exception cref="ArgumentException">The op is unknown, or its tensors do not
    /// fit.</exception>
    public static Dictionary<string, float[]> Run(GoldenOp test, Compute compute) => test.Op switch
    {
        "matmul" => Differentiate(test, compute, ["a", "b"], x => compute.MatMul(x[0], x[1])),
        "linear" => test.Inputs.Contains("b")
            ? Differentiate(test, compute, ["x", "w", "b"], x => compute.Linear(x[0], x[1], x[2]))
            : Differentiate(test, compute, ["x", "w"], x => compute.Linear(x[0], x[1], null)),
        "layernorm" => Differentiate(test, compute, ["x", "w", "b"],
            x => compute.LayerNorm(x[0], x[1], x[2], Epsilon(test))),
        "rmsnorm" => Differentiate(test, compute, ["x", "w"], x => compute.RmsNorm(x[0], x[1], Epsilon(test))),
        "softmax" when test.Attributes.GetProperty("axis").GetInt32() == -1 =>
            Differentiate(test, compute, ["x"], x => compute.Softmax(x[0])),
        "gelu_tanh" => Differentiate(test, compute, ["x"], x => compute.Activation(ActivationKind.GeluTanh, x[0])),
        "gelu_erf" => Differentiate(test, compute, ["x"], x => compute.Activation(ActivationKind.GeluErf, x[0])),
        "silu" => Differentiate(test, compute, ["x"], x => compute.Activation(ActivationKind.Silu, x[0])),
        "swiglu" => Differentiate(test, compute, ["gate", "up"], x => compute.SwiGlu(x[0], x[1])),
        "embedding" => Differentiate(test, compute, ["w"], x => compute.Embedding(x[0], Ids(test, "ids"))),
        "cross_entropy" => CrossEntropy(test, compute),
        "causal_attention" => CausalAttention(test, compute),
        "attention" => Attention(test, compute),
        "differential_attention" => DifferentialAttention(test, compute),
        "mla" => LatentAttention(test, compute),
        "t5_buckets" => Buckets(test),
        "alibi_slopes" => Slopes(test),
        "rope" => Rope(test, compute),
        "adamw" => AdamW(test, compute),
        _ => GoldenRoomOps.Run(test, compute) ?? GoldenScanOps.Run(test, compute)
            ?? GoldenMixtureOps.Run(test, compute) ?? throw new NotSupportedException(
            $"op {Quoted.Of(test.Op)} with attributes {Quoted.Of(test.Attributes.ToString())} is not known here"),
    };

    /// <summary>
    /// Runs an op from these inputs to y and, where the case has gradients, back.
    /// </summary>
    /// <param name="test">The case.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="names">The inputs that are differentiated.</param>
    /// <param name="op">From these inputs to the output.</param>
    /// <param name="heads">Whether the case's tensors of rank 4 are [B, H, T, D], which is [B, T, H * D] here.</param>
    /// <param name="output">The name of the output.</param>
    internal static Dictionary<string, float[]> Differentiate(GoldenOp test, Compute compute, string[] names,
        Func<Tensor[], Tensor> op, bool heads = false, string output = "y")
    {
        bool OfHeads(string name) => heads && test.ShapeOf(name).Rank == 4;
        Tensor Load(string name) =>
            OfHeads(name) ? JoinHeads(test.Floats(name), test.ShapeOf(name)) : Floats(test, name);
        float[] Values(Tensor tensor, string name) =>
            OfHeads(name) ? SplitHeads(tensor.Data, test.ShapeOf(name)) : tensor.Data.ToArray();

        var inputs = Array.ConvertAll(names, Load);
        var y = op(inputs);
        var results = new Dictionary<string, float[]> { [output] = Values(y, output) };
        if (test.Gradients.Count == 0)
            return results;
        compute.Tape!.Backward(compute, y, test.Upstream == "1 (scalar)" ? null : Load(test.Upstream));
        for (int i = 0; i < names.Length; i++)
            results["d" + names[i]] = Values(inputs[i].Gradient, names[i]);
        return results;
    }

    private static Dictionary<string, float[]> CrossEntropy(GoldenOp test, Compute compute)
    {
        string? reduction = test.Attributes.GetProperty("reduction").GetString();
        int ignored = test.Attributes.GetProperty("ignore_index").GetInt32();
        if (ignored != -100 || reduction is not ("mean" or "sum") || test.Upstream != "1 (scalar)")
            throw new ArgumentException(
                $"cross_entropy with ignore_index {ignored}, reduction {Quoted.Of(reduction)}, upstream "
                + $"{Quoted.Of(test.Upstream)} is not known here");
        var logits = Floats(test, "logits");
        var (loss, nll) = compute.CrossEntropy(logits, Ids(test, "targets"), reduction == "sum" ? 1 : 0);
        compute.Tape!.Backward(compute, loss);
        return new()
        {
            ["loss"] = loss.Data.ToArray(),
            ["nll"] = nll.Data.ToArray(),
            ["dlogits"] = logits.Gradient.Data.ToArray()
        };
    }

    private static Dictionary<string, float[]> Rope(GoldenOp test, Compute compute)
    {
        var attributes = test.Attributes;
        int headDim = test.ShapeOf("x").Columns;
        double theta = attributes.GetProperty("theta").GetDouble();
        double[] frequencies = attributes.GetProperty("rope_scaling") is { ValueKind: JsonValueKind.Object } scaling
            ? Llama3(scaling).Frequencies(headDim, theta)
            : RopeTable.InverseFrequencies(headDim, theta);
        var pairing = attributes.GetProperty("style").GetString() switch
        {
            "rotate_half" => RopePairing.RotateHalf,
            "interleaved" => RopePairing.Interleaved,
            var style => throw new ArgumentException($"rope style {Quoted.Of(style)} is not known here"),
        };
        var table = new RopeTable(frequencies, test.Integers("positions"));
        var results = Differentiate(test, compute, ["x"], x => compute.Rope(x[0], table, pairing), heads: true);
        results["inv_freq"] = Array.ConvertAll(frequencies, frequency => (float)frequency);
        return results;
    }

    private static RopeScaling.Llama3 Llama3(JsonElement scaling)
    {
        double Number(string name) => scaling.GetProperty(name).GetDouble();
        return scaling.GetProperty("rope_type").GetString() is "llama3"
            ? new(Number("factor"), Number("low_freq_factor"), Number("high_freq_factor"),
                scaling.GetProperty("original_max_position_embeddings").GetInt32())
            : throw new ArgumentException($"rope scaling {scaling} is not known here");
    }

    /// <summary>
    /// Several parameters p0, p1, ... with given gradients g0_0, ... (parameter_step): clips all
    /// gradients of a step by their global norm, g *= min(1, clip / (norm + 1e-6)), then steps;
    /// weight decay only where a parameter has two or more dimensions.
    /// </summary>
    private static Dictionary<string, float[]> AdamW(GoldenOp test, Compute compute)
    {
        double Number(string name) => test.Attributes.GetProperty(name).GetDouble();
        var betas = test.Attributes.GetProperty("betas");
        var parameters = test.Inputs.Where(name => name[0] == 'p').Select(name => Floats(test, name)).ToArray();
        var moments = Array.ConvertAll(parameters, p => (Mean: new Tensor(p.Shape), Square: new Tensor(p.Shape)));
        var results = new Dictionary<string, float[]>
        {
            ["norms"] = new float[test.Attributes.GetProperty("steps")
            .GetInt32()]
        };
        for (int step = 0; step < results["norms"].Length; step++)
        {
            var gradients = parameters.Select((_, i) => Floats(test, $"g{i}_{step}")).ToArray();
            double norm = Math.Sqrt(gradients.Sum(compute.SumOfSquares)),
                scale = Math.Min(1, Number("grad_clip") / (norm + 1e-6));
            results["norms"][step] = (float)norm;
            for (int i = 0; i < parameters.Length; i++)
            {
                double decay = parameters[i].Shape.Rank >= 2 ? Number("weight_decay") : 0;
                var numbers = new AdamWNumbers(Number("lr"), betas[0].GetDouble(), betas[1].GetDouble(), Number("eps"),
                    decay, scale, step + 1);
                compute.AdamW(parameters[i], gradients[i], moments[i].Mean, moments[i].Square, numbers);
                results[$"p{i}_after{step + 1}"] = parameters[i].Data.ToArray();
            }
        }
        return results;
    }

    internal static float Epsilon(GoldenOp test) => test.Attributes.GetProperty("eps").GetSingle();

    internal static Tensor Floats(GoldenOp test, string name) => Tensor.From(test.ShapeOf(name), test.Floats(name));

    private static Tensor Ids(GoldenOp test, string name) => Tensor.FromIds(test.ShapeOf(name), test.Integers(name));

    /// <summary>[B, H, T, D] becomes [B, T, H * D].</summary>
    private static Tensor JoinHeads(ReadOnlySpan<float> x, Shape shape)
    {
        var (heads, times, headDim) = (shape[1], shape[2], shape[3]);
        var y = new Tensor(new Shape(shape[0], times, heads * headDim));
        for (int row = 0; row < x.Length / headDim; row++)
            x.Slice(row * headDim, headDim).CopyTo(y.Data[NanoRow(row, heads, times, headDim)..]);
        return y;
    }

    /// <summary>[B, T, H * D] becomes [B, H, T, D], which is the shape given.</summary>
    private static float[] SplitHeads(ReadOnlySpan<float> y, Shape shape)
    {
        var (heads, times, headDim) = (shape[1], shape[2], shape[3]);
        var x = new float[y.Length];
        for (int row = 0; row < y.Length / headDim; row++)
            y.Slice(NanoRow(row, heads, times, headDim), headDim).CopyTo(x.AsSpan(row * headDim));
        return x;
    }

    /// <summary>
    /// The start of row (b, h, t) of [B, H, T, D] in Nano's layout [B, T, H * D].
    /// </summary>
    private static int NanoRow(int row, int heads, int times, int headDim)
    {
        int batch = row / (heads * times), head = row / times % heads, time = row % times;
        return ((((batch * times) + time) * heads) + head) * headDim;
    }
}
