namespace Nano;

/// <summary>
/// Element types of a tensor: numbers that are computed with, and ids that only select.
/// </summary>
public enum DType
{
    /// <summary>Numbers to compute with.</summary>
    Float32,

    /// <summary>Ids, which select.</summary>
    Int32,
}

/// <summary>
/// A view of native memory: buffer + offset + shape. No mathematics in here. Its gradient and its
/// lifetime are in Tensor.Gradient.cs. Rows of the innermost dimension are contiguous; rows may be
/// further apart than their length (<see cref="RowStride"/>), which is how q, k and v look into one
/// [B, T, 3C] tensor without a copy.
/// </summary>
public sealed unsafe partial class Tensor : IFormattable
{
    private NativeBuffer? buffer; // a view has none: it looks where its root lies, which may move
    private long offset; // of the first element: in the buffer, or for a view from its root's first element
    private Tensor? parent;

    /// <summary>
    /// An object that is yet to become a tensor of a step, see <see cref="StepTensors"/>.
    /// </summary>
    internal Tensor()
    {
    }

    /// <summary>
    /// A tensor in memory of its own, zeroed; it lives until the garbage collector finds nobody
    /// using it.
    /// </summary>
    public Tensor(Shape shape, DType type = DType.Float32) : this(new NativeBuffer(shape.Length), shape, type)
    {
    }

    private Tensor(NativeBuffer buffer, Shape shape, DType type)
    {
        this.buffer = buffer;
        Describe(shape, shape.Columns, type);
    }

    /// <summary>
    /// A tensor in memory taken from an arena, not cleared. It cannot be used after the arena is
    /// reset.
    /// </summary>
    public Tensor(Arena arena, Shape shape, DType type = DType.Float32) => Allocate(arena, shape, type, shape.Length);

    /// <summary>
    /// Weights [N, K] of a model that only runs, in a layout of their own, a number of words of 32
    /// bits. They have no gradient, and products and lookups alone read them.
    /// </summary>
    internal static Tensor Packed(Arena arena, Shape shape, WeightType type, long words)
    {
        var tensor = new Tensor { PackedAs = type };
        tensor.Allocate(arena, shape, DType.Float32, words);
        tensor.wantsGradient = false;
        return tensor;
    }

    /// <summary>A tensor of the current step, not cleared.</summary>
    internal static Tensor InStep(StepTensors step, Shape shape, DType type = DType.Float32, bool isStatistic = false)
    {
        var tensor = step.Next();
        tensor.Forget();
        (tensor.step, tensor.IsStatistic) = (step, isStatistic);
        tensor.Allocate(step.Arena, shape, type, shape.Length);
        return tensor;
    }

    private void Allocate(Arena from, Shape shape, DType type, long floats)
    {
        (buffer, offset) = from.Allocate(floats);
        (arena, Generation) = (from, from.Generation);
        Describe(shape, shape.Columns, type);
    }

    private void Describe(Shape shape, nint rowStride, DType type)
    {
        (Shape, RowStride, Type) = (shape, rowStride, type);
        wantsGradient = type == DType.Float32;
    }

