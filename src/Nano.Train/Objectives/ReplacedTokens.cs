namespace Nano;

/// <summary>
/// ELECTRA's training (Clark et al., 2020): a generator fills masked places with tokens that it draws, and a
/// discriminator tells of every token whether it is the text's own. loss = generator's + 50 x discriminator's. No
/// gradient passes through the drawn tokens; one that is the right token by chance counts as the text's own. The models
/// have parameters of their own (the paper lets them share the tables of embeddings).
/// </summary>
/// <param name="generator">With a head of masked tokens.</param>
/// <param name="discriminator">With a head of replaced tokens.</param>
/// <param name="seed">The seed of the run.</param>
public sealed class ReplacedTokens(Bert generator, Bert discriminator, ulong seed)
{
    /// <summary>The factor on the discriminator's loss.</summary>
    public const float Weight = 50;

    /// <summary>The losses of a step.</summary>
    /// <param name="Sum">What is differentiated.</param>
    /// <param name="Generator">Cross-entropy of the masked tokens.</param>
    /// <param name="Discriminator">Binary cross-entropy of all tokens.</param>
    public readonly record struct Losses(Tensor Sum, Tensor Generator, Tensor Discriminator);

    /// <summary>The joint loss of a batch of masked rows.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="step">The step, whose random numbers are drawn.</param>
    /// <param name="batch">As <see cref="MaskedTraining.Masked"/> makes it.</param>
    public Losses Loss(Compute c, long step, IReadOnlyDictionary<string, Tensor> batch)
    {
        Tensor? logits = null;
        var own = generator.Loss(c, new(batch), (name, tensor) => logits = name == "logits" ? tensor : logits);
        var filled = new Dictionary<string, Tensor>(batch);
        (filled["input_ids"], filled["labels"]) = Fill(c, step, batch, logits!);
        var found = discriminator.Loss(c, new(filled));
        return new(c.Add(own, c.Scale(found, Weight)), own, found);
    }

    /// <summary>The text with drawn tokens in its masked places, and 1 where a token is not the text's own.</summary>
    private (Tensor Ids, Tensor Labels) Fill(Compute c, long step, IReadOnlyDictionary<string, Tensor> batch,
        Tensor logits)
    {
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.ReplacedTokens);
        Tensor masked = batch["input_ids"], targets = batch["targets"], mask = batch["attention_mask"];
        Tensor ids = c.New(masked.Shape, DType.Int32), labels = c.New(masked.Shape, DType.Int32);
        int V = logits.Shape.Columns;
        for (int i = 0; i < ids.Length; i++)
        {
            int target = targets.Ids[i];
            ids.Ids[i] = target == UpdateBatch.Ignored ? masked.Ids[i]
                : Draw(logits.Data.Slice(i * V, V), Philox.Uniform(key, (ulong)step, (ulong)i));
            labels.Ids[i] = mask.Ids[i] == 0 ? UpdateBatch.Ignored
                : target != UpdateBatch.Ignored && ids.Ids[i] != target ? 1 : 0;
        }
        return (ids, labels);
    }

    /// <summary>The first id up to which the probabilities sum to more than a number in [0, 1).</summary>
    private static int Draw(ReadOnlySpan<float> logits, double uniform)
    {
        double largest = float.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
            largest = Math.Max(largest, logit);
        foreach (float logit in logits)
            sum += Math.Exp(logit - largest);
        double rest = uniform * sum;
        int id = 0;
        while (id < logits.Length - 1 && (rest -= Math.Exp(logits[id] - largest)) >= 0)
            id++;
        return id;
    }
}
