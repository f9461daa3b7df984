using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// A set of Unicode characters (code points 0 to 10FFFF, halves of surrogate pairs included), kept
/// as the sorted places at which membership changes: the first begins a range, the second ends it,
/// and so on.
/// </summary>
internal sealed class CodePointSet : IEquatable<CodePointSet>
{
    /// <summary>The number of code points.</summary>
    public const int Limit = 0x110000;

    private readonly int[] bounds;

    private CodePointSet(int[] bounds) => this.bounds = bounds;

    /// <summary>The set without characters.</summary>
    public static CodePointSet Empty { get; } = new([]);

    /// <summary>The set of all characters.</summary>
    public static CodePointSet All { get; } = new([0, Limit]);

    /// <summary>The places at which membership changes.</summary>
    public ReadOnlySpan<int> Bounds => bounds;

    /// <summary>The set of the characters from first to last.</summary>
    public static CodePointSet Range(int first, int last) => new([first, last + 1]);

    /// <summary>The set of ranges in ascending order, none of which touches the next.</summary>
    public static CodePointSet OfRanges(List<(int First, int Last)> ranges) =>
        new([.. ranges.SelectMany(range => (int[])[range.First, range.Last + 1])]);

    /// <summary>Membership of a character.</summary>
    public bool Contains(int codePoint)
    {
        int at = Array.BinarySearch(bounds, codePoint);
        return at >= 0 ? at % 2 == 0 : ~at % 2 == 1;
    }

    /// <summary>All characters that are not in the set.</summary>
    public CodePointSet Negate()
    {
        var span = bounds.AsSpan();
        bool hasFirst = span is [0, ..], hasLast = span is [.., Limit];
        span = span[(hasFirst ? 1 : 0)..(hasLast ? ^1 : ^0)];
        return new CodePointSet([.. hasFirst ? [] : (int[])[0], .. span, .. hasLast ? [] : (int[])[Limit]]);
    }

    /// <summary>The characters of either set.</summary>
    public CodePointSet Union(CodePointSet other) => Combine(other, 1);

    /// <summary>The characters of both sets.</summary>
    public CodePointSet Intersect(CodePointSet other) => Combine(other, 2);

    /// <summary>Equality of members.</summary>
    public bool Equals(CodePointSet? other) => other is not null && bounds.AsSpan().SequenceEqual(other.bounds);

    /// <summary>Equality of members.</summary>
    public override bool Equals(object? other) => Equals(other as CodePointSet);

    /// <summary>A hash of the members.</summary>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(MemoryMarshal.AsBytes(bounds.AsSpan()));
        return hash.ToHashCode();
    }

    /// <summary>
    /// The characters that are in at least <paramref name="needed"/> of the two sets.
    /// </summary>
    private CodePointSet Combine(CodePointSet other, int needed)
    {
        var merged = new List<int>(bounds.Length + other.bounds.Length);
        int a = 0, b = 0;
        bool within = false;
        while (a < bounds.Length || b < other.bounds.Length)
        {
            int next = Math.Min(a < bounds.Length ? bounds[a] : Limit,
                b < other.bounds.Length ? other.bounds[b] : Limit);
            a += a < bounds.Length && bounds[a] == next ? 1 : 0;
            b += b < other.bounds.Length && other.bounds[b] == next ? 1 : 0;
            if (a % 2 + b % 2 >= needed == within)
                continue;
            within = !within;
            merged.Add(next);
        }
        return new CodePointSet([.. merged]);
    }
}
