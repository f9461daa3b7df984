namespace Nano;

/// <summary>
/// The common part of all decoder-only transformers: embeddings, L blocks that each add attention
/// and an MLP to the residual stream, a final norm and a head. A model defines each of these; this
/// class defines the order in which they run and which intermediate values may be released.
/// Letters: B batch, T time, C channels, V vocabulary, H heads, D channels per head.
/// </summary>
public abstract class LanguageModel : Model
{
    /// <summary>
    /// Checks the configuration; the model then declares its parameters, which are zero until
    /// <see cref="Initialize"/> or a file fills them.
    /// </summary>
    /// <exception cref="NanoException">The configuration is impossible, e.g. heads do not divide channels.</exception>
    protected LanguageModel(ModelConfig config, Parameters parameters) : base(config, parameters) => Config = config;

    /// <summary>Sizes and switches.</summary>
    public ModelConfig Config { get; }

    /// <summary>The model of a configuration.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    public static LanguageModel Create(ModelConfig config) => config.NewModel(new Parameters());

    /// <summary>A model of which some parameters are packed, as the types of a function's choice.</summary>
    internal static LanguageModel Create(ModelConfig config, Func<DeclaredParameter, WeightType?> packedAs) =>
        config.NewModel(new Parameters(packedAs: packedAs));

    /// <summary>The output matrix [V, C]; the token table itself when tied.</summary>
    protected abstract Tensor Head { get; }

    /// <summary>The changes of logits behind the head.</summary>
    protected virtual LogitRule Logits => default;

    /// <summary>The pass with what this model computes once at its start, for T new positions of each row.</summary>
    protected virtual Pass Begin(Compute c, Pass pass, int T) => pass;

    /// <summary>
    /// Ids [B, T] as the residual stream [B, T, C]; each row continues where the cache ends, or
    /// begins at position 0, as each document does.
    /// </summary>
    protected abstract Tensor Embed(Compute c, Tensor ids, Pass pass);

    /// <summary>
    /// The residual stream [B, T, C] behind a block, from that before it: x and the outputs of the block's branches,
    /// joined by <see cref="AddBranch"/>. A cache is extended by these positions.
    /// </summary>
    protected abstract Tensor Block(Compute c, int layer, Tensor x, Pass pass);

    /// <summary>The residual stream [B, T, C] in what a block gives, where that holds more.</summary>
    protected virtual Tensor Stream(Compute c, Tensor x) => x;

    /// <summary>The norm before the head.</summary>
    protected abstract Tensor FinalNorm(Compute c, Tensor x);

    /// <summary>
    /// x plus a branch's output, which is dropped out first. The output is not needed again, not even by the backward
    /// pass.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="x">The residual stream.</param>
    /// <param name="branch">The output of attention or of an MLP.</param>
    /// <param name="pass">The run, whose masks are used.</param>
    /// <param name="number">The branch's number from the model's start, from 0 on.</param>
    protected static Tensor AddBranch(Compute c, Tensor x, Tensor branch, Pass pass, int number)
    {
        var dropped = Drop(c, branch, pass.Masks, number + 1);
        var y = c.Add(x, dropped);
        c.Release(dropped);
        return y;
    }

    /// <summary>Logits for every position.</summary>
    /// <param name="c"> The context to run in. With a tape, ops that lead to a gradient are
    /// recorded for the backward pass; the inner tensors of a block of which nothing was recorded
    /// are released at once. </param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="pass">The cache, documents, masks and more of this run; null for none.</param>
    /// <returns>[B, T, V].</returns>
    public Tensor Forward(Compute c, Tensor ids, Pass? pass = null)
    {
        var logits = Logits.Apply(c, c.Linear(Trunk(c, ids, pass ?? new()), Head, null)); // [B, T, V]
        pass?.Watch?.Invoke("logits", logits);
        return logits;
    }

    /// <summary>
    /// Logits for the token after the last of each row, [B, V]: the same bits as the last ones of
    /// <see cref="Forward"/>, without computing the others.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="cache">Keys and values of the positions before, which are extended.</param>
    public Tensor NextLogits(Compute c, Tensor ids, KvCache cache)
    {
        int B = ids.Shape[0], T = ids.Shape[1], C = Config.Channels;
        var x = Trunk(c, ids, new() { Cache = cache });
        return Logits.Apply(c, c.Linear(x.Reshape(new Shape(B, T * C)).SliceColumns((T - 1) * C, C), Head, null));
    }

