namespace Nano;

/// <summary>
/// ELMo (Peters et al., "Deep contextualized word representations", 2018): a language model of LSTMs that reads a text
/// forwards and tells each next token, and one that reads it backwards and tells each token before. They share the
/// token table and the head; from the second layer on a layer adds to the one before. What they make of a token in
/// each layer, side by side, are its vectors, which a task mixes by weights of its own (<see cref="Mix"/>). Tokens have
/// a table here, where the paper has a net over their characters.
/// <para>
/// A batch: input_ids [B, T] and optionally attention_mask [B, T]; the targets follow from the text.
/// </para>
/// </summary>
public sealed class Elmo : Model
{
    private const int Gates = 4, Ignored = -100;

    private readonly ElmoConfig config;
    private readonly Tensor table; // [V, H]
    private readonly RecurrentWeights[] forwards, backwards; // of each layer
    private readonly Linear head; // [V, H]

    /// <summary>A model with parameters that are zero.</summary>
    public Elmo(ElmoConfig config) : this(config, new Parameters())
    {
    }

    internal Elmo(ElmoConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int H = config.HiddenSize;
        table = parameters.Add("embed.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, H);
        (forwards, backwards) = (Declare("forward"), Declare("backward"));
        head = Linear.Declare(parameters, "head", new(ParameterRole.Head, ModelComponent.Head), H, config.VocabSize,
            bias: true);

        RecurrentWeights[] Declare(string name) => [.. Enumerable.Range(0, config.Layers).Select(i =>
            RecurrentLayers.DeclareNet(parameters, name, $"_l{i}", Gates, H, H, i))];
    }

    /// <summary>The vectors of tokens in each layer, [B, T, 2 H]; the first is that of the table, twice.</summary>
    public Tensor[] Layers(Compute c, Batch batch)
    {
        var x = c.Embedding(table, batch["input_ids"]);
        var lengths = batch.Lengths(c);
        return [c.Concat(-1, x, x), .. Run(c, forwards, x, lengths, reverse: false)
            .Zip(Run(c, backwards, x, lengths, reverse: true), (a, b) => c.Concat(-1, a, b))];
    }

    /// <summary>The layers of one direction, [B, T, H] each.</summary>
    private static List<Tensor> Run(Compute c, RecurrentWeights[] nets, Tensor x, Tensor? lengths, bool reverse)
    {
        List<Tensor> layers = [];
        foreach (var net in nets)
        {
            var y = c.Lstm(x, net, null, null, lengths, reverse).Y;
            x = layers.Count > 0 ? c.Add(y, x) : y;
            layers.Add(x);
        }
        return layers;
    }

    /// <summary>A task's mixture of layers: scale x sum of softmax(weights)_j layer_j, [B, T, 2 H].</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="layers">As <see cref="Layers"/> gives them.</param>
    /// <param name="weights">[L + 1]</param>
    /// <param name="scale">[1]</param>
    public static Tensor Mix(Compute c, IReadOnlyList<Tensor> layers, Tensor weights, Tensor scale)
    {
        var shares = c.Softmax(weights.Reshape(new Shape(1, layers.Count)));
        Tensor? sum = null;
        for (int i = 0; i < layers.Count; i++)
        {
            var part = c.Multiply(layers[i], c.Slice(shares, 1, i, 1).Reshape(new Shape(1)));
            sum = sum is null ? part : c.Add(sum, part);
        }
        return c.Multiply(sum!, scale);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        Tensor ids = batch["input_ids"], x = c.Embedding(table, ids);
        var lengths = batch.Lengths(c);
        List<Tensor> ahead = Run(c, forwards, x, lengths, reverse: false),
            back = Run(c, backwards, x, lengths, reverse: true);
        watch?.Invoke("layer0", c.Concat(-1, x, x));
        for (int i = 0; i < config.Layers && watch is not null; i++)
            watch($"layer{i + 1}", c.Concat(-1, ahead[i], back[i]));
        return c.Add(LossOf("forward", ahead[^1], 1), LossOf("backward", back[^1], -1));

        Tensor LossOf(string name, Tensor rows, int distance)
        {
            var logits = head.Forward(c, rows); // [B, T, V]
            watch?.Invoke(name + ".logits", logits);
            var loss = c.CrossEntropy(logits, Targets(c, ids, lengths, distance)).Loss;
            watch?.Invoke(name + ".loss", loss);
            return loss;
        }
    }

    /// <summary>The id at a distance from each token within its row, -100 where there is none.</summary>
    private static Tensor Targets(Compute c, Tensor ids, Tensor? lengths, int distance)
    {
        int B = ids.Shape[0], T = ids.Shape[1];
        var targets = c.New(ids.Shape, DType.Int32);
        for (int b = 0; b < B; b++)
        {
            int length = lengths?.Ids[b] ?? T;
            for (int t = 0; t < T; t++)
                targets.Ids[(b * T) + t] = t < length && t + distance >= 0 && t + distance < length
                    ? ids.Ids[(b * T) + t + distance] : Ignored;
        }
        return targets;
    }

    /// <inheritdoc/>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        RecurrentLayers.Initialize(parameter, key, stream, config.HiddenSize);
        if (forwards.Concat(backwards).Any(net => net.InputBias == parameter))
            parameter.Data.Slice(config.HiddenSize, config.HiddenSize).Fill(1); // open forget gates
    }
}
