namespace Nano;

/// <summary>A picture: three bytes, red, green and blue, for each pixel, row by row from the top.</summary>
public sealed class Picture
{
    /// <summary>The largest width or height.</summary>
    public const int MaxSide = 1 << 14;

    /// <summary>Numbers per pixel.</summary>
    public const int Colours = 3;

    /// <summary>A picture of pixels.</summary>
    /// <param name="width">W.</param>
    /// <param name="height">H.</param>
    /// <param name="pixels">[H, W, 3].</param>
    /// <exception cref="ArgumentException">The sizes are not from 1 to <see cref="MaxSide"/>, or the pixels are
    /// fewer or more.</exception>
    public Picture(int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide || pixels.Length != (long)width * height * Colours)
            throw new ArgumentException(
                $"{pixels.Length} bytes are no picture of {width} x {height} pixels, 3 bytes each, 1 to {MaxSide} in "
                + "each direction");
        (Width, Height, Pixels) = (width, height, pixels);
    }

    /// <summary>W, pixels of a row.</summary>
    public int Width { get; }

    /// <summary>H, number of rows.</summary>
    public int Height { get; }

    /// <summary>The pixels, [H, W, 3].</summary>
    public IReadOnlyList<byte> Bytes => Pixels;

    /// <summary>The pixels as they lie in memory.</summary>
    internal byte[] Pixels { get; }

    /// <summary>
    /// Reads a PNG, a JPEG, a BMP or a PPM (P6). Transparency is left out, grey becomes three equal colours; a
    /// camera's note of how it was held is not followed.
    /// </summary>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is not such a picture, is damaged, or is larger than <see cref="MaxSide"/>
    /// in a direction.</exception>
    public static Picture Read(string path) => PictureFile.Read(path);

    /// <summary>
    /// The picture in another size, as Pillow computes it: first along rows, then along columns, each to bytes. The
    /// filter is widened where a side becomes smaller, so that every pixel counts.
    /// </summary>
    /// <exception cref="ArgumentException">A size is not from 1 to <see cref="MaxSide"/>.</exception>
    public Picture Resize(int width, int height, PictureFilter filter) =>
        PictureScaling.Resized(this, width, height, filter);

    /// <summary>The middle of the picture; of an odd rest the smaller half lies before it.</summary>
    /// <exception cref="ArgumentException">The part is larger than the picture.</exception>
    public Picture CropCentre(int width, int height)
    {
        if (width is < 1 || width > Width || height is < 1 || height > Height)
            throw new ArgumentException($"{width} x {height} pixels are no part of {Width} x {Height}");
        int left = (Width - width) / 2, top = (Height - height) / 2;
        byte[] part = new byte[width * height * Colours];
        for (int y = 0; y < height; y++)
            Pixels.AsSpan((((top + y) * Width) + left) * Colours, width * Colours)
                .CopyTo(part.AsSpan(y * width * Colours));
        return new(width, height, part);
    }
}

/// <summary>The weight of a pixel by its distance from the place that is computed.</summary>
public enum PictureFilter
{
    /// <summary>The pixel there alone.</summary>
    Nearest,

    /// <summary>A triangle.</summary>
    Bilinear,

    /// <summary>Keys's cubic with a = -1/2.</summary>
    Bicubic,
}
