namespace Nano;

/// <summary>
/// Pictures in other sizes, to the byte as Pillow has them (pillow.readthedocs.io, "Filters"): weights of a place are
/// those of the filter at the distances of pixels' middles, add up to 1, and are whole numbers of 2^-22.
/// </summary>
internal static class PictureScaling
{
    private const int WeightBits = 22;

    /// <summary>The pixels that make a place, and their weights.</summary>
    private readonly record struct Taps(int First, int[] Weights);

    public static Picture Resized(Picture picture, int width, int height, PictureFilter filter)
    {
        if (width is < 1 or > Picture.MaxSide || height is < 1 or > Picture.MaxSide)
            throw new ArgumentException($"no picture has {width} x {height} pixels; 1 to {Picture.MaxSide} a side");
        var rows = width == picture.Width ? picture : AlongRows(picture, width, filter);
        return height == rows.Height ? rows : AlongColumns(rows, height, filter);
    }

    private static Picture AlongRows(Picture from, int width, PictureFilter filter)
    {
        Taps[] taps = TapsOf(from.Width, width, filter);
        byte[] to = new byte[width * from.Height * Picture.Colours];
        for (int y = 0; y < from.Height; y++)
            for (int x = 0; x < width; x++)
                for (int colour = 0; colour < Picture.Colours; colour++)
                    to[(((y * width) + x) * Picture.Colours) + colour] = Weighed(from.Pixels,
                        (((y * from.Width) + taps[x].First) * Picture.Colours) + colour, Picture.Colours,
                        taps[x].Weights);
        return new(width, from.Height, to);
    }

    private static Picture AlongColumns(Picture from, int height, PictureFilter filter)
    {
        Taps[] taps = TapsOf(from.Height, height, filter);
        int row = from.Width * Picture.Colours;
        byte[] to = new byte[row * height];
        for (int y = 0; y < height; y++)
            for (int i = 0; i < row; i++)
                to[(y * row) + i] = Weighed(from.Pixels, (taps[y].First * row) + i, row, taps[y].Weights);
        return new(from.Width, height, to);
    }

    private static byte Weighed(byte[] pixels, int at, int step, int[] weights)
    {
        int sum = 1 << (WeightBits - 1);
        foreach (int weight in weights)
        {
            sum += pixels[at] * weight;
            at += step;
        }
        return (byte)Math.Clamp(sum >> WeightBits, 0, byte.MaxValue);
    }

    private static Taps[] TapsOf(int from, int to, PictureFilter filter)
    {
        double scale = (double)from / to, wide = Math.Max(scale, 1),
            reach = (filter == PictureFilter.Bicubic ? 2 : 1) * wide;
        var taps = new Taps[to];
        for (int i = 0; i < to; i++)
        {
            double middle = (i + 0.5) * scale;
            if (filter == PictureFilter.Nearest)
            {
                taps[i] = new((int)middle, [1 << WeightBits]);
                continue;
            }
            int first = Math.Max(0, (int)(middle - reach + 0.5)), end = Math.Min(from, (int)(middle + reach + 0.5));
            double[] weights = [.. Enumerable.Range(first, end - first)
                .Select(pixel => Weight(filter, (pixel - middle + 0.5) / wide))];
            double sum = weights.Sum();
            taps[i] = new(first, Array.ConvertAll(weights, weight =>
                (int)Math.Round(weight / sum * (1 << WeightBits), MidpointRounding.AwayFromZero)));
        }
        return taps;
    }

    private static double Weight(PictureFilter filter, double distance)
    {
        double x = Math.Abs(distance);
        return filter == PictureFilter.Bilinear ? Math.Max(0, 1 - x)
            : x < 1 ? (((1.5 * x) - 2.5) * x * x) + 1
            : x < 2 ? (((((-0.5 * x) + 2.5) * x) - 4) * x) + 2 : 0;
    }
}
