namespace Nano.Tests;

/// <summary>
/// Elements in other places in double precision, by index arithmetic on lists of sizes: slow and
/// plain.
/// </summary>
internal static class ShapeReference
{
    /// <summary>Every place of some sizes, the last dimension fastest.</summary>
    public static IEnumerable<int[]> Places(int[] sizes)
    {
        int count = sizes.Aggregate(1, (product, size) => product * size);
        for (int i = 0; i < count; i++)
        {
            var place = new int[sizes.Length];
            for (int d = sizes.Length - 1, rest = i; d >= 0; rest /= sizes[d], d--)
                place[d] = rest % sizes[d];
            yield return place;
        }
    }

    /// <summary>The number of an element among those of some sizes.</summary>
    public static int At(int[] sizes, int[] place)
    {
        int at = 0;
        for (int d = 0; d < sizes.Length; d++)
            at = (at * sizes[d]) + place[d];
        return at;
    }

    /// <summary>
    /// f(a, b) over numpy's broadcasting of two lists of sizes, of which the result's are given.
    /// </summary>
    public static double[] Broadcast(double[] a, int[] sizesA, double[] b, int[] sizesB, int[] sizes,
        Func<double, double, double> f) =>
        [.. Places(sizes).Select(place => f(a[Within(sizesA, place)], b[Within(sizesB, place)]))];

    private static int Within(int[] sizes, int[] place) =>
        At(sizes, [.. sizes.Select((size, d) => size == 1 ? 0 : place[place.Length - sizes.Length + d])]);

    /// <summary>Dimension i of the result is dimension order[i] of x.</summary>
    public static double[] Permute(double[] x, int[] sizes, int[] order) =>
        [.. Places([.. order.Select(d => sizes[d])]).Select(place =>
        {
            var from = new int[sizes.Length];
            for (int i = 0; i < order.Length; i++)
                from[order[i]] = place[i];
            return x[At(sizes, from)];
        })];

    /// <summary>
    /// A fold over the elements that differ in some dimensions only, in the order of the rest.
    /// </summary>
    public static double[] Reduce(double[] x, int[] sizes, int[] axes, Func<double[], double> fold) =>
        [.. Places(sizes).GroupBy(place => At(sizes, [.. place.Select((at, d) => axes.Contains(d) ? 0 : at)]))
            .OrderBy(group => group.Key).Select(group => fold([.. group.Select(place => x[At(sizes, place)])]))];

    /// <summary>Entries of a dimension by number.</summary>
    public static double[] Gather(double[] x, int[] sizes, int axis, int[] ids) =>
        [.. Places([.. sizes.Select((size, d) => d == axis ? ids.Length : size)])
            .Select(place => x[At(sizes, [.. place.Select((at, d) => d == axis ? ids[at] : at)])])];

    /// <summary>Entries of a dimension added up at numbered places.</summary>
    public static double[] ScatterAdd(double[] x, int[] sizes, int axis, int[] ids, int size)
    {
        int[] to = [.. sizes.Select((old, d) => d == axis ? size : old)];
        var y = new double[to.Aggregate(1, (product, one) => product * one)];
        foreach (int[] place in Places(sizes))
            y[At(to, [.. place.Select((at, d) => d == axis ? ids[at] : at)])] += x[At(sizes, place)];
        return y;
    }

    /// <summary>Two tensors one after the other along a dimension.</summary>
    public static double[] Concat(double[] a, int[] sizesA, double[] b, int[] sizesB, int axis) =>
        [.. Places([.. sizesA.Select((size, d) => d == axis ? size + sizesB[d] : size)])
            .Select(place => place[axis] < sizesA[axis] ? a[At(sizesA, place)]
                : b[At(sizesB, [.. place.Select((at, d) => d == axis ? at - sizesA[axis] : at)])])];
}
