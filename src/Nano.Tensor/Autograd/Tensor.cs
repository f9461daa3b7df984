namespace Nano;

/// <summary>Element types of a tensor: numbers that are computed with, and ids that only select.</summary>
public enum DType
{
    /// <summary>Numbers to compute with.</summary>
    Float32,

    /// <summary>Ids, which select.</summary>
    Int32,
}

/// <summary>
/// A view of native memory: buffer + offset + shape, and the gradient that belongs to it. No mathematics in here.
/// Rows of the innermost dimension are contiguous; rows may be further apart than their length (<see cref="RowStride"/>), which is how
/// q, k and v look into one [B, T, 3C] tensor without a copy.
/// </summary>
public sealed unsafe class Tensor
{
    private NativeBuffer? buffer; // a view has none: it looks where its root lies, which may move
    private long offset; // of the first element: in the buffer, or for a view from its root's first element
    private readonly Tensor? parent;
    private readonly Arena? arena;
    private int generation; // of the arena when this was taken from it; Released once its memory has gone back
    private Tensor? gradient;
    private bool gradientIsEmpty;
    private int owners = 1; // how many tensors have this one as their gradient, or 1

    private const int Released = -1;

    private Tensor(NativeBuffer? buffer, long offset, Shape shape, nint rowStride, DType type, Tensor? parent)
    {
        this.buffer = buffer;
        this.offset = offset;
        this.parent = parent;
        (Shape, RowStride, Type) = (shape, rowStride, type);
    }

    /// <summary>A tensor in memory of its own, zeroed; it lives until the garbage collector finds nobody using it.</summary>
    public Tensor(Shape shape, DType type = DType.Float32) : this(new NativeBuffer(shape.Length), 0, shape, shape.Columns, type, null)
    {
    }

    /// <summary>A tensor in memory taken from an arena, not cleared. It cannot be used after the arena is reset.</summary>
    public Tensor(Arena arena, Shape shape, DType type = DType.Float32)
    {
        (buffer, offset) = arena.Take(shape.Length);
        (this.arena, generation) = (arena, arena.Generation);
        (Shape, RowStride, Type) = (shape, shape.Columns, type);
    }

    /// <summary>A tensor of its own memory that holds a copy of these values.</summary>
    public static Tensor From(Shape shape, ReadOnlySpan<float> values)
    {
        var tensor = new Tensor(shape);
        if (values.Length != shape.Length)
            throw new ArgumentException($"{values.Length} values do not fill shape {shape}");
        values.CopyTo(tensor.Data);
        return tensor;
    }

    /// <summary>A tensor of its own memory that holds a copy of these ids.</summary>
    public static Tensor From(Shape shape, ReadOnlySpan<int> ids)
    {
        var tensor = new Tensor(shape, DType.Int32);
        if (ids.Length != shape.Length)
            throw new ArgumentException($"{ids.Length} ids do not fill shape {shape}");
        ids.CopyTo(tensor.Ids);
        return tensor;
    }

    /// <summary>Sizes of the dimensions, the outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>Elements from the start of one innermost row to the start of the next.</summary>
    public nint RowStride { get; }

    /// <summary>Type of the elements.</summary>
    public DType Type { get; }

    /// <summary>A name for error messages and files, or null.</summary>
    public string? Name { get; set; }

    /// <summary>Whether these few numbers (a mean, a normaliser) stand for whole rows: they are never stored with fewer digits.</summary>
    internal bool IsStatistic { get; init; }

    /// <summary>Number of elements.</summary>
    public long Length => Shape.Length;

    /// <summary>Whether the rows follow each other without gaps.</summary>
    public bool IsContiguous => RowStride == Shape.Columns || Shape.Rows <= 1;

    /// <summary>The elements of a contiguous float tensor. A span does not hold the tensor: keep the tensor referenced while using it.</summary>
    public Span<float> Data => new(Contiguous("Data").Pointer, checked((int)Length));

    /// <summary>The elements of a contiguous id tensor; keep the tensor referenced while using them.</summary>
    public Span<int> Ids => new(Contiguous("Ids").IdPointer, checked((int)Length));

    /// <summary>The first element.</summary>
    /// <exception cref="InvalidOperationException">This tensor holds ids, or its memory has gone back to its arena.</exception>
    internal float* Pointer => Type == DType.Float32 ? First : throw new InvalidOperationException($"tensor {this} holds ids, not floats");