    /// <summary>
    /// Mean cross-entropy of the next tokens, in nats; the same bits as <see cref="Forward"/> and
    /// cross-entropy, but the logits never exist all at once. With a tape, the head's gradient is
    /// added here, see <see cref="LinearCrossEntropyExtensions"/>.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="ids">Token ids [B, T].</param>
    /// <param name="targets">The token after each, [B, T]; -100 leaves one out.</param>
    /// <param name="options">
    /// Terms that are added to the mean, the divisor of the sum, and whether the model draws its own targets; a plain
    /// number is the divisor.
    /// </param>
    /// <param name="pass">As in <see cref="Forward"/>, without a cache.</param>
    /// <returns>
    /// Loss: as the options say, a scalar. Nll: -log p of each target [B, T], whatever the options; it has no gradient.
    /// </returns>
    public (Tensor Loss, Tensor Nll) Loss(
        Compute c, Tensor ids, Tensor targets, LossOptions options = default, Pass? pass = null)
    {
        pass = c.Tape is null ? pass ?? new() : BeginLosses(pass ?? new());
        var (loss, nll) = Logits.Loss(c, Trunk(c, ids, pass), Head, targets, options);
        if (pass.Routings is null || c.Tape is null)
            return (loss, nll);
        // A micro-batch adds its part of the whole batch's mean.
        double part = options.Denominator == 0 ? 1 : CrossEntropyExtensions.Counted(targets) / options.Denominator;
        foreach (var (term, factor) in LayerLosses(c, pass.Routings, ids.Shape[1]))
            loss = c.Add(loss, c.Scale(term, (float)(factor * part)));
        return (loss, nll);
    }

    /// <summary>The pass with what losses of layers need, where this model has such.</summary>
    protected virtual Pass BeginLosses(Pass pass) => pass;

    /// <summary>Losses of layers that are added to that of the tokens, each with its factor.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="routings">The choices of every mixture.</param>
    /// <param name="length">T, tokens of a row.</param>
    protected virtual IEnumerable<(Tensor Loss, float Factor)> LayerLosses(Compute c,
        IReadOnlyList<Routing> routings, int length) => [];

    /// <summary>Counts for the experts of this model, zero; null if it has none.</summary>
    public virtual RouterLoads? NewLoads() => null;

    /// <summary>Moves the biases of choices towards even loads, by this rate, where routers have such.</summary>
    public virtual void MoveBiases(RouterLoads loads, float rate)
    {
    }

    /// <summary>The rows from ids [B, T] to the final norm, [B, T, C].</summary>
    internal Tensor Trunk(Compute c, Tensor ids, Pass pass)
    {
        Check(ids, pass);
        int T = ids.Shape[1];
        pass = Begin(c, pass, T);
        var embedded = Embed(c, ids, pass);
        var x = Drop(c, pass.Embedded?.Into(c, embedded) ?? embedded, pass.Masks, 0); // [B, T, C]
        pass.Watch?.Invoke("embed", x);
        for (int i = 0; i < Config.Layers; i++)
        {
            var before = x;
            x = pass.Keep == Keep.All
                ? c.ReleasingUnrecorded((Model: this, c, i, x, pass),
                    static a => a.Model.Block(a.c, a.i, a.x, a.pass))
                : Reduced(c, i, x, pass);
            if (!x.WantsGradient)
                c.Release(before);
            pass.Watch?.Invoke($"block{i}", Stream(c, x));
        }
        pass.Cache?.Advance(T);
        x = FinalNorm(c, x);
        pass.Watch?.Invoke("final_norm", x);
        return x;
    }

    /// <summary>Refuses a run that the context cannot hold, or whose documents do not fit.</summary>
    private void Check(Tensor ids, Pass pass)
    {
        var (cache, segments) = (pass.Cache, pass.Segments);
        int longest = segments?.Longest ?? (cache?.Length ?? 0) + ids.Shape[1];
        if (longest > Config.ContextLength)
            throw new NanoException($"{longest} tokens do not fit the model's context of {Config.ContextLength}");
        if (segments is not null && Config.CarriesStates)
            throw new NanoException($"a {Config.ModelType} carries its state from one document into the next of a row",
                "train without document boundaries");
        if (segments is not null && (cache is not null || segments.Rows != ids.Length))
            throw new ArgumentException(
                cache is null ? $"{segments} do not fit ids {ids}" : "a cache has rows of its own, not segments");
    }

    /// <summary>A block whose inside is not retained as it was computed.</summary>
    private Tensor Reduced(Compute c, int layer, Tensor x, Pass pass) => pass.Keep == Keep.Nothing
        ? c.Checkpoint(x, (c, x) => Block(c, layer, x, pass))
        : c.StoringBFloat16(x, (c, x) => Block(c, layer, x, pass));

    /// <summary>x through its mask; x itself is not needed again.</summary>
    private static Tensor Drop(Compute c, Tensor x, Dropout? dropout, int use)
    {
        if (dropout is null or { Probability: 0 })
            return x;
        var y = dropout.Forward(c, x, use);
        c.Release(x);
        return y;
    }

    /// <summary>
    /// Random weights as GPT-2 and nanoGPT draw them: normal with deviation 0.02, projections into
    /// the residual stream with 0.02 / sqrt(2L) because 2L of them add up there; biases zero, norm
    /// weights one. A pure function of the seed.
    /// </summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        if (parameter.Parameter!.Role == ParameterRole.ResidualOut)
            Philox.Normal(key, stream, 0.02 / Math.Sqrt(2 * Config.Layers), parameter.Data);
        else
            base.Initialize(parameter, key, stream);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null) =>
        Loss(c, batch["input_ids"], batch["targets"], pass: new() { Watch = watch }).Loss;
}
