using System.Globalization;

namespace Nano;

/// <summary>
/// The family of a processor, by which pages of results are named: cloud machines call processors of different
/// designs by one name.
/// </summary>
public static class CpuFamily
{
    private const int Zen3And4 = 25, Zen5 = 26;

    /// <summary>The family of this machine's processor.</summary>
    public static string Here()
    {
        const string linux = "/proc/cpuinfo";
        return Of(File.Exists(linux) ? File.ReadAllText(linux) : "", Machine.CpuName());
    }

    /// <summary>The family by the text of /proc/cpuinfo, or a file name for the processor's name.</summary>
    /// <param name="cpuInfo">The text; empty where the system has none.</param>
    /// <param name="name">The processor's name.</param>
    public static string Of(string cpuInfo, string name) =>
        (Value(cpuInfo, "vendor_id"), Number(cpuInfo, "cpu family"), Number(cpuInfo, "model")) switch
        {
            ("AuthenticAMD", Zen3And4, (>= 0x10 and <= 0x1F) or (>= 0x60 and <= 0x7F) or (>= 0xA0 and <= 0xAF)) =>
                "zen4",
            ("AuthenticAMD", Zen3And4, _) => "zen3",
            ("AuthenticAMD", Zen5, _) => "zen5",
            _ => BenchReport.FileName(name),
        };

    /// <summary>The first value of a key, as the lines "key : value" have it.</summary>
    private static string? Value(string cpuInfo, string key) =>
        cpuInfo.Split('\n').Select(line => line.Split(':', 2))
            .FirstOrDefault(line => line.Length == 2 && line[0].Trim() == key)?[1].Trim();

    private static int? Number(string cpuInfo, string key) =>
        int.TryParse(Value(cpuInfo, key), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : null;
}
