namespace Nano;

/// <summary>
/// Convolution as neural nets have it (cross-correlation) in one or two dimensions: y[o, p] = b[o] + the sum over the
/// channels c of o's group and the taps k of w[o, c, k] x[c, stride p + dilation k - padding], zero outside.
/// <para>
/// Each image and group is one product: y = W col, where row (c, k) of col has what tap k of channel c reads at every
/// place. With one tap at stride 1, col is x itself. Backward: dW = dy col^T, continued over the images in order;
/// dcol = W^T dy, and dx at a place is the sum of dcol over the taps that read it, in their order; db = sums of dy.
/// </para>
/// </summary>
internal readonly record struct ConvOp(Tensor X, Tensor Weight, Tensor? Bias, ConvOptions Options, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient || Bias is { WantsGradient: true };

    public Work ForwardWork => Work.Of("conv forward", 2.0 * Depth * Y.Length, X, Weight, Bias, Y);

    public Work? BackwardWork => Work.Of("conv backward",
        2.0 * Depth * Y.Length * ((X.WantsGradient ? 1 : 0) + (Weight.WantsGradient ? 1 : 0)), X, Weight, Y,
        Work.GradientOf(X), Work.GradientOf(Weight));

    private WindowSizes Sizes => SizesOf(X, Weight, Options);

    private int Inputs => Weight.Shape[1];

    private int Outputs => Weight.Shape[0] / Options.Groups;

    /// <summary>Inputs of each output.</summary>
    private int Depth => Inputs * Sizes.Taps;

    private bool ColumnsAreX => Sizes is { Taps: 1 } && Options is { Stride: 1, Padding: 0 };

    internal static WindowSizes SizesOf(Tensor x, Tensor weight, ConvOptions options) =>
        WindowSizes.Of(x.Shape, weight.Shape.Rank == 3 ? 1 : weight.Shape[2], weight.Shape[-1], options);

    internal unsafe void Forward(Compute compute)
    {
        var sizes = Sizes;
        var columns = compute.New(new Shape(ColumnsAreX ? 0 : Depth, sizes.Places));
        compute.For(Y.Shape[0] * (nint)Weight.Shape[0], Compute.RowsPerChunk(sizes.Places), 0,
            new BiasPlanes(Weight.Shape[0], sizes.Places, Bias is null ? null : Bias.Contiguous("conv").Pointer,
                Y.Pointer));
        for (int i = 0; i < X.Shape[0] * Options.Groups; i++)
            Gemm.Run(compute, Outputs, sizes.Places, Depth, WeightsOf(i),
                new(Columns(compute, i, columns), sizes.Places),
                new(Y.Pointer + (i * (nint)Outputs * sizes.Places), sizes.Places), accumulate: true);
        compute.Release(columns);
    }

    public unsafe void Backward(Compute compute)
    {
        var sizes = Sizes;
        var (dx, dw) = (X.TargetIfWanted(compute), Weight.TargetIfWanted(compute));
        if (dw is { Pointer: not null, Accumulate: false })
            compute.Clear(dw.Pointer, (nint)Weight.Length);
        var columns = compute.New(new Shape(Depth, sizes.Places));
        for (int i = 0; i < X.Shape[0] * Options.Groups; i++)
        {
            float* dy = Y.Gradient.Pointer + (i * (nint)Outputs * sizes.Places);
            if (dw.Pointer != null)
                Gemm.Run(compute, Outputs, Depth, sizes.Places, new(dy, sizes.Places),
                    new Matrix(Columns(compute, i, columns), sizes.Places).Transposed,
                    new(dw.Pointer + (i % Options.Groups * (nint)Outputs * Depth), Depth), accumulate: true);
            if (dx.Pointer == null)
                continue;
            Gemm.Run(compute, Depth, sizes.Places, Outputs, WeightsOf(i).Transposed, new(dy, sizes.Places),
                new(columns.Pointer, sizes.Places));
            compute.For((nint)Inputs * sizes.Height, Compute.RowsPerChunk(sizes.Width), 0,
                new FoldColumns(sizes, columns.Pointer, dx.At(i * (nint)Inputs * sizes.Plane)));
        }
        compute.Release(columns);
        if (Bias.TargetIfWanted(compute) is { Pointer: not null } db)
            compute.For(Weight.Shape[0], 1, 0,
                new PlaneSums(Y.Shape[0], Weight.Shape[0], sizes.Places, Y.Gradient.Pointer, db));
    }

    /// <summary>The weights of the group of item i.</summary>
    private unsafe Matrix WeightsOf(int i) =>
        new(Weight.Contiguous("conv").Pointer + (i % Options.Groups * (nint)Outputs * Depth), Depth);

    /// <summary>The numbers that the taps of an image and group read, [channels taps, places].</summary>
    private unsafe float* Columns(Compute compute, int i, Tensor columns)
    {
        var sizes = Sizes;
        float* x = X.Contiguous("conv").Pointer + (i * (nint)Inputs * sizes.Plane);
        if (ColumnsAreX)
            return x;
        compute.For(Depth, Compute.RowsPerChunk(sizes.Places), 0, new UnfoldColumns(sizes, x, columns.Pointer));
        return columns.Pointer;
    }

    /// <summary>The bias of each channel at all places, or zeros.</summary>
    private readonly unsafe struct BiasPlanes(int channels, int places, float* bias, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint plane = begin; plane < end; plane++)
                new Span<float>(y + (plane * places), places).Fill(bias == null ? 0 : bias[plane % channels]);
        }
    }

    /// <summary>db[o] += the sums of the planes of channel o, image after image.</summary>
    private readonly unsafe struct PlaneSums(int images, int channels, int places, float* dy, GradientTarget db)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            db.Begin(begin, end);
            for (nint channel = begin; channel < end; channel++)
                for (nint image = 0; image < images; image++)
                    db.Pointer[channel] += RowReduce.Sum<S, V, PlainTerm>(places,
                        new PlainTerm(dy + (((image * channels) + channel) * places)));
        }
    }

    /// <summary>Rows of what each tap reads (im2col).</summary>
    private readonly unsafe struct UnfoldColumns(WindowSizes sizes, float* x, float* columns) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            int stride = sizes.Options.Stride;
            for (nint row = begin; row < end; row++)
            {
                var (top, left) = sizes.First((int)(row % sizes.Taps));
                float* plane = x + (row / sizes.Taps * sizes.Plane), to = columns + (row * sizes.Places);
                for (int r = 0; r < sizes.OutputHeight; r++, to += sizes.OutputWidth)
                {
                    int from = top + (r * stride);
                    if (from < 0 || from >= sizes.Height)
                        new Span<float>(to, sizes.OutputWidth).Clear();
                    else
                        for (int c = 0, at = left; c < sizes.OutputWidth; c++, at += stride)
                            to[c] = at >= 0 && at < sizes.Width ? plane[((nint)from * sizes.Width) + at] : 0;
                }
            }
        }
    }

    /// <summary>
    /// Each place of x gathers from the taps that read it, in their order (col2im); an item is a row.
    /// </summary>
    private readonly unsafe struct FoldColumns(WindowSizes sizes, float* columns, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            int stride = sizes.Options.Stride;
            for (nint item = begin; item < end; item++)
            {
                nint channel = item / sizes.Height, row = item % sizes.Height;
                var target = dx.At(item * sizes.Width);
                target.Begin(0, sizes.Width);
                for (int tap = 0; tap < sizes.Taps; tap++)
                {
                    var (top, left) = sizes.First(tap);
                    nint window = sizes.IsFlat ? 0 : (row - top) / stride;
                    if (!sizes.IsFlat && (row < top || (row - top) % stride != 0 || window >= sizes.OutputHeight))
                        continue;
                    float* from = columns + ((((channel * sizes.Taps) + tap) * sizes.Places)
                        + (window * sizes.OutputWidth));
                    for (int c = 0, at = left; c < sizes.OutputWidth; c++, at += stride)
                        if (at >= 0 && at < sizes.Width)
                            target.Pointer[at] += from[c];
                }
            }
        }
    }
}

