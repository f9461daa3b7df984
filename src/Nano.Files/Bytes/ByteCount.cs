using System.Globalization;

namespace Nano;

/// <summary>Sizes as people write them.</summary>
public static class ByteCount
{
    /// <summary>
    /// The number of bytes in "500MB", "5GB", "2GiB" or "1048576"; decimal units are powers of ten,
    /// as transformers has them.
    /// </summary>
    /// <exception cref="NanoException">It is none.</exception>
    public static long Parse(string text)
    {
        ReadOnlySpan<(string Suffix, long Factor)> units =
            [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("KB", 1_000), ("MB", 1_000_000),
                ("GB", 1_000_000_000), ("", 1)];
        foreach ((string suffix, long factor) in units)
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
                return long.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.None,
                    CultureInfo.InvariantCulture, out long number) && number > 0 && number <= long.MaxValue / factor
                    ? number * factor : throw new NanoException($"{Quoted.Of(text)} is not a size in bytes",
                        "write it as 5GB, 500MB or 1048576");
        throw new InvalidOperationException("the last unit fits any text");
    }
}
