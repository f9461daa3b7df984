namespace Nano;

/// <summary>
/// BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018): the sum of word, position and
/// token type, then L blocks whose tokens see each other in both directions, with norms behind the branches:
/// x = norm(x + attention(x)), x = norm(x + mlp(x)). Heads predict masked tokens (through the word table), whether two
/// sentences follow each other, or a class.
/// <para>
/// A batch: input_ids [B, T]; optionally attention_mask and token_type_ids [B, T]; targets [B, T] (-100 for tokens that
/// do not count) and next_sentence_label [B] (0: it is the next), or labels [B].
/// </para>
/// </summary>
public sealed class Bert : Model
{
    internal const string WordTable = "bert.embeddings.word_embeddings.weight";

    private sealed record Layer(Linear Q, Linear K, Linear V, Linear Output, Norm AttentionNorm, Linear Wide,
        Linear Narrow, Norm MlpNorm);

    private readonly BertConfig config;
    private readonly Tensor words, positions, types; // [V, C], [T, C], [types, C]
    private readonly Norm embeddingNorm;
    private readonly Layer[] layers;
    private readonly Linear? pooler, transform, nextSentence, classifier;
    private readonly Norm? transformNorm;
    private readonly Tensor? tokenBias; // [V]

    /// <summary>A model with parameters that are zero.</summary>
    public Bert(BertConfig config) : this(config, new Parameters())
    {
    }

    internal Bert(BertConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels;
        ParameterFacts table = new(ParameterRole.Embedding, ModelComponent.Embedding);
        words = parameters.Add(WordTable, table, config.VocabSize, C);
        positions = parameters.Add("bert.embeddings.position_embeddings.weight",
            table with { Role = ParameterRole.Position }, config.ContextLength, C);
        types = parameters.Add("bert.embeddings.token_type_embeddings.weight", table, config.TokenTypes, C);
        embeddingNorm = Norm("bert.embeddings.LayerNorm", null);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            string name = $"bert.encoder.layer.{i}.";
            ParameterFacts attention = new(ParameterRole.Inner, ModelComponent.Attention, i),
                mlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
            layers[i] = new Layer(Linear(name + "attention.self.query", attention, C, C),
                Linear(name + "attention.self.key", attention, C, C),
                Linear(name + "attention.self.value", attention, C, C),
                Linear(name + "attention.output.dense", attention with { Role = ParameterRole.ResidualOut }, C, C),
                Norm(name + "attention.output.LayerNorm", i),
                Linear(name + "intermediate.dense", mlp, C, config.Intermediate),
                Linear(name + "output.dense", mlp with { Role = ParameterRole.ResidualOut }, config.Intermediate, C),
                Norm(name + "output.LayerNorm", i));
        }
        ParameterFacts head = new(ParameterRole.Inner, ModelComponent.Head);
        if (config.HasPooler)
            pooler = Linear("bert.pooler.dense", head, C, C);
        if (config.Head is BertHead.PreTraining or BertHead.MaskedTokens)
        {
            tokenBias = parameters.Add("cls.predictions.bias", head with { Role = ParameterRole.Bias },
                config.VocabSize);
            transform = Linear("cls.predictions.transform.dense", head, C, C);
            transformNorm = Norm("cls.predictions.transform.LayerNorm", null);
        }
        if (config.Head == BertHead.PreTraining)
            nextSentence = Linear("cls.seq_relationship", head with { Role = ParameterRole.Head }, C, 2);
        if (config.Head == BertHead.Classes)
            classifier = Linear("classifier", head with { Role = ParameterRole.Head }, C, config.Classes);

        Norm Norm(string name, int? block) =>
            Nano.Norm.Declare(parameters, name, block, C, NormKind.Layer, config.NormEpsilon);
        Linear Linear(string name, ParameterFacts facts, int inputs, int outputs) =>
            Nano.Linear.Declare(parameters, name, facts, inputs, outputs, bias: true);
    }

    /// <summary>The rows of the last layer, [B, T, C].</summary>
    public Tensor Encode(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var ids = batch["input_ids"];
        int T = ids.Shape[1];
        if (T > config.ContextLength)
            throw new NanoException($"{T} tokens do not fit the model's context of {config.ContextLength}");
        var lengths = batch.Lengths(c);
        var kinds = batch.Find("token_type_ids");
        var x = c.Add(c.Embedding(words, ids), positions.SliceRows(0, T));
        x = embeddingNorm.Forward(c, kinds is null ? c.Add(x, types.SliceRows(0, 1).Reshape(new Shape(config.Channels)))
            : c.Add(x, c.Embedding(types, kinds))); // [B, T, C]
        watch?.Invoke("embed", x);
        for (int i = 0; i < layers.Length; i++)
        {
            x = Block(c, layers[i], x, lengths);
            watch?.Invoke($"block{i}", x);
        }
        return x;
    }

    private Tensor Block(Compute c, Layer layer, Tensor x, Tensor? lengths)
    {
        var attention = c.Attention(layer.Q.Forward(c, x), layer.K.Forward(c, x), layer.V.Forward(c, x),
            new(config.Heads, config.Heads) { IsCausal = false, Lengths = lengths });
        x = layer.AttentionNorm.Forward(c, c.Add(layer.Output.Forward(c, attention), x));
        var wide = c.Activation(config.Activation, layer.Wide.Forward(c, x)); // [B, T, I]
        return layer.MlpNorm.Forward(c, c.Add(layer.Narrow.Forward(c, wide), x));
    }

    /// <summary>tanh of a matrix times the first row of each text, [B, C].</summary>
    public Tensor Pool(Compute c, Tensor rows)
    {
        int B = rows.Shape[0], T = rows.Shape[1], C = config.Channels;
        var first = c.Contiguous(rows.Reshape(new Shape(B, T * C)).SliceColumns(0, C));
        return c.Activation(ActivationKind.Tanh, (pooler
            ?? throw new InvalidOperationException("this BERT has no pooler")).Forward(c, first));
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        var rows = Encode(c, batch, watch);
        var pooled = config.HasPooler ? Pool(c, rows) : null;
        if (pooled is not null)
            watch?.Invoke("pooled", pooled);
        if (classifier is not null)
            return Named(c.CrossEntropy(Named(classifier.Forward(c, pooled!), "logits"), batch["labels"]).Loss, "loss");
        if (transform is null)
            throw new InvalidOperationException("this BERT has no head, and so no loss");
        var changed = transformNorm!.Forward(c, c.Activation(config.Activation, transform.Forward(c, rows)));
        var logits = Named(c.Linear(changed, words, tokenBias), "logits"); // [B, T, V]
        var loss = Named(c.CrossEntropy(logits, batch["targets"]).Loss, "mlm_loss");
        if (nextSentence is not null && batch.Find("next_sentence_label") is { } labels)
            loss = c.Add(loss, Named(c.CrossEntropy(Named(nextSentence.Forward(c, pooled!),
                "seq_relationship_logits"), labels).Loss, "nsp_loss"));
        return Named(loss, "loss");

        Tensor Named(Tensor tensor, string name)
        {
            watch?.Invoke(name, tensor);
            return tensor;
        }
    }
}
