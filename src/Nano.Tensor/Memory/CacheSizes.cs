using System.Globalization;

namespace Nano;

/// <summary>
/// Sizes of the first processor's caches, as Linux tells them; elsewhere, and where a size is missing or
/// absurd, those of common servers. Blocks of work are cut to them; no result depends on them.
/// </summary>
/// <param name="L1">Bytes of first-level data cache.</param>
/// <param name="L1Ways">Lines of a set of that cache.</param>
/// <param name="L2">Bytes of second-level cache.</param>
/// <param name="L3">Bytes of the last level, which several cores share.</param>
public readonly record struct CacheSizes(int L1, int L1Ways, int L2, int L3)
{
    /// <summary>Bytes of a cache line.</summary>
    public const int Line = 64;

    /// <summary>The sizes that are assumed where the system tells none.</summary>
    public static CacheSizes Default { get; } = new(32 << 10, 8, 1 << 20, 32 << 20);

    /// <summary>The sizes of this machine.</summary>
    public static CacheSizes OfMachine { get; } = Read("/sys/devices/system/cpu/cpu0/cache");

    /// <summary>
    /// The sizes that a folder of Linux's form tells: index*/level, type, size and ways_of_associativity.
    /// </summary>
    internal static CacheSizes Read(string folder)
    {
        var sizes = Default;
        for (int i = 0; i < 8 && Text($"index{i}/level") is { } level; i++)
        {
            int bytes = Bytes(Text($"index{i}/size"));
            if (Text($"index{i}/type") == "Instruction" || bytes < 4 << 10)
                continue;
            int ways = Bytes(Text($"index{i}/ways_of_associativity"));
            sizes = level switch
            {
                "1" => sizes with { L1 = bytes, L1Ways = ways is > 0 and <= 64 ? ways : sizes.L1Ways },
                "2" => sizes with { L2 = bytes },
                "3" => sizes with { L3 = bytes },
                _ => sizes,
            };
        }
        return sizes;

        string? Text(string name) => SystemFile.TryRead(Path.Combine(folder, name))?.Trim();
    }

    /// <summary>The number that a text such as 1024K or 32M tells; 0 if it is none.</summary>
    private static int Bytes(string? text)
    {
        int shift = text is null ? 0 : text.EndsWith('K') ? 10 : text.EndsWith('M') ? 20 : 0;
        bool valid = int.TryParse(text.AsSpan().TrimEnd("KM"), NumberStyles.None, CultureInfo.InvariantCulture,
            out int number);
        return valid && number <= int.MaxValue >> shift ? number << shift : 0;
    }

    /// <summary>
    /// True if rows this far apart fall into few sets of the first-level cache, so that as many of them as
    /// given, read side by side, push each other out before a line is used up. Three ways of a set are left to
    /// whatever else is read.
    /// </summary>
    /// <param name="rows">Rows that are read side by side.</param>
    /// <param name="stride">Bytes from row to row.</param>
    internal bool IsCrowded(int rows, long stride)
    {
        long span = L1 / L1Ways; // addresses this far apart share a set
        long sets = span / Math.Max(Line, Greatest(span, stride));
        return (rows + sets - 1) / sets > Math.Max(1, L1Ways - 3);

        static long Greatest(long a, long b) => b == 0 ? a : Greatest(b, a % b);
    }
}
