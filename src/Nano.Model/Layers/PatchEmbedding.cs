namespace Nano;

/// <summary>The sizes of square images and of the square patches that they are cut into.</summary>
/// <param name="Size">Height and width of an image.</param>
/// <param name="Patch">Height and width of a patch.</param>
/// <param name="Colours">Numbers per pixel.</param>
public sealed record ImageSizes(int Size, int Patch, int Colours = 3)
{
    private const int MaxSize = 1 << 14, MaxColours = 1 << 10;

    /// <summary>Patches of an image.</summary>
    public int Patches => Size / Patch * (Size / Patch);

    /// <summary>The error in the sizes, or null.</summary>
    internal string? Problem()
    {
        if (SizeChecks.Problem(("size of images", Size, MaxSize), ("size of patches", Patch, Size),
            ("number of colours", Colours, MaxColours)) is { } problem)
            return problem;
        return Size % Patch == 0 ? null
            : $"images of {Size} pixels cannot be cut into patches of {Patch}; make the size a multiple of the patch";
    }
}

/// <summary>
/// Images as rows: each patch times a matrix, a convolution whose stride is its kernel; a learned
/// row before them, which collects what the image is; learned positions.
/// </summary>
/// <param name="Sizes">The sizes of images.</param>
/// <param name="Weight">[C, colours, P, P].</param>
/// <param name="Bias">[C] or none.</param>
/// <param name="First">C numbers: the row before the patches.</param>
/// <param name="Positions">n + 1 rows of C numbers.</param>
internal sealed record PatchEmbedding(ImageSizes Sizes, Tensor Weight, Tensor? Bias, Tensor First, Tensor Positions)
{
    /// <summary>Images [B, colours, H, W] as rows [B, n + 1, C].</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="images">Their pixels.</param>
    /// <param name="watch">Is shown the rows of the patches.</param>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor Forward(Compute c, Tensor images, Action<string, Tensor>? watch = null)
    {
        var (size, patch, colours) = Sizes;
        if (images.Shape.Rank != 4 || images.Shape != new Shape(images.Shape[0], colours, size, size))
            throw new NanoException($"pixels of shape {images.Shape}; the model reads images "
                + $"[B, {colours}, {size}, {size}]");
        int B = images.Shape[0], C = Weight.Shape[0], side = size / patch;
        var strips = c.Permute(images.Reshape(new Shape(B, colours, side, patch * size)), 0, 2, 1, 3);
        var squares = c.Permute(strips.Reshape(new Shape(B * side, colours * patch, side, patch)), 0, 2, 1, 3);
        var rows = c.Linear(squares.Reshape(new Shape(B, side * side, colours * patch * patch)),
            Weight.Reshape(new Shape(C, colours * patch * patch)), Bias); // [B, n, C]
        watch?.Invoke("patches", rows);
        var first = c.Expand(First.Reshape(new Shape(1, 1, C)), new Shape(B, 1, C));
        return c.Add(c.Concat(1, first, rows), Positions.Reshape(new Shape(Sizes.Patches + 1, C)));
    }
}
