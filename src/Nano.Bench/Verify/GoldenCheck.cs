namespace Nano;

/// <summary>One comparison with golden values.</summary>
/// <param name="Of">The part of the folder: a type of weights, or a model and its type.</param>
/// <param name="Name">The quantity that was compared.</param>
/// <param name="Items">Numbers compared.</param>
/// <param name="Error">The largest error, in the unit that the name tells; NaN where a number is none.</param>
/// <param name="Allowed">The largest error that passes.</param>
public sealed record GoldenCheck(string Of, string Name, long Items, double Error, double Allowed)
{
    /// <summary>The reason why nothing was compared, or null.</summary>
    public string? Skipped { get; init; }

    /// <summary>The place of the first error, or null.</summary>
    public string? Note { get; init; }

    /// <summary>True if the error is allowed.</summary>
    public bool Pass => Skipped is not null || Error <= Allowed;

    /// <summary>Error over allowed error: infinite where none is allowed and one is there.</summary>
    public double Share => Error == 0 ? 0 : double.IsNaN(Error) ? double.PositiveInfinity : Error / Allowed;

    /// <summary>A comparison that could not be made.</summary>
    internal static GoldenCheck Skip(string of, string name, string reason) =>
        new(of, name, 0, 0, 0) { Skipped = reason };
}
