namespace Nano.Tests;

/// <summary>Convolution and pooling in double precision and in the plainest loops.</summary>
internal static class ImageReference
{
    /// <summary>y [B, O, rows, columns] of x [B, C, H, W] and w [O, C / groups, KH, KW].</summary>
    public static double[] Conv(double[] x, double[] w, double[]? b, Shape image, Shape kernel, ConvOptions options)
    {
        int groups = options.Groups, outputs = kernel[0] / groups,
            rows = Windows(image[2], kernel[2], options), columns = Windows(image[3], kernel[3], options);
        var y = new List<double>();
        for (int i = 0; i < image[0]; i++)
            for (int o = 0; o < kernel[0]; o++)
                for (int r = 0; r < rows; r++)
                    for (int column = 0; column < columns; column++)
                    {
                        double sum = b is null ? 0 : b[o];
                        for (int c = 0; c < kernel[1]; c++)
                            for (int k = 0; k < kernel[2] * kernel[3]; k++)
                            {
                                int at = (r * options.Stride) + (k / kernel[3] * options.Dilation) - options.Padding,
                                    left = (column * options.Stride) + (k % kernel[3] * options.Dilation)
                                        - options.Padding,
                                    plane = (i * image[1]) + (o / outputs * kernel[1]) + c;
                                if (at >= 0 && at < image[2] && left >= 0 && left < image[3])
                                    sum += w[(((o * kernel[1]) + c) * kernel[2] * kernel[3]) + k]
                                        * x[(((plane * image[2]) + at) * image[3]) + left];
                            }
                        y.Add(sum);
                    }
        return [.. y];
    }

    /// <summary>y [planes, rows, columns] of x [planes, H, W].</summary>
    public static double[] Pool(PoolKind kind, double[] x, int planes, int height, int width, int kernel, int stride)
    {
        var y = new List<double>();
        for (int plane = 0; plane < planes; plane++)
            for (int r = 0; r + kernel <= height; r += stride)
                for (int c = 0; c + kernel <= width; c += stride)
                {
                    var window = Enumerable.Range(0, kernel * kernel)
                        .Select(k => x[(((plane * height) + r + (k / kernel)) * width) + c + (k % kernel)]);
                    y.Add(kind == PoolKind.Max ? window.Max() : window.Average());
                }
        return [.. y];
    }

    private static int Windows(int size, int kernel, ConvOptions options) =>
        ((size + (2 * options.Padding) - (options.Dilation * (kernel - 1)) - 1) / options.Stride) + 1;
}
