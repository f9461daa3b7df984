namespace Nano;

/// <summary>
/// A recurrent net over whole sequences, x [B, T, I] to y [B, T, H], see <see cref="ICell"/> for the cells. Forwards
/// or backwards in time; rows may be shorter than T, with padding on the right, where the state passes unchanged and
/// the output is 0. So the reverse direction starts at the last token of each row.
/// <para>
/// Forward: a = W x + b_ih of all steps is one product before the loop; a step is b = U h + b_hh, one product of B
/// rows, and one pass over the gates. Backward: a step is one pass over the gates, from dh to da and db, and
/// dh += db U; dx = da W, dW = da^T x, dU = db^T h and the biases' sums over rows follow the loop, once for all steps.
/// </para>
/// Steps from a state have the bits of the whole sequence.
/// </summary>
internal readonly record struct RecurrentOp(CellKind Kind, Tensor X, RecurrentWeights Weights, Tensor? InitialH,
    Tensor? InitialC, Tensor? Lengths, bool Reverse, Tensor Gates, Tensor? Retained, Tensor FinalH, Tensor FinalC,
    Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weights.WantGradients || InitialH is { WantsGradient: true }
        || InitialC is { WantsGradient: true };

    public Work ForwardWork => new($"{Name} forward", 2.0 * Y.Shape.Rows * GateColumns * (X.Shape.Columns + Width),
        Moved.Bytes);

    public Work? BackwardWork => new($"{Name} backward", 4.0 * Y.Shape.Rows * GateColumns * (X.Shape.Columns + Width),
        2 * Moved.Bytes);

    private Work Moved =>
        Work.Of(Name, 0, X, Weights.Input, Weights.Hidden, Weights.InputBias, Weights.HiddenBias, Gates, Y);

    private string Name => Kind switch { CellKind.Lstm => "lstm", CellKind.Gru => "gru", _ => "rnn" };

    private int Width => Y.Shape[2];

    private int GateColumns => Gates.Shape[2];

    internal void Forward(Compute compute)
    {
        switch (Kind)
        {
            case CellKind.Lstm: Forward<LstmCell>(compute); break;
            case CellKind.Gru: Forward<GruCell>(compute); break;
            default: Forward<TanhCell>(compute); break;
        }
    }

    public void Backward(Compute compute)
    {
        switch (Kind)
        {
            case CellKind.Lstm: Backward<LstmCell>(compute); break;
            case CellKind.Gru: Backward<GruCell>(compute); break;
            default: Backward<TanhCell>(compute); break;
        }
    }

    private unsafe void Forward<C>(Compute compute) where C : unmanaged, ICell
    {
        int batch = X.Shape[0], times = X.Shape[1];
        LinearProduct.Forward(compute, batch * times, new(X.Pointer, X.RowStride), Weights.Input,
            new(Gates.Pointer, GateColumns), BiasOf(Weights.InputBias));
        Start(FinalH, InitialH);
        Start(FinalC, InitialC);
        var hidden = compute.New(new Shape(batch, GateColumns));
        for (int step = 0; step < times; step++)
        {
            int time = Reverse ? times - 1 - step : step;
            LinearProduct.Forward(compute, batch, new(FinalH.Pointer, Width), Weights.Hidden,
                new(hidden.Pointer, GateColumns), BiasOf(Weights.HiddenBias));
            compute.For(batch, Compute.RowsPerChunk(GateColumns), 0, new RecurrentStep<C>(Layout(time), Gates.Pointer,
                hidden.Pointer, FinalH.Pointer, FinalC.Pointer, Retained is null ? null : Retained.Pointer, Y.Pointer));
        }
        compute.Release(hidden);
    }

    private unsafe void Backward<C>(Compute compute) where C : unmanaged, ICell
    {
        int batch = X.Shape[0], times = X.Shape[1];
        Tensor dh = compute.New(FinalH.Shape), dc = compute.New(FinalC.Shape);
        Start(dh, FinalH.HasGradient ? FinalH.Gradient : null);
        Start(dc, FinalC.HasGradient ? FinalC.Gradient : null);
        var ofHidden = Kind == CellKind.Gru ? compute.New(Gates.Shape) : Gates; // where da and db differ
        for (int step = times - 1; step >= 0; step--)
        {
            int time = Reverse ? times - 1 - step : step;
            compute.For(batch, Compute.RowsPerChunk(GateColumns), 0, new RecurrentBack<C>(Layout(time), Gates.Pointer,
                ofHidden.Pointer, Retained!.Pointer, Pointer(InitialH), Pointer(InitialC), Y.Pointer,
                Y.Gradient.Pointer, dh.Pointer, dc.Pointer));
            LinearProduct.Run(compute, batch, Width, GateColumns,
                new(ofHidden.Pointer + ((nint)time * GateColumns), (nint)times * GateColumns),
                new(Weights.Hidden.Contiguous("recurrent").Pointer, Width), new(dh.Pointer, Width), accumulate: true);
        }
        PutGradients(compute, ofHidden);
        if (InitialH is { WantsGradient: true })
            compute.Accumulate(dh, InitialH.GradientFor(compute));
        if (InitialC is { WantsGradient: true })
            compute.Accumulate(dc, InitialC.GradientFor(compute));
        compute.Release(dh);
        compute.Release(dc);
        if (ofHidden != Gates)
            compute.Release(ofHidden);
    }

    /// <summary>Gradients of x and of the weights from those of all gates; the gates hold da now.</summary>
    private unsafe void PutGradients(Compute compute, Tensor ofHidden)
    {
        int rows = (int)Y.Shape.Rows, inputs = X.Shape[2];
        if (X.TargetIfWanted(compute) is { Pointer: not null } dx)
            LinearProduct.Run(compute, rows, inputs, GateColumns, new(Gates.Pointer, GateColumns),
                new(Weights.Input.Contiguous("recurrent").Pointer, inputs), new(dx.Pointer, X.RowStride),
                accumulate: dx.Accumulate);
        if (Weights.Input.TargetIfWanted(compute) is { Pointer: not null } dw)
            LinearProduct.Run(compute, GateColumns, inputs, rows, new(Gates.Pointer, 1, GateColumns),
                new(X.Pointer, X.RowStride), new(dw.Pointer, inputs), accumulate: dw.Accumulate);
        if (Weights.Hidden.TargetIfWanted(compute) is { Pointer: not null } du)
        {
            var before = compute.New(Y.Shape);
            compute.For(rows, Compute.RowsPerChunk(Width), 0,
                new StatesBefore(Layout(0), Pointer(InitialH), Y.Pointer, before.Pointer));
            LinearProduct.Run(compute, GateColumns, Width, rows, new(ofHidden.Pointer, 1, GateColumns),
                new(before.Pointer, Width), new(du.Pointer, Width), accumulate: du.Accumulate);
            compute.Release(before);
        }
        if (Weights.InputBias.TargetIfWanted(compute) is { Pointer: not null } ofInput)
            ColumnSums.Run(compute, rows, GateColumns, Gates.Pointer, GateColumns, ofInput);
        if (Weights.HiddenBias.TargetIfWanted(compute) is { Pointer: not null } ofState)
            ColumnSums.Run(compute, rows, GateColumns, ofHidden.Pointer, GateColumns, ofState);
    }

    private unsafe RecurrentLayout Layout(int time) =>
        new(X.Shape[1], Width, time, Reverse, Lengths is null ? null : Lengths.IdPointer);

    private static void Start(Tensor state, Tensor? from)
    {
        if (from is null)
            state.Data.Clear();
        else
            state.CopyFrom(from);
    }

    private static unsafe float* Pointer(Tensor? tensor) => tensor is null ? null : tensor.Pointer;

    private static unsafe float* BiasOf(Tensor? bias) => bias is null ? null : bias.Contiguous("recurrent").Pointer;
}

