namespace Nano;

/// <summary>
/// BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018) and its relatives, which differ
/// by switches and names (<see cref="BertFamily"/>): the sum of word, position and token type, then L blocks whose
/// tokens see each other in both directions, with norms behind the branches: x = norm(x + attention(x)),
/// x = norm(x + mlp(x)). Heads predict masked tokens (through the word table), whether two sentences follow each other,
/// a class, or for each token whether it is the text's own.
/// <para>
/// A batch: input_ids [B, T]; optionally attention_mask and token_type_ids [B, T]; targets [B, T] (-100 for tokens that
/// do not count) and next_sentence_label or sentence_order_label [B] (0: the text's order), or labels [B]; of replaced
/// tokens labels [B, T] (1: replaced, -100 for padding).
/// </para>
/// </summary>
public sealed class Bert : Model
{
    private sealed record Layer(Linear Q, Linear K, Linear V, Linear Output, Norm AttentionNorm, Linear Wide,
        Linear Narrow, Norm MlpNorm);

    private readonly BertConfig config;
    private readonly Tensor words, positions; // [V, E], [T, E]
    private readonly Tensor? types; // [types, E]
    private readonly Norm embeddingNorm;
    private readonly Linear? projection; // [C, E]
    private readonly Layer[] layers;
    private readonly Linear? pooler, transform, pairs, classifier, replaced;
    private readonly Norm? transformNorm;
    private readonly Tensor? tokenBias; // [V]

    /// <summary>A model with parameters that are zero.</summary>
    public Bert(BertConfig config) : this(config, new Parameters())
    {
    }

    internal Bert(BertConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        var names = config.Names;
        int C = config.Channels, E = config.EmbeddingSize;
        ParameterFacts table = new(ParameterRole.Embedding, ModelComponent.Embedding);
        string embeddings = names.Prefix + "embeddings.";
        words = parameters.Add(config.WordTable, table, config.VocabSize, E);
        positions = parameters.Add(embeddings + "position_embeddings.weight",
            table with { Role = ParameterRole.Position }, config.ContextLength, E);
        if (config.TokenTypes > 0)
            types = parameters.Add(embeddings + "token_type_embeddings.weight", table, config.TokenTypes, E);
        embeddingNorm = Norm(parameters, embeddings + "LayerNorm", null, E);
        if (names.Projection is { } wider && (E != C || names.SharesLayers))
            projection = Linear.Declare(parameters, names.Prefix + wider,
                new(ParameterRole.Inner, ModelComponent.Embedding), E, C, bias: true);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = i > 0 && names.SharesLayers ? layers[0] : DeclareLayer(parameters, i);
        ParameterFacts head = new(ParameterRole.Inner, ModelComponent.Head);
        if (config.HasPooler)
            pooler = Linear.Declare(parameters, names.Prefix + names.Pooler, head, C, C, bias: true);
        if (config.Head is BertHead.PreTraining or BertHead.MaskedTokens)
        {
            tokenBias = parameters.Add(names.TokenBias, head with { Role = ParameterRole.Bias }, config.VocabSize);
            transform = Linear.Declare(parameters, names.Transform, head, C, E, bias: true);
            transformNorm = Norm(parameters, names.TransformNorm, null, E);
        }
        if (config.Head == BertHead.PreTraining)
            pairs = Output(names.Pairs, 2);
        if (config.Head == BertHead.ReplacedTokens)
        {
            transform = Linear.Declare(parameters, "discriminator_predictions.dense", head, C, C, bias: true);
            replaced = Output("discriminator_predictions.dense_prediction", 1);
        }
        if (config.Head == BertHead.Classes)
        {
            if (names.ClassDense is { } dense)
                pooler = Linear.Declare(parameters, dense, head, C, C, bias: true);
            classifier = Output(names.Classifier, config.Classes);
        }

        Linear Output(string name, int outputs) => Linear.Declare(parameters, name,
            head with { Role = ParameterRole.Head }, C, outputs, bias: true);
    }

    private Norm Norm(Parameters parameters, string name, int? block, int channels) =>
        Nano.Norm.Declare(parameters, name, block, channels, NormKind.Layer, config.NormEpsilon);

    private Layer DeclareLayer(Parameters parameters, int i)
    {
        var names = config.Names;
        int C = config.Channels;
        string layer = $"{names.Prefix}{names.Layer}{i}.";
        ParameterFacts attention = new(ParameterRole.Inner, ModelComponent.Attention, i),
            mlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
        return new(Linear(names.Query, attention, C, C), Linear(names.Key, attention, C, C),
            Linear(names.Value, attention, C, C),
            Linear(names.Output, attention with { Role = ParameterRole.ResidualOut }, C, C),
            Norm(parameters, layer + names.AttentionNorm, i, C),
            Linear(names.Wide, mlp, C, config.Intermediate),
            Linear(names.Narrow, mlp with { Role = ParameterRole.ResidualOut }, config.Intermediate, C),
            Norm(parameters, layer + names.MlpNorm, i, C));

        Linear Linear(string name, ParameterFacts facts, int inputs, int outputs) =>
            Nano.Linear.Declare(parameters, layer + name, facts, inputs, outputs, bias: true);
    }

