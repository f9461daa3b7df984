namespace Nano;

/// <summary>The form in which the inside of a block is retained for the backward pass.</summary>
public enum Keep
{
    /// <summary>As it was computed.</summary>
    All,

    /// <summary>
    /// Rounded to bfloat16, in half the memory, see <see cref="BFloat16StorageExtensions"/>: changes gradients a little
    /// and the loss not at all.
    /// </summary>
    BFloat16,

    /// <summary>
    /// Not at all: each block is recomputed in the backward pass, see
    /// <see cref="CheckpointExtensions"/>.
    /// </summary>
    Nothing,
}

/// <summary>
/// One run through a model, besides its ids. Whatever changes while a model runs is here or in the compute, so that the
/// model is read-only and threads can share it, each with a pass, a compute and a cache of its own.
/// </summary>
public sealed record Pass
{
    /// <summary>
    /// Keys and values of the positions before, which the run extends: row b of ids continues the
    /// b-th selected row.
    /// </summary>
    public KvCache? Cache { get; init; }

    /// <summary>
    /// The documents in ids, which see nothing of each other, each at most as long as the context; null if each row is
    /// one. Not with a cache.
    /// </summary>
    public Segments? Segments { get; init; }

    /// <summary>Dropout masks while training; null for none.</summary>
    public Dropout? Masks { get; init; }

    /// <summary>
    /// The form in which blocks are retained for the backward pass, if there is a tape.
    /// </summary>
    public Keep Keep { get; init; }

    /// <summary>
    /// Is shown the residual stream and other tensors by name: embed, block0 ..., final_norm,
    /// logits. They may have been released when it returns.
    /// </summary>
    public Action<string, Tensor>? Watch { get; init; }

    /// <summary>Rotary angles of the run's positions, computed once at its start by models that rotate.</summary>
    public RopeTable? Angles { get; init; }

    /// <summary>The angles of layers with a window, where these have a base of their own; else null.</summary>
    public RopeTable? LocalAngles { get; init; }

    /// <summary>Receives the choices of every mixture of experts; null if nobody asks.</summary>
    public List<Routing>? Routings { get; init; }

    /// <summary>Counts the tokens of every expert; null if nobody asks.</summary>
    public RouterLoads? Loads { get; init; }

    /// <summary>Rows that replace embedded ids, such as those of images; null for none.</summary>
    public EmbeddedRows? Embedded { get; init; }
}

/// <summary>Rows that take the places of embedded ids at a model's start.</summary>
/// <param name="Rows">[N, C].</param>
/// <param name="Places">Ids [N]: entry t of text b, of T entries, is b T + t.</param>
public sealed record EmbeddedRows(Tensor Rows, Tensor Places)
{
    /// <summary>x [B, T, C] with these rows in their places.</summary>
    internal Tensor Into(Compute c, Tensor x)
    {
        int all = x.Shape[0] * x.Shape[1], C = x.Shape[2];
        var order = c.New(new Shape(all), DType.Int32);
        for (int i = 0; i < all; i++)
            order.Ids[i] = i;
        for (int n = 0; n < Places.Length; n++)
            order.Ids[Places.Ids[n]] = all + n;
        return c.SelectRows(c.Concat(0, x.Reshape(new Shape(all, C)), Rows), order).Reshape(x.Shape);
    }
}
