using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) for the
/// matrices of the blocks: b = mu b + g, u = g + mu b (Nesterov) or b, O = u with its singular
/// values brought near 1 by five steps of Newton and Schulz (<see cref="NewtonSchulzExtensions"/>),
/// and, so that one learning rate serves all, p = p (1 - lr wd) - lr 0.2 sqrt(max(rows, columns)) O
/// (Liu et al., "Muon is Scalable for LLM Training", 2025, equation 4). Parts of a parameter that
/// lie above each other, such as queries, keys and values, are matrices of their own. Embeddings,
/// head and vectors take <see cref="AdamW"/>'s step.
/// </summary>
public sealed class Muon : Optimizer
{
    private readonly Tensor[] first; // velocity, or AdamW's mean
    private readonly Tensor?[] square;

    /// <summary>The rule over these parameters.</summary>
    public Muon(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 7, streams: 8)
    {
        (first, square) = (new Tensor[Parameters.Count], new Tensor?[Parameters.Count]);
        for (int i = 0; i < Parameters.Count; i++)
        {
            bool inner = Parameters[i].Parameter is { IsInner: true };
            first[i] = NewState(i, inner ? "velocity" : "mean", Parameters[i].Shape);
            square[i] = inner ? null : NewState(i, "square", Parameters[i].Shape);
        }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var parameter = Parameters[index];
        if (square[index] is { } squares)
            compute.AdamW(parameter, parameter.Gradient, first[index], squares,
                MomentNumbers(index, learningRate, gradientScale));
        else
            compute.Muon(parameter, parameter.Gradient, first[index], parameter.Parameter!.Parts,
                new SgdNumbers(learningRate, Options.Momentum, Options.Nesterov, Decay(index), gradientScale));
    }
}

/// <summary>b = mu b + g, u = g + mu b (Nesterov) or b.</summary>
internal readonly unsafe struct MuonVelocity(float* gradient, float scale, float keep, bool nesterov, float* velocity,
    float* update) : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V g = S.Multiply(S.Load(gradient + i), S.Splat(scale));
        V b = S.Fma(S.Load(velocity + i), S.Splat(keep), g);
        S.Store(velocity + i, b);
        S.Store(update + i, nesterov ? S.Fma(b, S.Splat(keep), g) : b);
    }
}

/// <summary>p = p shrink - rate u.</summary>
internal readonly unsafe struct ShrinkAndStep(float* update, float shrink, float back, float* parameter) : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
        S.Store(parameter + i,
            S.Fma(S.Load(update + i), S.Splat(back), S.Multiply(S.Load(parameter + i), S.Splat(shrink))));
}

/// <summary>Muon as a method of <see cref="Compute"/>.</summary>
public static class MuonExtensions
{
    /// <summary>Moves a matrix by one Muon step along its gradient; updates the velocity in place.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="parameter">[M, N].</param>
    /// <param name="gradient">Its gradient.</param>
    /// <param name="velocity">Its velocity.</param>
    /// <param name="parts">Number of matrices of equal height stacked in it; each is made
    /// orthogonal on its own.</param>
    /// <param name="numbers">As for gradient descent; the decay is decoupled.</param>
    public static unsafe void Muon(this Compute compute, Tensor parameter, Tensor gradient, Tensor velocity, int parts,
        SgdNumbers numbers)
    {
        UpdateTensors.Check("muon", parameter, gradient, velocity);
        int rows = parameter.Shape[0] / parts;
        if (parameter.Shape.Rank != 2 || rows * parts != parameter.Shape[0])
            throw new ArgumentException($"muon: {parameter} does not consist of {parts} matrices");
        var update = compute.New(parameter.Shape);
        compute.ForEach((nint)parameter.Length, new MuonVelocity(gradient.Pointer, (float)numbers.GradientScale,
            (float)numbers.Momentum, numbers.Nesterov, velocity.Pointer, update.Pointer));
        for (int part = 0; part < parts; part++)
            compute.Orthogonalize(update.SliceRows(part * rows, rows));
        double rate = numbers.LearningRate * 0.2 * Math.Sqrt(Math.Max(rows, parameter.Shape[1]));
        compute.ForEach((nint)parameter.Length, new ShrinkAndStep(update.Pointer,
            (float)(1 - (numbers.LearningRate * numbers.WeightDecay)), (float)-rate, parameter.Pointer));
        compute.Release(update);
        GC.KeepAlive(parameter); // the kernels had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(velocity);
    }
}
