using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Memory in pages of 2 MB instead of 4 KB (Linux, "transparent huge pages"): a matrix then takes few entries of
/// the processor's page tables. Where the system gives none, the same memory comes in small pages.
/// NANO_HUGE_PAGES=0 turns them off.
/// </summary>
public static class HugePages
{
    /// <summary>Bytes of a huge page on x86-64, and on ARM64 with small pages of 4 KB.</summary>
    internal const int Size = 2 << 20;

    private const string Variable = "NANO_HUGE_PAGES";

    /// <summary>True unless NANO_HUGE_PAGES is 0.</summary>
    /// <exception cref="NanoException">It is neither 0 nor 1.</exception>
    public static bool AreWanted => wanted ??= Environment.GetEnvironmentVariable(Variable) switch
    {
        null or "" or "1" => true,
        "0" => false,
        { } text => throw new NanoException($"{Variable} is {Quoted.Of(text)}",
            "set it to 0 for small pages or to 1, or leave it unset"),
    };

    private static bool? wanted;

    /// <summary>A sentence on whether the system gives them, and how much of this process lies in them now.</summary>
    public static string Describe()
    {
        if (!OperatingSystem.IsLinux())
            return "not asked for on this system";
        if (!AreWanted)
            return $"off ({Variable}=0)";
        string mode = Selected(SystemFile.TryRead("/sys/kernel/mm/transparent_hugepage/enabled") ?? "");
        return mode is "madvise" or "always"
            ? "asked for buffers of 2 MB and more; "
                + $"{Held(SystemFile.TryRead("/proc/self/smaps_rollup") ?? "") >> 10:N0} MB in use"
            : $"not given by the system (transparent_hugepage: {(mode.Length == 0 ? "unknown" : mode)})";
    }

    /// <summary>The word in brackets, as in "always [madvise] never".</summary>
    internal static string Selected(string text)
    {
        int open = text.IndexOf('[', StringComparison.Ordinal), close = text.IndexOf(']', open + 1);
        return open >= 0 && close > open ? text[(open + 1)..close] : "";
    }

    /// <summary>Kilobytes of anonymous huge pages in a text of the form of /proc/self/smaps_rollup.</summary>
    internal static long Held(string text)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
            if (line.StartsWith("AnonHugePages:", StringComparison.Ordinal)
                && long.TryParse(line["AnonHugePages:".Length..].TrimEnd("kB ").Trim(), out long kilobytes))
                return kilobytes;
        return 0;
    }

    /// <summary>
    /// Zeroed memory whose first multiple of 2 MB has the given bytes behind it, advised to lie in huge pages
    /// before it is touched; no memory (Address 0) where this is not Linux, they are not wanted, or the system has
    /// no such amount.
    /// </summary>
    internal static (nint Address, nuint Length) Map(nuint bytes)
    {
        if (!OperatingSystem.IsLinux() || bytes < Size || bytes > nuint.MaxValue / 2 || !AreWanted)
            return default;
        nuint length = (bytes + (2 * (nuint)Size) - 1) & ~((nuint)Size - 1);
        nint address = MapMemory(0, length, ReadAndWrite, PrivateAndAnonymous, -1, 0);
        if (address == -1)
            return default;
        nint start = AlignUp(address);
        _ = Advise(start, (nuint)(address - start) + length, WantHugePages);
        return (address, length);
    }

    /// <summary>Gives back what <see cref="Map"/> has given.</summary>
    internal static void Unmap(nint address, nuint length) => _ = UnmapMemory(address, length);

    /// <summary>The first multiple of 2 MB from an address on.</summary>
    internal static nint AlignUp(nint address) => (address + Size - 1) & -(nint)Size;

    // Linux: sys/mman.h
    private const int ReadAndWrite = 3, PrivateAndAnonymous = 0x22, WantHugePages = 14;

    [DllImport("libc", EntryPoint = "mmap")]
    private static extern nint MapMemory(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap")]
    private static extern int UnmapMemory(nint address, nuint bytes);

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Advise(nint address, nuint bytes, int advice);
}