    /// <summary>Makes this object a new one: nothing of the tensor that it was remains.</summary>
    private void Forget()
    {
        (buffer, offset, parent, step, arena) = (null, 0, null, null, null);
        (Name, Parameter, IsStatistic) = (null, null, false);
        (gradient, gradientIsEmpty, owners, isReleased) = (null, false, 1, false);
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
    public static Tensor FromIds(Shape shape, ReadOnlySpan<int> ids)
    {
        var tensor = new Tensor(shape, DType.Int32);
        if (ids.Length != shape.Length)
            throw new ArgumentException($"{ids.Length} ids do not fill shape {shape}");
        ids.CopyTo(tensor.Ids);
        return tensor;
    }

    /// <summary>Sizes of the dimensions, the outermost first.</summary>
    public Shape Shape { get; private set; }

    /// <summary>Elements from the start of one innermost row to the start of the next.</summary>
    public nint RowStride { get; private set; }

    /// <summary>Type of the elements.</summary>
    public DType Type { get; private set; }

    /// <summary>A name for error messages and files, or null.</summary>
    public string? Name { get; set; }

    /// <summary>The facts about a parameter of a model; null for other tensors.</summary>
    public ParameterFacts? Parameter { get; internal set; }

    /// <summary>True for packed weights.</summary>
    internal bool IsPacked => PackedAs is not null;

    /// <summary>The type of packed weights; null for other tensors.</summary>
    internal WeightType? PackedAs { get; private init; }

    /// <summary>False if infinities or NaN were packed.</summary>
    internal bool IsFinite { get; set; } = true;

    /// <summary>
    /// True for a few numbers that stand for whole rows (a mean, a normaliser); they are always
    /// stored in full precision.
    /// </summary>
    internal bool IsStatistic { get; private set; }

    /// <summary>Number of elements.</summary>
    public long Length => Shape.Length;

    /// <summary>True if the rows follow each other without gaps.</summary>
    public bool IsContiguous => RowStride == Shape.Columns || Shape.Rows <= 1;

    /// <summary>
    /// The elements of a contiguous float tensor. A span does not hold the tensor: keep the tensor
    /// referenced while using it.
    /// </summary>
    public Span<float> Data => new(Contiguous("Data").Pointer, checked((int)Length));

    /// <summary>
    /// The elements of a contiguous id tensor; keep the tensor referenced while using them.
    /// </summary>
    public Span<int> Ids => new(Contiguous("Ids").IdPointer, checked((int)Length));

    /// <summary>The first element.</summary>
    /// <exception cref="InvalidOperationException">This tensor holds no float32, or its memory has
    /// gone back to its arena.</exception>
    internal float* Pointer => Type == DType.Float32 && !IsPacked ? (float*)First : throw Holds("floats");

    internal int* IdPointer => Type == DType.Int32 ? (int*)First : throw Holds("ids");

    /// <summary>The first word of packed weights.</summary>
    internal float* PackedPointer => IsPacked ? (float*)First : throw Holds("packed weights");

    private void* First => IsGone ? throw Gone()
        : parent is null ? buffer!.Pointer + offset
        : (float*)Root.First + offset;

    private InvalidOperationException Holds(string wanted) => new($"tensor {this} holds "
        + (IsPacked ? "packed weights" : Type == DType.Int32 ? "ids" : "floats") + $", not {wanted}");

    /// <summary>The tensor that this is a view of, or this one.</summary>
    internal Tensor Root => parent is null ? this : parent.Root;

    /// <summary>
    /// Elements from the start of <see cref="Root"/> to the first one of this view.
    /// </summary>
    internal long OffsetInRoot => parent is null ? 0 : offset;

    /// <summary>A view of the elements in another shape of equal length.</summary>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Length != Length)
            throw new ArgumentException($"reshape: {Shape} has {Length} elements, {shape} has {shape.Length}");
        return IsContiguous || shape.Columns == Shape.Columns ? View(0, shape, IsContiguous ? shape.Columns : RowStride)
            : throw new ArgumentException(
                $"reshape: {Shape} with row stride {RowStride} cannot become {shape} without a copy");
    }

    /// <summary>Columns [start, start + count) of every innermost row, without a copy.</summary>
    public Tensor SliceColumns(int start, int count)
    {
        if (start < 0 || count < 0 || start > Shape.Columns - count)
            throw new ArgumentException($"slice: columns {start} to {(long)start + count} do not lie in {Shape}");
        return View(start, Shape.WithColumns(count), RowStride);
    }

    /// <summary>
    /// Entries [start, start + count) of the outermost dimension, without a copy.
    /// </summary>
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
        return View(Shape.Rank == 1 ? start : start * rowsPerEntry * RowStride, shape,
            Shape.Rank == 1 ? count : RowStride);
    }

    /// <summary>
    /// A view of a tensor that outlives the step: rows of a contiguous one, from some row on, in
    /// the shape that is given. Only the current step can use it.
    /// </summary>
    internal Tensor RowsInStep(StepTensors step, int start, Shape shape)
    {
        if (shape.Columns != Shape.Columns || start < 0 || start > Contiguous("rows").Shape.Rows - shape.Rows)
            throw new ArgumentException($"rows: {shape} from row {start} on does not lie in {Shape}");
        return View((long)start * RowStride, shape, RowStride, step, step.Arena, step.Arena.Generation);
    }

    private Tensor View(long from, Shape shape, nint rowStride) =>
        View(from, shape, rowStride, step, arena, Generation);

    private Tensor View(long from, Shape shape, nint rowStride, StepTensors? step, Arena? arena, int generation)
    {
        if (IsPacked)
            throw Holds("rows to look into");
        var view = step?.Next() ?? new Tensor();
        view.Forget();
        (view.parent, view.offset) = (this, parent is null ? from : offset + from);
        (view.step, view.arena, view.Generation) = (step, arena, generation);
        view.Describe(shape, rowStride, Type);
        return view;
    }

    /// <summary>
    /// Copies all elements from a tensor of the same shape; rows of either may have gaps between
    /// them.
    /// </summary>
    public void CopyFrom(Tensor source)
    {
        if (source.Shape != Shape)
            throw new ArgumentException($"copy: {source} does not have the shape of {this}");
        Overlap.RefusePartial("copy", this, source);
        for (nint row = 0; row < (nint)Shape.Rows; row++)
            new ReadOnlySpan<float>(source.Pointer + (row * source.RowStride), Shape.Columns)
                .CopyTo(new Span<float>(Pointer + (row * RowStride), Shape.Columns));
        GC.KeepAlive(source);
        GC.KeepAlive(this);
    }

    /// <summary>This tensor, if its rows follow each other without gaps.</summary>
    internal Tensor Contiguous(string user) => IsContiguous ? this
        : throw new ArgumentException(
            $"{user}: a view with gaps between its rows ({this}, row stride {RowStride}) is not supported here");
}
