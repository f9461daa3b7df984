namespace Nano.Tests;

public sealed class HugePagesTests
{
    [Theory]
    [InlineData("always [madvise] never\n", "madvise")]
    [InlineData("[always] madvise never", "always")]
    [InlineData("always madvise [never]", "never")]
    [InlineData("", "")]
    [InlineData("] [", "")]
    public void The_systems_choice_is_the_word_in_brackets(string text, string word) =>
        Assert.Equal(word, HugePages.Selected(text));

    [Theory]
    [InlineData("Rss: 12 kB\nAnonHugePages:    2048 kB\nShmemPmdMapped: 0 kB\n", 2048)]
    [InlineData("AnonHugePages: many kB", 0)]
    [InlineData("", 0)]
    public void What_is_held_is_read_from_the_processs_map(string text, long kilobytes) =>
        Assert.Equal(kilobytes, HugePages.Held(text));

    /// <summary>Around the size from which memory comes from the system and not from the C library.</summary>
    [Theory]
    [InlineData((HugePages.Size / 4) - 17)]
    [InlineData((HugePages.Size / 4) - 16)]
    [InlineData(HugePages.Size / 4)]
    [InlineData((5 * HugePages.Size / 4) + 1)]
    public unsafe void Large_buffers_are_zero_aligned_and_writable_to_the_end(int floats)
    {
        using var buffer = new NativeBuffer(floats);
        bool large = ((long)floats * sizeof(float)) + NativeBuffer.Alignment >= HugePages.Size && OperatingSystem.IsLinux()
            && HugePages.AreWanted;
        Assert.Equal(0, (nint)buffer.Pointer % (large ? HugePages.Size : NativeBuffer.Alignment));
        var span = new Span<float>(buffer.Pointer, floats);
        Assert.False(span.ContainsAnyExcept(0));
        span.Fill(1);
        Assert.Equal(1, span[^1]);
    }

    [Fact]
    public void The_description_names_the_state() => Assert.NotEmpty(HugePages.Describe());
}