    internal int* IdPointer => Type == DType.Int32 ? (int*)First : throw new InvalidOperationException($"tensor {this} holds floats, not ids");

    private float* First => IsGone ? throw Gone() : parent is null ? buffer!.Pointer + offset : Root.buffer!.Pointer + (Root.offset + offset);

    /// <summary>The tensor that this is a view of, or this one.</summary>
    internal Tensor Root => parent is null ? this : parent.Root;

    /// <summary>Elements from the start of <see cref="Root"/> to the first one of this view.</summary>
    internal long OffsetInRoot => parent is null ? 0 : offset;

    private InvalidOperationException Gone() => Root.buffer!.IsClosed ? new ObjectDisposedException(nameof(Tensor), $"the memory of tensor {this} has been freed")
        : new InvalidOperationException(Root.generation == Released ? $"tensor {this} was released: nothing in its step needed it any more (a tape with KeepsAll keeps what a backward pass has used)"
            : $"tensor {this} belongs to a step that has ended");

    /// <summary>The same elements in another shape of equal length.</summary>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Length != Length)
            throw new ArgumentException($"reshape: {Shape} has {Length} elements, {shape} has {shape.Length}");
        return IsContiguous || shape.Columns == Shape.Columns ? View(0, shape, IsContiguous ? shape.Columns : RowStride)
            : throw new ArgumentException($"reshape: {Shape} with row stride {RowStride} cannot become {shape} without a copy");
    }

    /// <summary>Columns [start, start + count) of every innermost row, without a copy.</summary>
    public Tensor SliceColumns(int start, int count)
    {
        if (start < 0 || count < 0 || start > Shape.Columns - count)
            throw new ArgumentException($"slice: columns {start} to {(long)start + count} do not lie in {Shape}");
        return View(start, Shape.WithColumns(count), RowStride);
    }

    /// <summary>Entries [start, start + count) of the outermost dimension, without a copy.</summary>
    public Tensor SliceRows(int start, int count)
    {
        if (Shape.Rank == 0 || start < 0 || count < 0 || start > Shape[0] - count)
            throw new ArgumentException($"slice: rows {start} to {(long)start + count} do not lie in {Shape}");
        var shape = Shape.Rank switch
        {
            1 => new Shape(count),
            2 => new Shape(count, Shape[1]),
            3 => new Shape(count, Shape[1], Shape[2]),
            _ => new Shape(count, Shape[1], Shape[2], Shape[3]),
        };
        long rowsPerEntry = Shape[0] == 0 ? 0 : Shape.Rows / Shape[0];
        return View(Shape.Rank == 1 ? start : start * rowsPerEntry * RowStride, shape, Shape.Rank == 1 ? count : RowStride);
    }

    private Tensor View(long from, Shape shape, nint rowStride) => new(null, parent is null ? from : offset + from, shape, rowStride, Type, this);

    /// <summary>Whether a gradient has been written. A view's gradient is a view of its parent's.</summary>
    public bool HasGradient => HasGradientMemory ? !gradientIsEmpty : parent?.HasGradient ?? false;

    /// <summary>Whether there is memory for a gradient. Memory that an earlier backward pass took from the step's arena is gone when the step is.</summary>
    private bool HasGradientMemory => gradient is { IsGone: false };

    /// <summary>Whether this tensor's memory went back to its arena, or the arena has been reset.</summary>
    internal bool IsGone => arena is not null ? arena.Generation != generation : parent?.IsGone ?? false;

    /// <summary>The gradient of the loss with respect to this tensor, in the same shape.</summary>
    /// <exception cref="InvalidOperationException">None has been computed.</exception>
    public Tensor Gradient => HasGradientMemory && !gradientIsEmpty ? gradient! : (parent is { HasGradient: true } ? ViewOfParentGradient()
        : throw new InvalidOperationException($"tensor {this} has no gradient: was it part of the loss, and was Backward called?"));

    /// <summary>
    /// Gives the memory of this tensor's elements back to the step's arena, for others to use. It can still receive a gradient.
    /// No effect on views, on tensors in other memory, and the second time.
    /// </summary>
    internal void ReleaseValues(Arena step)
    {
        if (arena != step || IsGone || --owners > 0)
            return;
        arena.Give(buffer!, offset, Length);
        generation = Released;
    }

    /// <summary>Takes memory for the elements again after <see cref="ReleaseValues"/>, not cleared. Views look there from now on.</summary>
    internal void TakeAgain()
    {
        (buffer, offset) = arena!.Take(Length);
        (generation, owners) = (arena.Generation, 1);
    }

    /// <summary>Gives back the memory of this tensor and of its gradient, unless that has become another tensor's gradient.</summary>
    internal void Release(Arena step)
    {
        ReleaseValues(step);
        gradient?.ReleaseValues(step);
        gradient = null;
    }

    private Tensor ViewOfParentGradient() => parent!.Gradient.View(parent.parent is null ? offset : offset - parent.offset, Shape, RowStride);

    /// <summary>
    /// The place where an op's backward adds its contribution. The first contribution to a fresh gradient may overwrite (Accumulate is
    /// false), so that gradients need no clearing; a view shares its parent's gradient, which is cleared at the first touch.
    /// </summary>
    internal GradientTarget GradientFor(Compute compute)
    {
        if (parent is not null)
        {
            if (!parent.HasGradient)
            {
                var target = parent.GradientFor(compute);
                if (!target.Accumulate)
                    compute.Clear(target.Pointer, (nint)parent.Length);
            }
            return new GradientTarget(Root.Gradient.Pointer + offset, true);
        }
        bool first = !HasGradientMemory || gradientIsEmpty;
        if (!HasGradientMemory)
            gradient = new Tensor(compute.StepArena, Contiguous("gradient").Shape);
        gradientIsEmpty = false;
        return new GradientTarget(gradient!.Pointer, !first);
    }

    /// <summary>A fresh gradient to begin a backward pass with, not cleared; for a view, its part of a fresh gradient of zeros.</summary>
    internal Tensor StartGradient(Compute compute)
    {
        var root = Root;
        root.SetGradient(new Tensor(compute.StepArena, root.Shape));
        if (root != this)
            root.Gradient.Data.Clear();
        return Gradient;
    }

    /// <summary>Uses a tensor that is no longer needed as this one's gradient, instead of a copy; refused when a gradient exists.</summary>
    internal bool TryAdoptGradient(Tensor from)
    {
        if (parent is not null || HasGradientMemory || !IsContiguous || !from.IsContiguous || from.parent is not null)
            return false;
        from.owners++;
        gradient = from;
        gradientIsEmpty = false;
        return true;
    }

    /// <summary>Gives a tensor its gradient: from now on contributions are added to it.</summary>
    public void SetGradient(Tensor target)
    {
        if (target.Shape != Shape)
            throw new ArgumentException($"gradient of shape {target.Shape} for a tensor of shape {Shape}");
        if (parent is not null)
            throw new InvalidOperationException($"{this} is a view: its gradient is part of its parent's");
        gradient = target.Contiguous("gradient");
        gradientIsEmpty = false;
    }

    /// <summary>Keeps a parameter's gradient memory but forgets its contents: the next contribution overwrites them.</summary>
    public void ForgetGradient() => gradientIsEmpty = true;

    /// <summary>Copies all elements from a tensor of the same shape; rows of either may have gaps between them.</summary>
    public void CopyFrom(Tensor source)
    {
        if (source.Shape != Shape)
            throw new ArgumentException($"copy: {source} does not have the shape of {this}");
        Overlap.RefusePartial("copy", this, source);
        for (nint row = 0; row < (nint)Shape.Rows; row++)
            new ReadOnlySpan<float>(source.Pointer + (row * source.RowStride), Shape.Columns).CopyTo(new Span<float>(Pointer + (row * RowStride), Shape.Columns));
        GC.KeepAlive(source);
        GC.KeepAlive(this);
    }

    /// <summary>This tensor, if its rows follow each other without gaps.</summary>
    internal Tensor Contiguous(string user) => IsContiguous ? this
        : throw new ArgumentException($"{user}: a view with gaps between its rows ({this}, row stride {RowStride}) is not supported here");

    /// <inheritdoc/>
    public override string ToString() => Name is null ? Shape.ToString() : $"{Name} {Shape}";
}
