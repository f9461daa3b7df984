namespace Nano.Tests;

public sealed class BinaryFileTests
{
    /// <summary>Files of Linux's sysfs can be read but not mapped, as those of some network file systems.</summary>
    [Fact]
    public void A_file_that_cannot_be_mapped_is_refused_with_advice()
    {
        const string path = "/sys/devices/system/cpu/online";
        Assert.SkipUnless(File.Exists(path), "there is no sysfs here");
        Assert.NotEmpty(File.ReadAllText(path));
        var e = Assert.Throws<NanoException>(() => new BinaryFile(path, "check the path"));
        Assert.StartsWith($"cannot map '{path}' into memory: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("copy the file to a local disk", e.Hint, StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => GgufReader.Open(path));
    }
}
