namespace Nano;

/// <summary>Texts and their classes as rows of ids; some are held out.</summary>
internal sealed class ClassifierData
{
    private readonly int[][] ids;
    private readonly int[] classes, training;
    private readonly WindowOrder order;

    /// <param name="rows">The texts.</param>
    /// <param name="labels">The names of the classes, in their order.</param>
    /// <param name="tokens">The model's texts as ids.</param>
    /// <param name="options">The held-out share and the seed.</param>
    public ClassifierData(IReadOnlyList<LabelledText> rows, IReadOnlyList<string> labels, EncoderTokens tokens,
        ClassifierOptions options)
    {
        var encoded = rows.Select(row => tokens.Encode(row.Text)).ToList();
        Cut = encoded.Count(row => row.IsCut);
        ids = [.. encoded.Select(row => row.Ids)];
        var numbers = labels.Select((label, i) => (label, i)).ToDictionary(pair => pair.label, pair => pair.i);
        classes = [.. rows.Select(row => numbers.TryGetValue(row.Label, out int number) ? number
            : throw new NanoException($"the model has no class {Quoted.Of(row.Label)}"))];
        int heldOut = options.Holdout == 0 ? 0
            : Math.Clamp((int)Math.Round(options.Holdout * ids.Length), 1, ids.Length - 1);
        var shuffled = new WindowOrder(Philox.Key(options.Seed, (ulong)RandomPurpose.HeldOutRows), ids.Length);
        int[] all = [.. Enumerable.Range(0, ids.Length).Select(i => (int)shuffled[i])];
        (HeldOut, training) = (all[..heldOut], all[heldOut..]);
        order = new WindowOrder(options.Seed, training.Length);
    }

    /// <summary>Texts that were too long, and lost their ends.</summary>
    public int Cut { get; }

    /// <summary>Texts to train on.</summary>
    public int TrainingCount => training.Length;

    /// <summary>The rows that are held out.</summary>
    public int[] HeldOut { get; }

    /// <summary>The batch of a step: each epoch has every text once, in an order of its own.</summary>
    public Batch BatchOf(Compute c, long step, int size, int padding)
    {
        int[] rows = [.. Enumerable.Range(0, size).Select(i => training[order[(step * size) + i]])];
        var batch = EncoderTokens.Padded(c, [.. rows.Select(row => ids[row])], padding);
        var labels = c.New(new Shape(size), DType.Int32);
        for (int i = 0; i < size; i++)
            labels.Ids[i] = classes[rows[i]];
        batch["labels"] = labels;
        return new(batch);
    }

    /// <summary>Mean loss and share of right classes over the rows that are held out.</summary>
    public (double Loss, double Accuracy) Evaluate(Compute c, Bert model)
    {
        float[][] logits = TextClassifier.Logits(c, model, [.. HeldOut.Select(row => ids[row])]);
        double loss = 0;
        int right = 0;
        for (int i = 0; i < HeldOut.Length; i++)
        {
            int own = classes[HeldOut[i]];
            double largest = logits[i].Max();
            loss += largest + Math.Log(logits[i].Sum(logit => Math.Exp(logit - largest))) - logits[i][own];
            right += Sampler.ArgMax(logits[i]) == own ? 1 : 0;
        }
        return (loss / HeldOut.Length, (double)right / HeldOut.Length);
    }
}
