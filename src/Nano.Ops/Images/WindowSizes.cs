namespace Nano;

/// <summary>The windows of a convolution.</summary>
/// <param name="Stride">Places from one window to the next.</param>
/// <param name="Padding">Zeros on each side.</param>
/// <param name="Dilation">Places from one tap to the next.</param>
/// <param name="Groups">Parts that channels are cut into; each output reads one part of the inputs.</param>
public readonly record struct ConvOptions(int Stride = 1, int Padding = 0, int Dilation = 1, int Groups = 1)
{
    /// <summary>Stride 1, no padding, no dilation, one group.</summary>
    public ConvOptions() : this(1)
    {
    }
}

/// <summary>
/// Sizes of windows over planes of H x W places; a signal of one dimension has planes of height 1.
/// </summary>
internal readonly record struct WindowSizes(int Height, int Width, int KernelHeight, int KernelWidth,
    ConvOptions Options, bool IsFlat)
{
    public int Taps => KernelHeight * KernelWidth;

    public int OutputHeight => IsFlat ? 1 : Windows(Height, KernelHeight);

    public int OutputWidth => Windows(Width, KernelWidth);

    /// <summary>Windows of a plane.</summary>
    public int Places => OutputHeight * OutputWidth;

    public int Plane => Height * Width;

    /// <summary>The first place that a tap reads; further windows read a stride further on each.</summary>
    public (int Row, int Column) First(int tap) => (
        IsFlat ? 0 : (tap / KernelWidth * Options.Dilation) - Options.Padding,
        (tap % KernelWidth * Options.Dilation) - Options.Padding);

    private int Windows(int size, int kernel) =>
        Math.Max(0, size + (2 * Options.Padding) - (Options.Dilation * (kernel - 1)) - 1 + Options.Stride)
        / Options.Stride;

    /// <summary>The sizes for x [.., C, W] or [.., C, H, W] and a kernel's last dimensions.</summary>
    public static WindowSizes Of(Shape x, int kernelHeight, int kernelWidth, ConvOptions options) =>
        new(x.Rank == 3 ? 1 : x[2], x[-1], kernelHeight, kernelWidth, options, x.Rank == 3);

    /// <summary>The shape of an output with some channels.</summary>
    public Shape Output(Shape x, int channels) => IsFlat ? new Shape(x[0], channels, OutputWidth)
        : new Shape(x[0], channels, OutputHeight, OutputWidth);
}
