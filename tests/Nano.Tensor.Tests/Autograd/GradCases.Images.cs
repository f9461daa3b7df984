namespace Nano.Tests;

/// <summary>Convolution and pooling.</summary>
internal static partial class GradCases
{
    private static IEnumerable<GradCase> Images()
    {
        yield return Conv("convolution", new(2, 3, 5, 6), new(4, 3, 3, 2), true, new());
        yield return Conv("convolution, padded with strides", new(1, 2, 7, 6), new(3, 2, 3, 3), true, new(2, 1));
        yield return Conv("convolution, dilated, in groups", new(2, 4, 5, 7), new(6, 2, 2, 3), false,
            new(Dilation: 2, Groups: 2));
        yield return Conv("convolution of single places", new(2, 5, 3, 4), new(3, 5, 1, 1), true, new());
        yield return Conv("convolution of patches", new(2, 3, 4, 6), new(5, 3, 2, 2), true, new(2));
        yield return new("convolution of signals", typeof(ConvOp),
            r => [r.Normal(2, 3, 9), r.Normal(4, 3, 3), r.Normal(4)],
            (c, x) => c.Conv(x[0], x[1], x[2], new ConvOptions(2, 1)),
            x => ImageReference.Conv([.. x[0].Chunk(9).SelectMany(row => (double[])[0, .. row, 0])], x[1], x[2],
                new(2, 3, 1, 11), new(4, 3, 1, 3), new(2)), 4, 6);
        foreach (var kind in Enum.GetValues<PoolKind>())
        {
            yield return Pool($"{kind} of windows", kind, 4, 6, 2, 2);
            yield return Pool($"{kind} of windows that overlap", kind, 5, 7, 3, 2);
            yield return Pool($"{kind} of windows apart", kind, 5, 8, 2, 3);
        }
    }

    private static GradCase Conv(string name, Shape image, Shape kernel, bool bias, ConvOptions options) =>
        new(name, typeof(ConvOp), r =>
        {
            Tensor[] all = [r.Normal(image[0], image[1], image[2], image[3]),
                r.Normal(kernel[0], kernel[1], kernel[2], kernel[3]), r.Normal(kernel[0])];
            return bias ? all : all[..2];
        },
        (c, x) => c.Conv(x[0], x[1], bias ? x[2] : null, options),
        x => ImageReference.Conv(x[0], x[1], bias ? x[2] : null, image, kernel, options), 4, 6);

    private static GradCase Pool(string name, PoolKind kind, int height, int width, int kernel, int stride) =>
        new(name, typeof(PoolOp), r => [r.Normal(2, 3, height, width)],
            (c, x) => c.Pool(kind, x[0], kernel, stride),
            x => ImageReference.Pool(kind, x[0], 6, height, width, kernel, stride), 2, 2);
}
