namespace Nano.Tests;

public sealed class NativeBufferTests
{
    [Fact]
    public unsafe void Memory_is_aligned_and_zero()
    {
        foreach (long floats in new long[] { 0, 1, 15, 16, 17, 1000, 1 << 20 })
        {
            using var buffer = new NativeBuffer(floats);
            Assert.Equal(floats, buffer.Length);
            Assert.Equal(0, (nint)buffer.Pointer % NativeBuffer.Alignment);
            Assert.True(new ReadOnlySpan<float>(buffer.Pointer, (int)floats).IndexOfAnyExcept(0f) < 0);
        }
    }

    [Fact]
    public unsafe void Use_after_dispose_throws()
    {
        var buffer = new NativeBuffer(10);
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => (nint)buffer.Pointer);
    }

    [Theory]
    [InlineData(1L << 50)]
    [InlineData((1L << 61) - 1)]
    [InlineData(1L << 61)]
    [InlineData(1L << 62)]
    [InlineData(long.MaxValue)]
    public void A_size_no_machine_has_is_an_error_for_people(long floats)
    {
        var error = Assert.Throws<NanoException>(() => new NativeBuffer(floats));
        Assert.Contains("out of memory", error.Message);
        Assert.Contains(((UInt128)floats * 4).ToString("N0"), error.Message);
        Assert.NotNull(error.Hint);
    }

    [Fact]
    public void A_negative_size_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new NativeBuffer(-1));
}