    /// <summary>The rows of the last layer, [B, T, C].</summary>
    /// <exception cref="NanoException">The texts are longer than the model's table of positions.</exception>
    public Tensor Encode(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var ids = batch["input_ids"];
        int T = ids.Shape[1];
        if (T > config.LongestText)
            throw new NanoException($"{T} tokens do not fit the model's context of {config.LongestText}");
        var lengths = batch.Lengths(c);
        var x = c.Add(c.Embedding(words, ids), config.Names.CountsFromPadding
            ? c.Embedding(positions, PositionsOf(c, ids)) : positions.SliceRows(0, T));
        if (types is not null)
            x = batch.Find("token_type_ids") is { } kinds ? c.Add(x, c.Embedding(types, kinds))
                : c.Add(x, types.SliceRows(0, 1).Reshape(new Shape(config.EmbeddingSize)));
        x = embeddingNorm.Forward(c, x); // [B, T, E]
        x = projection?.Forward(c, x) ?? x; // [B, T, C]
        watch?.Invoke("embed", x);
        for (int i = 0; i < layers.Length; i++)
        {
            x = Block(c, layers[i], x, lengths);
            watch?.Invoke($"block{i}", x);
        }
        return x;
    }

    /// <summary>Positions [B, T] behind the id of padding, which has that position itself and is not counted.</summary>
    private Tensor PositionsOf(Compute c, Tensor ids)
    {
        var places = c.New(ids.Shape, DType.Int32);
        int T = ids.Shape[1], next = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            next = i % T == 0 ? config.PadToken + 1 : next;
            places.Ids[i] = ids.Ids[i] == config.PadToken ? config.PadToken : next++;
        }
        return places;
    }

    private Tensor Block(Compute c, Layer layer, Tensor x, Tensor? lengths)
    {
        var attention = c.Attention(layer.Q.Forward(c, x), layer.K.Forward(c, x), layer.V.Forward(c, x),
            new(config.Heads, config.Heads) { IsCausal = false, Lengths = lengths });
        x = layer.AttentionNorm.Forward(c, c.Add(layer.Output.Forward(c, attention), x));
        var wide = c.Activation(config.Activation, layer.Wide.Forward(c, x)); // [B, T, I]
        return layer.MlpNorm.Forward(c, c.Add(layer.Narrow.Forward(c, wide), x));
    }

    /// <summary>A function of a matrix times the first row of each text, tanh of most families, [B, C].</summary>
    public Tensor Pool(Compute c, Tensor rows)
    {
        int B = rows.Shape[0], T = rows.Shape[1], C = config.Channels;
        var first = c.Contiguous(rows.Reshape(new Shape(B, T * C)).SliceColumns(0, C));
        return c.Activation(config.HasPooler ? ActivationKind.Tanh : config.Names.ClassActivation, (pooler
            ?? throw new InvalidOperationException("this encoder has no pooler")).Forward(c, first));
    }

    /// <summary>Logits of the classes of each text, [B, classes].</summary>
    public Tensor ClassLogits(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var pooled = Pool(c, Encode(c, batch, watch));
        watch?.Invoke("pooled", pooled);
        return (classifier ?? throw new InvalidOperationException("this encoder has no classes")).Forward(c, pooled);
    }

    /// <summary>Logits of the tokens of each place, [B, T, V], from the rows of the last layer.</summary>
    internal Tensor TokenLogits(Compute c, Tensor rows)
    {
        var changed = c.Activation(config.Names.FindsReplaced ? ActivationKind.GeluErf : config.Activation,
            (transform ?? throw new InvalidOperationException("this encoder has no head, and so no loss"))
            .Forward(c, rows));
        return c.Linear(transformNorm!.Forward(c, changed), words, tokenBias);
    }

    /// <summary>A logit for each place, [B, T, 1]: the token is not the text's own.</summary>
    private Tensor ReplacedLogits(Compute c, Tensor rows) =>
        replaced!.Forward(c, c.Activation(config.Activation, transform!.Forward(c, rows)));

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        if (classifier is not null)
            return Named(c.CrossEntropy(Named(ClassLogits(c, batch, watch), "logits"), batch["labels"]).Loss, "loss");
        var rows = Encode(c, batch, watch);
        if (replaced is not null)
        {
            // Binary cross-entropy is cross-entropy between the logits 0 and z.
            var z = Named(ReplacedLogits(c, rows), "logits");
            var zero = c.New(z.Shape);
            zero.Data.Clear();
            return Named(c.CrossEntropy(c.Concat(-1, zero, z), batch["labels"]).Loss, "loss");
        }
        var pooled = config.HasPooler ? Named(Pool(c, rows), "pooled") : null;
        var logits = Named(TokenLogits(c, rows), "logits"); // [B, T, V]
        var loss = Named(c.CrossEntropy(logits, batch["targets"]).Loss, "mlm_loss");
        if (pairs is not null && batch.Find(config.Names.PairLabels) is { } labels)
            loss = c.Add(loss, Named(c.CrossEntropy(Named(pairs.Forward(c, pooled!),
                "seq_relationship_logits"), labels).Loss, "nsp_loss"));
        return Named(loss, "loss");

        Tensor Named(Tensor tensor, string name)
        {
            watch?.Invoke(name, tensor);
            return tensor;
        }
    }
}
