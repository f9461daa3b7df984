using System.Reflection;

namespace Nano.Tests;

/// <summary>
/// Runs an op in memory full of a known pattern and checks that only its results were written: the
/// arena is filled, emptied, used by the op, and looked at again.
/// </summary>
internal static unsafe class Canary
{
    private const int ArenaFloats = 1 << 14;
    private const float Pattern = -12345.675f;

    /// <summary>
    /// Runs the op; everything in the arena but the tensors that the recorded op names (and extra
    /// results) must keep the pattern.
    /// </summary>
    public static Tensor Check(Compute compute, Func<Compute, Tensor> run, params Tensor[] inputs)
    {
        compute.Tape = new Tape();
        compute.NextStep();
        var all = compute.New(new Shape(ArenaFloats));
        all.Data.Fill(Pattern);
        float* arena = all.Pointer;
        compute.StepArena.Reset();
        var y = run(compute);
        var written = new bool[ArenaFloats];
        foreach (var result in Results(compute.Tape.Ops.Single()).Append(y).Except(inputs))
            if (result.Pointer - arena is >= 0 and < ArenaFloats and var start)
                Array.Fill(written, true, (int)start, (int)result.Length);
        for (int i = 0; i < ArenaFloats; i++)
            if (!written[i] && arena[i] != Pattern)
                Assert.Fail($"float {i} of the arena was overwritten with {arena[i]}");
        return y;
    }

    private static IEnumerable<Tensor> Results(IOp op) =>
        op.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
        .Where(property => property.PropertyType == typeof(Tensor)).Select(property => property.GetValue(op))
        .OfType<Tensor>().Where(tensor => tensor.Type == DType.Float32);
}
