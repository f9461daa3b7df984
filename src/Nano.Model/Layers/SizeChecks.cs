namespace Nano;

/// <summary>The sizes that models can have, and the errors in those that they cannot.</summary>
internal static class SizeChecks
{
    /// <summary>The largest width that a configuration may ask for.</summary>
    public const int MaxChannels = 1 << 20;

    /// <summary>The most blocks that a configuration may ask for.</summary>
    public const int MaxLayers = 1 << 16;

    /// <summary>The first of some sizes that is not from 1 to its maximum, as a problem, or null.</summary>
    public static string? Problem(params ReadOnlySpan<(string Name, int Value, int Max)> sizes)
    {
        foreach ((string name, int value, int max) in sizes)
            if (value < 1 || value > max)
                return $"the {name} is {value}; it must be from 1 to {max}";
        return null;
    }

    /// <summary>The problem of heads that cannot share the channels evenly, or null.</summary>
    public static string? HeadsProblem(int channels, int heads) => channels % heads == 0 ? null
        : $"{channels} channels cannot be divided among {heads} heads; make channels a multiple of heads";

    /// <summary>The problem of a number that norms add to the variance, or null.</summary>
    public static string? EpsilonProblem(float epsilon) => epsilon > 0 && float.IsFinite(epsilon) ? null
        : $"the norms' epsilon is {epsilon}; it must be positive";
}