/// <summary>Convolution as a method of <see cref="Compute"/>.</summary>
public static class ConvExtensions
{
    /// <summary>Convolution (cross-correlation) of signals [B, C, L] or images [B, C, H, W].</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Signals or images.</param>
    /// <param name="weight">[O, C / groups, K] or [O, C / groups, KH, KW].</param>
    /// <param name="bias">[O], or null for none.</param>
    /// <param name="options">Stride, padding, dilation and groups.</param>
    /// <returns>[B, O, places] or [B, O, rows, columns].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor Conv(this Compute compute, Tensor x, Tensor weight, Tensor? bias = null,
        ConvOptions? options = null)
    {
        var o = options ?? new ConvOptions();
        bool fits = x.Shape.Rank is 3 or 4 && weight.Shape.Rank == x.Shape.Rank && weight.Shape[-1] > 0
            && (weight.Shape.Rank == 3 || weight.Shape[2] > 0) && o.Stride > 0 && o.Padding >= 0
            && o.Dilation > 0 && o.Groups > 0 && weight.Shape[0] % o.Groups == 0
            && x.Shape[1] == (long)weight.Shape[1] * o.Groups
            && (bias is null || bias.Shape == new Shape(weight.Shape[0]));
        if (!fits)
            throw new ArgumentException(
                $"conv: x {x}, weight {weight}, bias {bias?.ToString() ?? "none"} with stride {o.Stride}, padding "
                + $"{o.Padding}, dilation {o.Dilation}, {o.Groups} groups do not fit; wanted [B, C, ..], "
                + "[O, C / groups, ..], [O]");
        var sizes = ConvOp.SizesOf(x, weight, o);
        var op = new ConvOp(x, weight, bias, o, compute.New(sizes.Output(x.Shape, weight.Shape[0])));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }
}
