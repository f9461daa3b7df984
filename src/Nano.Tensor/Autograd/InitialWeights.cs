namespace Nano;

/// <summary>
/// Initial weights whose sums keep their size from layer to layer. Of a weight [out, in, ..] the
/// inputs of one output are counted, and the outputs of one input. Each number depends on the key,
/// the stream and its place alone.
/// </summary>
public static class InitialWeights
{
    /// <summary>
    /// Uniform within sqrt(6 / (in + out)) of zero, for tanh and the sigmoid (Glorot and Bengio,
    /// 2010).
    /// </summary>
    public static void XavierUniform(this Tensor weight, ulong key, ulong stream) =>
        Philox.Uniform(key, stream, Math.Sqrt(6 / (Inputs(weight) + Outputs(weight))), weight.Data);

    /// <summary>
    /// Normal with deviation sqrt(2 / (in + out)), for tanh and the sigmoid (Glorot and Bengio,
    /// 2010).
    /// </summary>
    public static void XavierNormal(this Tensor weight, ulong key, ulong stream) =>
        Philox.Normal(key, stream, Math.Sqrt(2 / (Inputs(weight) + Outputs(weight))), weight.Data);

    /// <summary>Uniform within sqrt(6 / in) of zero, for ReLU (He et al., 2015).</summary>
    public static void HeUniform(this Tensor weight, ulong key, ulong stream) =>
        Philox.Uniform(key, stream, Math.Sqrt(6 / Inputs(weight)), weight.Data);

    /// <summary>Normal with deviation sqrt(2 / in), for ReLU (He et al., 2015).</summary>
    public static void HeNormal(this Tensor weight, ulong key, ulong stream) =>
        Philox.Normal(key, stream, Math.Sqrt(2 / Inputs(weight)), weight.Data);

    private static double Inputs(Tensor weight) => weight.Shape.Rank >= 2
        ? (double)weight.Length / Math.Max(1, weight.Shape[0])
        : throw new ArgumentException($"initial weights: {weight} is no weight; wanted [out, in, ..]");

    /// <summary>
    /// Outputs that one input reaches: all of them, times the places of a kernel.
    /// </summary>
    private static double Outputs(Tensor weight) => (double)weight.Length / Math.Max(1, weight.Shape[1]);
}
