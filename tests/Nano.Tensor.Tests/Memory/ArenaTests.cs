using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public sealed class ArenaTests
{
    [Fact]
    public void Parts_are_aligned_and_never_overlap()
    {
        var sizes = Gen.Choose(0, 700).ListOf().ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(sizes, list =>
        {
            using var arena = new Arena(chunkFloats: 1000);
            for (int round = 0; round < 3; round++)
            {
                CheckParts(arena, [.. list]);
                arena.Reset();
            }
        }));
    }

    [Fact]
    public void Reset_merges_the_chunks_and_the_next_round_allocates_nothing()
    {
        using var arena = new Arena(chunkFloats: 100);
        int[] sizes = [90, 90, 250, 10, 33, 99, 1];
        CheckParts(arena, sizes);
        arena.Reset();
        var first = arena.Allocate(1);
        long reserved = arena.ReservedBytes;
        for (int round = 0; round < 10; round++)
        {
            arena.Reset();
            CheckParts(arena, sizes);
            arena.Reset();
            var again = arena.Allocate(1);
            Assert.Same(first.Buffer, again.Buffer);
            Assert.Equal(first.Offset, again.Offset);
            Assert.Equal(reserved, arena.ReservedBytes);
        }
    }

    [Fact]
    public void A_part_larger_than_a_chunk_gets_one_of_its_size()
    {
        using var arena = new Arena(chunkFloats: 64);
        Assert.Equal(0, arena.ReservedBytes);
        var (buffer, offset) = arena.Allocate(1000);
        Assert.True(buffer.Length - offset >= 1000);
    }

    [Fact]
    public void Dispose_frees_the_memory_and_the_arena_can_start_again()
    {
        var arena = new Arena(chunkFloats: 64);
        var (buffer, _) = arena.Allocate(10);
        arena.Dispose();
        Assert.True(buffer.IsClosed);
        Assert.Equal(0, arena.ReservedBytes);
        Assert.False(arena.Allocate(10).Buffer.IsClosed);
        arena.Dispose();
    }

    [Fact]
    public void A_tensor_of_a_disposed_arena_cannot_be_read()
    {
        var arena = new Arena(chunkFloats: 64);
        var tensor = new Tensor(arena, new Shape(3));
        arena.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.Data.Length);
    }

    [Theory]
    [InlineData(1L << 50)]
    [InlineData(long.MaxValue)]
    public void A_size_no_machine_has_is_an_error_and_the_arena_goes_on(long floats)
    {
        using var arena = new Arena(chunkFloats: 64);
        CheckParts(arena, [10]);
        Assert.Throws<NanoException>(() => arena.Allocate(floats));
        CheckParts(arena, [100, 3]);
    }

    [Fact]
    public void A_negative_size_is_refused()
    {
        using var arena = new Arena();
        Assert.Throws<ArgumentOutOfRangeException>(() => arena.Allocate(-100));
    }

    [Fact]
    public void Empty_tensors_take_no_room()
    {
        using var arena = new Arena(chunkFloats: 64);
        Tensor a = new(arena, new Shape(0, 5)), b = new(arena, new Shape(2)), c = new(arena, new Shape(3, 0));
        Assert.Equal(0, a.Data.Length + c.Data.Length);
        Assert.Equal(2, b.Data.Length);
    }

    [Fact]
    public unsafe void Parts_that_are_given_back_are_used_again_and_never_twice()
    {
        var actions = Gen.Choose(-40, 700).ListOf().ToArbitrary();
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(actions, list =>
        {
            using var arena = new Arena(chunkFloats: 1000);
            for (int round = 0; round < 3; round++)
            {
                var held = new List<(NativeBuffer Buffer, long Offset, int Length, float Mark)>();
                float mark = 0;
                long inUse = 0, most = 0;
                foreach (int action in list)
                {
                    if (action >= 0)
                    {
                        var (buffer, offset) = arena.Allocate(action);
                        new Span<float>(buffer.Pointer + offset, action).Fill(++mark);
                        held.Add((buffer, offset, action, mark));
                        most = Math.Max(most, inUse += Rounded(action));
                    }
                    else if (held.Count > 0)
                    {
                        var part = held[-action % held.Count];
                        held.Remove(part);
                        Assert.True(new ReadOnlySpan<float>(part.Buffer.Pointer + part.Offset, part.Length)
                            .IndexOfAnyExcept(part.Mark) < 0, "a part in use was overwritten");
                        arena.Return(part.Buffer, part.Offset, part.Length);
                        inUse -= Rounded(part.Length);
                    }
                }
                Assert.Equal(4 * most, arena.PeakBytes); // every round does the same
                Assert.InRange(arena.TouchedBytes, arena.PeakBytes, arena.ReservedBytes);
                arena.Reset();
            }
        }));
    }

    private static long Rounded(long floats) => (floats + 15) / 16 * 16;

    [Fact]
    public void What_was_given_back_is_one_place_again_and_taken_from_the_bottom()
    {
        using var arena = new Arena(chunkFloats: 1000);
        var parts = Enumerable.Range(0, 4).Select(_ => arena.Allocate(200)).ToArray();
        foreach (int i in new[] { 2, 0, 1 }) // the middle one last: three holes become one
            arena.Return(parts[i].Buffer, parts[i].Offset, 200);
        Assert.Equal(parts[0], arena.Allocate(600));
        Assert.Equal(4 * 208, arena.Allocate(100).Offset); // 16 floats are left below
        Assert.Equal(4000, arena.ReservedBytes);
        Assert.Equal(4 * (208 + 608 + 112), arena.PeakBytes);
        Assert.Equal(4 * ((4 * 208) + 112), arena.TouchedBytes);
    }

    [Fact]
    public void What_is_not_in_use_cannot_be_given_back()
    {
        using Arena arena = new(chunkFloats: 1000), other = new();
        var (buffer, offset) = arena.Allocate(100);
        arena.Allocate(50);
        arena.Return(buffer, offset, 100);
        Assert.Throws<InvalidOperationException>(() => arena.Return(buffer, offset, 100));
        Assert.Throws<InvalidOperationException>(() => arena.Return(buffer, offset + 160, 1000));
        Assert.Throws<InvalidOperationException>(() => arena.Return(other.Allocate(10).Buffer, 0, 10));
    }

    [Fact]
    public void Large_parts_leave_no_room_unused_behind_them()
    {
        using var arena = new Arena(chunkFloats: 1000);
        foreach (int size in new[] { 100, 5000, 100, 70_000, 100, 10_000 })
            arena.Allocate(size);
        // 5,000 and 10,000 share the second, 70,000 has the third, the rest the first
        Assert.Equal(4 * (1000 + 16_000 + 70_000), arena.ReservedBytes);
        Assert.Equal(4 * (336 + 15_008 + 70_000), arena.TouchedBytes);
    }

    private static unsafe void CheckParts(Arena arena, int[] sizes)
    {
        var parts = sizes.Select(size => arena.Allocate(size)).ToArray();
        for (int i = 0; i < parts.Length; i++)
        {
            var (buffer, offset) = parts[i];
            Assert.Equal(0, (nint)(buffer.Pointer + offset) % NativeBuffer.Alignment);
            Assert.InRange(offset + sizes[i], 0, buffer.Length);
            new Span<float>(buffer.Pointer + offset, sizes[i]).Fill(i);
        }
        for (int i = 0; i < parts.Length; i++)
            Assert.True(new ReadOnlySpan<float>(parts[i].Buffer.Pointer + parts[i].Offset, sizes[i])
                .IndexOfAnyExcept((float)i) < 0, $"part {i} was overwritten");
    }
}
