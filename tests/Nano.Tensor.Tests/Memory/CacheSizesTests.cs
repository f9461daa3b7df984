namespace Nano.Tests;

public sealed class CacheSizesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("nano-caches").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Sizes_are_read_as_the_system_tells_them()
    {
        // as an AMD Zen 5 tells them
        Tell(0, "1", "Data", "48K", "12");
        Tell(1, "1", "Instruction", "32K", "8");
        Tell(2, "2", "Unified", "1024K", "16");
        Tell(3, "3", "Unified", "32M", "16");
        Assert.Equal(new CacheSizes(48 << 10, 12, 1 << 20, 32 << 20), CacheSizes.Read(folder));
    }

    [Theory]
    [InlineData("")]
    [InlineData("K")]
    [InlineData("-32K")]
    [InlineData("0K")]
    [InlineData("99999999999K")]
    [InlineData("4096M")]
    [InlineData("\u0661K")]
    public void An_absurd_size_is_that_of_a_common_machine(string size)
    {
        Tell(0, "1", "Data", size, "0");
        Tell(1, "2", "Unified", size, "8");
        Assert.Equal(CacheSizes.Default, CacheSizes.Read(folder));
    }

    [Fact]
    public void A_system_that_tells_nothing_has_common_sizes() =>
        Assert.Equal(CacheSizes.Default, CacheSizes.Read(Path.Combine(folder, "missing")));

    /// <summary>Twelve rows in sets of 64 lines: 4 KB apart they share one set, 3 KB apart they take four.</summary>
    [Theory]
    [InlineData(8, 4096, true)]
    [InlineData(8, 8192, true)]
    [InlineData(8, 12288, true)]
    [InlineData(8, 2048, true)]
    [InlineData(8, 3072, false)]
    [InlineData(8, 4096 + 64, false)]
    [InlineData(8, 1024, false)]
    [InlineData(8, 0, true)]
    [InlineData(12, 4096, true)]
    [InlineData(12, 2048, false)]
    public void Rows_crowd_a_set_if_they_are_more_than_its_ways(int ways, long stride, bool crowded) =>
        Assert.Equal(crowded, new CacheSizes(ways * 4096, ways, 1 << 20, 32 << 20).IsCrowded(12, stride));

    private void Tell(int index, params string[] values)
    {
        string place = Directory.CreateDirectory(Path.Combine(folder, $"index{index}")).FullName;
        foreach (var (name, value) in new[] { "level", "type", "size", "ways_of_associativity" }.Zip(values))
            File.WriteAllText(Path.Combine(place, name), value + "\n");
    }
}
