namespace Nano.Tests;

public sealed unsafe class ScratchTests
{
    [Fact]
    public void Parts_are_aligned_and_follow_each_other()
    {
        using var scratch = new Scratch();
        scratch.Begin(Scratch.RoundUp(5) + Scratch.RoundUp(16) + Scratch.RoundUp(17));
        nint a = (nint)scratch.Allocate(5), b = (nint)scratch.Allocate(16), c = (nint)scratch.Allocate(17);
        Assert.All(new[] { a, b, c }, p => Assert.Equal(0, p % NativeBuffer.Alignment));
        Assert.Equal(16 * sizeof(float), b - a);
        Assert.Equal(16 * sizeof(float), c - b);
    }

    [Fact]
    public void Memory_grows_to_the_largest_wish_and_stays()
    {
        using var scratch = new Scratch();
        scratch.Begin(1024);
        nint at = (nint)scratch.Allocate(1024);
        scratch.Begin(16);
        Assert.Equal(at, (nint)scratch.Allocate(10));
        scratch.Begin(1024);
        Assert.Equal(at, (nint)scratch.Allocate(900));
        scratch.Begin(100_000);
        new Span<float>(scratch.Allocate(100_000), 100_000).Fill(1);
    }

    [Fact]
    public void Taking_more_than_was_announced_throws()
    {
        using var scratch = new Scratch();
        Assert.Throws<InvalidOperationException>(() => (nint)scratch.Allocate(1));
        scratch.Begin(32);
        _ = scratch.Allocate(17);
        Assert.Throws<InvalidOperationException>(() => (nint)scratch.Allocate(1));
        scratch.Begin(16);
        Assert.Contains("announced 16",
            Assert.Throws<InvalidOperationException>(() => (nint)scratch.Allocate(17)).Message);
    }

    [Fact]
    public void A_size_no_machine_has_is_an_error_and_smaller_wishes_still_work()
    {
        using var scratch = new Scratch();
        scratch.Begin(100);
        Assert.Throws<NanoException>(() => scratch.Begin(1L << 50));
        scratch.Begin(64);
        new Span<float>(scratch.Allocate(50), 50).Fill(1);
    }

    [Fact]
    public void Use_after_dispose_throws()
    {
        var scratch = new Scratch();
        scratch.Begin(100);
        scratch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => (nint)scratch.Allocate(1));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 16)]
    [InlineData(16, 16)]
    [InlineData(17, 32)]
    public void Parts_cost_whole_cache_lines(long floats, long expected) =>
        Assert.Equal(expected, Scratch.RoundUp(floats));
}