/// <summary>The weights of a recurrent layer, as PyTorch names them.</summary>
/// <param name="Input">weight_ih [gates H, I].</param>
/// <param name="Hidden">weight_hh [gates H, H].</param>
/// <param name="InputBias">bias_ih [gates H], or null for none.</param>
/// <param name="HiddenBias">bias_hh [gates H], or null for none.</param>
public readonly record struct RecurrentWeights(Tensor Input, Tensor Hidden, Tensor? InputBias = null,
    Tensor? HiddenBias = null)
{
    internal bool WantGradients => Input.WantsGradient || Hidden.WantsGradient
        || InputBias is { WantsGradient: true } || HiddenBias is { WantsGradient: true };
}

/// <summary>Recurrent nets as methods of <see cref="Compute"/>.</summary>
public static class RecurrentExtensions
{
    /// <summary>An LSTM over x [B, T, I]: gates i, f, g, o.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Inputs [B, T, I]; columns of a wider tensor are fine.</param>
    /// <param name="weights">The weights of the layer.</param>
    /// <param name="h">The state before the first step [B, H], or null for zeros.</param>
    /// <param name="c">The memory before it [B, H], or null for zeros.</param>
    /// <param name="lengths">The length of each row (ids [B]), or null for T.</param>
    /// <param name="reverse">True to go from the last token of each row to the first.</param>
    /// <returns>y [B, T, H], and the state and the memory after the last step.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit, or a length is not within T.</exception>
    public static (Tensor Y, Tensor H, Tensor C) Lstm(this Compute compute, Tensor x, in RecurrentWeights weights,
        Tensor? h = null, Tensor? c = null, Tensor? lengths = null, bool reverse = false)
    {
        var op = Run<LstmCell>(compute, CellKind.Lstm, "lstm", x, weights, h, c, lengths, reverse);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.FinalH), FinalStateOp.Of(compute, op.Y, op.FinalC));
    }

    /// <summary>A GRU over x [B, T, I]: gates r, z, n; the parameters and results of <see cref="Lstm"/>.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or a length is not within T.</exception>
    public static (Tensor Y, Tensor H) Gru(this Compute compute, Tensor x, in RecurrentWeights weights,
        Tensor? h = null, Tensor? lengths = null, bool reverse = false)
    {
        var op = Run<GruCell>(compute, CellKind.Gru, "gru", x, weights, h, null, lengths, reverse);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.FinalH));
    }

    /// <summary>
    /// A plain recurrent net with tanh over x [B, T, I]; the parameters and results of <see cref="Lstm"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or a length is not within T.</exception>
    public static (Tensor Y, Tensor H) Rnn(this Compute compute, Tensor x, in RecurrentWeights weights,
        Tensor? h = null, Tensor? lengths = null, bool reverse = false)
    {
        var op = Run<TanhCell>(compute, CellKind.Tanh, "rnn", x, weights, h, null, lengths, reverse);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.FinalH));
    }

    private static RecurrentOp Run<C>(Compute compute, CellKind kind, string name, Tensor x,
        in RecurrentWeights weights, Tensor? h, Tensor? c, Tensor? lengths, bool reverse) where C : unmanaged, ICell
    {
        int width = weights.Hidden.Shape.Rank == 2 ? weights.Hidden.Shape[1] : 0;
        var bias = new Shape(C.Gates * width);
        bool fits = x.Shape.Rank == 3 && weights.Input.Shape == new Shape(C.Gates * width, x.Shape[2])
            && weights.Hidden.Shape == new Shape(C.Gates * width, width)
            && (weights.InputBias is null || weights.InputBias.Shape == bias)
            && (weights.HiddenBias is null || weights.HiddenBias.Shape == bias)
            && (h is null || h.Shape == new Shape(x.Shape[0], width))
            && (c is null || c.Shape == new Shape(x.Shape[0], width))
            && (lengths is null || lengths.Shape == new Shape(x.Shape[0]));
        if (!fits)
            throw new ArgumentException(
                $"{name}: x {x}, weight_ih {weights.Input}, weight_hh {weights.Hidden}, biases "
                + $"{Shown(weights.InputBias)} and {Shown(weights.HiddenBias)}, h {Shown(h)}, c {Shown(c)}, "
                + $"lengths {Shown(lengths)} do not fit; "
                + $"wanted [B, T, I], [{C.Gates} H, I], [{C.Gates} H, H], [{C.Gates} H] twice, [B, H] twice, [B]");
        foreach (int length in lengths is null ? [] : lengths.Ids)
            if (length < 0 || length > x.Shape[1])
                throw new ArgumentException($"{name}: a row of x {x} cannot have the length {length}");
        var states = new Shape(x.Shape[0], width);
        var op = new RecurrentOp(kind, x, weights, h?.Contiguous(name), c?.Contiguous(name), lengths, reverse,
            compute.New(new Shape(x.Shape[0], x.Shape[1], C.Gates * width)),
            compute.Differentiates ? compute.New(new Shape(x.Shape[0], x.Shape[1], width)) : null, compute.New(states),
            compute.New(C.HasMemory ? states : new Shape(0)), compute.New(new Shape(x.Shape[0], x.Shape[1], width)));
        op.Forward(compute);
        compute.Record(op);
        return op;
    }

    private static string Shown(Tensor? tensor) => tensor?.ToString() ?? "none";
}
