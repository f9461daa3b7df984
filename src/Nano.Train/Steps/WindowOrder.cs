using System.Numerics;

namespace Nano;

/// <summary>
/// A pseudo-random order of N things without a list of them: the place of each is a pure function
/// of (seed, epoch, index). A balanced Feistel network (Luby and Rackoff, 1988) with Philox as its
/// round function permutes the numbers below a power of four that is at least N; a number that
/// comes out as N or more is put in again until it does not (cycle walking; Black and Rogaway,
/// 2002), less than four times on average.
/// </summary>
public sealed class WindowOrder
{
    private const int Rounds = 8;

    private readonly ulong key, mask;
    private readonly int half;

    /// <param name="seed">Of the run.</param>
    /// <param name="count">N, at least 1 and at most 2^62.</param>
    public WindowOrder(ulong seed, long count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1L << 62);
        (key, Count) = (Philox.Key(seed, (ulong)RandomPurpose.EpochOrder), count);
        half = Math.Max(1, (65 - BitOperations.LeadingZeroCount((ulong)(count - 1))) / 2);
        mask = (1UL << half) - 1;
    }

    /// <summary>N.</summary>
    public long Count { get; }

    /// <summary>
    /// The window at a place, counted over all epochs; each N places hold every one of the N
    /// windows once.
    /// </summary>
    public long this[long place]
    {
        get
        {
            var (epoch, index) = Math.DivRem(place, Count);
            ulong at = (ulong)index;
            do
                at = Permute(at, (ulong)epoch);
            while (at >= (ulong)Count);
            return (long)at;
        }
    }

    private ulong Permute(ulong at, ulong epoch)
    {
        ulong left = at >> half, right = at & mask;
        for (ulong round = 0; round < Rounds; round++)
        {
            var (a, b, _, _) = Philox.Draw(key, (epoch * Rounds) + round, right);
            (left, right) = (right, left ^ ((((ulong)a << 32) | b) & mask));
        }
        return (left << half) | right;
    }
}
