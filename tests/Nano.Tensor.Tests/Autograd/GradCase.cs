namespace Nano.Tests;

/// <summary>
/// One op (or a few ops together) with inputs, the same function in double precision, and how exact
/// the result must be.
/// </summary>
/// <param name="Name">Shown by the test.</param>
/// <param name="Op">The op that this case is for.</param>
/// <param name="Inputs">Makes the inputs that get gradients.</param>
/// <param name="Run">The ops under test.</param>
/// <param name="Reference">The same from flattened inputs to the flattened output.</param>
/// <param name="Output">Allowed error of the output in roundings: units of 2^-24 times the largest
/// true value (at least 1).</param>
/// <param name="Gradient">Allowed error of each gradient, likewise.</param>
public sealed record GradCase(string Name, Type Op, Func<Random, Tensor[]> Inputs, Func<Compute, Tensor[], Tensor> Run,
    Func<double[][], double[]> Reference, double Output, double Gradient)
{
    /// <summary>Half a unit in the last place of 1: the largest relative error of one float32 rounding.</summary>
    public const double Rounding = 1.0 / (1 << 24);

    /// <summary>What central differences in double precision are good to.</summary>
    public const double DifferenceNoise = 3e-9;

    /// <summary>The case's own seed, the same in every process.</summary>
    public Random Seeded() => new(Name.Aggregate(17, (seed, letter) => (seed * 31) + letter));

    public override string ToString() => Name;
}
